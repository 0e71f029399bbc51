"""What the command line makes of Dagster's configuration and of a disk that is full."""

import errno
import os
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from assets.shared.errors import UserError
from assets.shared.settings import Settings
from pipelines import launch
from pipelines.prune import prune

SHIPPED = launch.configuration(Settings(home=Path("home"), sources=()))


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    return Settings(home=tmp_path, sources=())


def config(settings: Settings) -> Path:
    return settings.dagster / "dagster.yaml"


def test_the_first_start_writes_the_configuration_and_later_ones_leave_it(settings):
    launch.prepare_dagster_home(settings)
    assert config(settings).read_text() == launch.signed(SHIPPED)
    written = config(settings).stat().st_mtime_ns
    launch.prepare_dagster_home(settings)
    assert config(settings).stat().st_mtime_ns == written
    assert os.environ["DAGSTER_HOME"] == str(settings.dagster)


def test_what_an_earlier_version_wrote_is_replaced(settings):
    settings.dagster.mkdir()
    config(settings).write_text(launch.signed("telemetry:\n  enabled: false\n"))
    launch.prepare_dagster_home(settings)
    assert config(settings).read_text() == launch.signed(SHIPPED)


@pytest.mark.parametrize("own", ["storage:\n  postgres: {}\n", launch.signed(SHIPPED) + "\nstorage: {}\n"])
def test_what_somebody_changed_is_kept_and_ours_laid_beside_it(settings, own, capsys):
    settings.dagster.mkdir()
    config(settings).write_text(own)
    for _ in range(2):
        launch.prepare_dagster_home(settings)
    assert config(settings).read_text() == own
    assert (settings.dagster / "dagster.yaml.new").read_text() == SHIPPED
    assert capsys.readouterr().err.count("changed by hand") == 1, "said once"


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), sqlite3.OperationalError("database or disk is full")]
)
def test_a_full_disk_is_told_with_a_remedy(settings, monkeypatch, error):
    def full(*_):
        raise error

    monkeypatch.setattr(launch, "_run_days", full)
    with pytest.raises(UserError, match="free some room"):
        launch.run_job("nightly", settings, [], {})


@pytest.mark.parametrize(("free", "told"), [(0, UserError), (10**9, sqlite3.OperationalError)])
def test_an_input_output_error_is_a_full_disk_only_where_nothing_is_free(settings, monkeypatch, free, told):
    def broken(*_):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(launch, "_run_days", broken)
    monkeypatch.setattr(launch.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(told):
        launch.run_job("nightly", settings, [], {})


def test_another_error_is_not_called_a_full_disk(settings, monkeypatch):
    monkeypatch.setattr(launch, "_run_days", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        launch.run_job("nightly", settings, [], {})


def test_a_run_that_was_interrupted_is_not_called_broken(tmp_path):
    """Somebody ended it: there is nothing to report, and the same command repairs it."""
    error = SimpleNamespace(cls_name="DagsterExecutionInterruptedError", to_string=lambda: "a stack")
    failed = SimpleNamespace(
        is_step_failure=True,
        step_key="validate",
        step_failure_data=SimpleNamespace(user_failure_data=None, error=error),
    )
    said = launch._why(SimpleNamespace(all_events=[failed]), SimpleNamespace(home=tmp_path))
    assert said == "error: validate was interrupted; readers keep what they have, run again to repair"


def test_books_that_cannot_be_pruned_are_a_warning(settings, monkeypatch, capsys):
    """The night is published by then: a full disk or a locked file must not make an error of it."""

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("pipelines.prune.prune", full)
    launch._prune(None, settings)
    said = capsys.readouterr().err
    assert said.startswith("warning: what is older than its period was not removed: database or disk is full\n")
    assert "prune --home" in said


def test_books_on_a_server_are_configured_and_a_server_that_is_away_is_told(settings, database):
    on_server = replace(settings, dagster_postgres=database)
    launch.prepare_dagster_home(settings)
    launch.prepare_dagster_home(on_server)
    text = config(settings).read_text()
    assert "HOLDFAST_DAGSTER_POSTGRES" in text and database not in text and "max_concurrent_runs" in text
    launch.prepare_dagster_home(settings)
    assert "HOLDFAST_DAGSTER_POSTGRES" not in config(settings).read_text()
    away = replace(settings, dagster_postgres="postgresql://me:secret@127.0.0.1:1/dagster")
    with pytest.raises(UserError, match="cannot be reached") as error:
        launch.prepare_dagster_home(away)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_run_is_written_on_the_server_and_pruned_there(settings, database, monkeypatch, scheme):
    """With the driver that is installed, whatever the library would take."""
    monkeypatch.setenv("HOLDFAST_DAGSTER_POSTGRES", database.replace("postgresql", scheme, 1))
    launch.prepare_dagster_home(replace(settings, dagster_postgres=database))

    @dg.asset
    def table():
        return dg.MaterializeResult()

    with dg.DagsterInstance.get() as instance:
        first, second = (dg.materialize([table], instance=instance).run_id for _ in range(2))
        removed = prune(instance, settings.dagster, datetime.now(UTC) + timedelta(days=31))
        assert removed.run_ids == (first,) and [run.run_id for run in instance.get_runs()] == [second]
    assert not (settings.dagster / "history").exists()
