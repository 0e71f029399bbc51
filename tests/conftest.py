"""Fixtures that more than one test folder needs: a home of one's own, the parsed dbt project, the definitions."""

import atexit
import os
import sys
from pathlib import Path

import pytest

from assets.shared.settings import Settings, load_settings, prepare_home


@pytest.fixture(scope="session")
def project_home(tmp_path_factory) -> Settings:
    """A home that only parses: shared by tests that need the project's structure and run nothing."""
    home = tmp_path_factory.mktemp("project-home")
    settings = Settings(home=home, sources=("completejourney",))
    prepare_home(settings)
    return settings


@pytest.fixture(scope="session")
def project(project_home):
    from assets.dbt.manifest import parse

    return parse(project_home)


@pytest.fixture(scope="session")
def definitions(project_home):
    from pipelines.build import build_definitions

    return build_definitions(project_home)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty home that the environment names, restored afterwards."""
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HOLDFAST_SOURCES", raising=False)
    prepare_home(load_settings())
    assert os.environ["HOLDFAST_HOME"]
    return tmp_path / "home"


_exit_status = 0


def pytest_sessionfinish(session, exitstatus) -> None:
    global _exit_status
    _exit_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config) -> None:
    """Leave at once, as the command line does: in the interpreter's tear-down DuckDB's bindings print a page about
    their leaks below the result."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_exit_status)
