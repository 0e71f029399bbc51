"""Runs of long ago leave Dagster's storage, newer ones and the last success of each job stay, and the room is freed."""

import os
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.storage.runs.schema import RunsTable

from assets.shared.settings import Settings, prepare_home
from pipelines.cli import main
from pipelines.launch import prepare_dagster_home
from pipelines.prune import KEEP_DAYS, old_runs, prune


@dg.asset
def table():
    return dg.MaterializeResult(metadata={"picture": dg.MetadataValue.md("x" * 300_000)})


@dg.asset
def other_table():
    raise ValueError("as it happens")


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    made = Settings(home=tmp_path / "home", sources=("completejourney",))
    prepare_home(made)
    monkeypatch.setenv("HOLDFAST_HOME", str(made.home))
    monkeypatch.setenv("DAGSTER_HOME", str(made.dagster))
    prepare_dagster_home(made)
    return made


@pytest.fixture
def instance(settings):
    with dg.DagsterInstance.get() as made:
        yield made


def run(instance, *assets) -> str:
    return dg.materialize(list(assets), instance=instance, raise_on_error=False).run_id


def later(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def test_old_runs_go_and_the_last_success_stays(instance, settings):
    ids = [run(instance, table), run(instance, other_table), run(instance, table)]
    removed = prune(instance, settings.dagster, later(KEEP_DAYS + 1))
    assert set(removed.run_ids) == set(ids[:2])
    assert [r.run_id for r in instance.get_runs()] == ids[2:]
    assert not [f for f in settings.dagster.rglob("*") if ids[0] in f.name or ids[1] in f.name]
    assert removed.n_bytes > 300_000, "the picture lay in the run's file and in the index"
    latest = instance.get_latest_materialization_event(dg.AssetKey("table"))
    assert latest is not None and latest.run_id == ids[2]
    assert prune(instance, settings.dagster, later(KEEP_DAYS + 1)).run_ids == ()


def test_a_run_of_thirty_days_ago_is_young(instance):
    run(instance, table), run(instance, table)
    assert not old_runs(instance, later(KEEP_DAYS - 0.01))
    assert len(old_runs(instance, later(KEEP_DAYS + 0.01))) == 1


def test_a_run_that_goes_on_is_left_alone(instance):
    @dg.job
    def endless():
        pass

    instance.create_run_for_job(endless, status=dg.DagsterRunStatus.STARTED)
    assert not old_runs(instance, later(KEEP_DAYS + 9))


def test_the_command_says_first_what_would_go(settings, capsys):
    with dg.DagsterInstance.get() as instance:
        ids = [run(instance, table), run(instance, table)]
        aged = {"create_timestamp": later(-2).replace(tzinfo=None)}
        with instance.run_storage.connect() as con:
            con.execute(RunsTable.update().values(**aged))
    assert main(["prune", "--keep-days", "1", "--dry-run"]) == 0
    assert capsys.readouterr().out == "1 runs are older than 1 days\n"
    assert main(["prune", "--keep-days", "1"]) == 0
    assert capsys.readouterr().out.startswith("1 runs older than 1 days removed, ")
    with dg.DagsterInstance.get() as instance:
        assert [r.run_id for r in instance.get_runs()] == ids[1:]
    assert os.environ["DAGSTER_HOME"] == str(settings.dagster)


def test_the_daemon_looks_once_a_day(definitions):
    sensor = definitions.resolve_sensor_def("prune_sensor")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 86_400
