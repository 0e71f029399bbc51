"""The dependency audit of CI: what it finds in a lock, and that it goes on without a network."""

import json
import subprocess
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def audit():
    loader = SourceFileLoader("audit", str(ROOT / ".ci" / "audit"))
    module = module_from_spec(spec_from_loader("audit", loader))
    loader.exec_module(module)
    return module


def test_the_lock_is_pinned_with_hashes_and_installed_as_it_is(audit):
    lock = (ROOT / "requirements.lock").read_text()
    assert len(audit.requirements(lock)) > 100
    assert audit.pinned(lock) == [] and audit.installed(lock) == []


@pytest.mark.parametrize(
    "line",
    ["duckdb>=2", "duckdb==2.0.0", "duckdb", "git+https://example.org/x", "duckdb~=2.0 --hash=sha256:0"],
)
def test_a_requirement_that_is_not_pinned_is_found(audit, line):
    assert len(audit.pinned(f"{line}\n")) == 1


def test_another_version_than_the_pinned_one_is_found(audit):
    assert audit.installed("pytest==0.1 \\\n    --hash=sha256:00\nno-such-package==1\n") == [
        f"pytest {pytest.__version__} is installed, 0.1 is pinned"
    ]


def test_a_withdrawn_version_is_found(audit, monkeypatch):
    def pip(*arguments):
        package = {"metadata": {"name": "x", "version": "1"}, "is_yanked": True}
        Path(arguments[-1]).write_text(json.dumps({"install": [package]}))
        return subprocess.CompletedProcess(arguments, 0, "", "")

    monkeypatch.setattr(audit, "_pip", pip)
    assert audit.yanked()[0] == ["x 1 was withdrawn by its authors"]


def test_without_a_network_nothing_is_found_and_that_is_said(audit, monkeypatch):
    monkeypatch.setattr(audit, "_pip", lambda *_: None)
    assert audit.yanked() == ([], "the index cannot be reached; whether a version was withdrawn is not known")
    assert audit.fits()[0] == []
