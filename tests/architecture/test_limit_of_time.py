"""CI leaves out what it has no time for, and each commit begins with another file."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import rotated

ROOT = Path(__file__).resolve().parents[2]

TESTS = """
import pytest

@pytest.mark.campaign
def test_long():
    assert 1

def test_short():
    assert 1
"""


def names(turn: int) -> list[str]:
    items = [SimpleNamespace(nodeid=name) for name in ("a.py::1", "a.py::2", "b.py::1", "c.py::1")]
    return [item.nodeid for item in rotated(items, turn)]


def test_each_turn_begins_with_another_file():
    assert names(0) == ["a.py::1", "a.py::2", "b.py::1", "c.py::1"] == names(3)
    assert names(1) == ["b.py::1", "c.py::1", "a.py::1", "a.py::2"]
    assert names(5) == ["c.py::1", "a.py::1", "a.py::2", "b.py::1"]
    assert rotated([], 7) == []


@pytest.mark.parametrize(("until", "ended"), [("1", "1 passed, 1 skipped"), ("99999999999", "2 passed")])
def test_a_test_of_the_campaign_does_not_begin_when_time_is_over(tmp_path, until, ended):
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_one.py").write_text(TESTS)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-n",
            "0",
            "-c",
            str(ROOT / "pyproject.toml"),
            "-m",
            "campaign or not campaign",
        ]
        + ["--rootdir", str(tmp_path), str(tmp_path)],
        env={**os.environ, "HOLDFAST_TESTS_UNTIL": until, "HOLDFAST_TESTS_TURN": "1"},
        capture_output=True,
        text=True,
    )
    assert ended in done.stdout, done.stdout + done.stderr
