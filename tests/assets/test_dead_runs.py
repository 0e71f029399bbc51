"""A run whose process was killed must not keep the next one from starting."""

import os
import subprocess
import sys

import dagster as dg
import pytest

from pipelines.dead_runs import DEAD_TAG, PROCESS_TAG, process_is_alive, process_tag, report_dead_runs


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def started(instance: dg.DagsterInstance, **tags: str) -> str:
    @dg.job
    def nothing():
        pass

    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED, tags=tags)
    return run.run_id


def test_a_run_whose_process_is_gone_is_reported_as_failed(instance):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    run_id = started(instance, **{PROCESS_TAG: str(process.pid)})
    assert report_dead_runs(instance) == [run_id]
    assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.FAILURE
    assert report_dead_runs(instance) == []


def test_living_runs_and_those_of_the_daemon_are_left_alone(instance):
    own, daemons = started(instance, **{PROCESS_TAG: str(os.getpid())}), started(instance)
    assert report_dead_runs(instance) == []
    for run_id in (own, daemons):
        assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.STARTED


def test_the_daemon_looks_every_minute(definitions):
    sensor = definitions.resolve_sensor_def("dead_run_sensor")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 60


def test_an_id_that_another_process_has_taken_over_is_not_the_run(instance):
    own = process_tag(os.getpid())
    assert process_is_alive(own)
    number, _, began = own.partition(" ")
    assert began, "this machine has /proc"
    assert not process_is_alive(f"{number} 1@{began.partition('@')[2]}"), "begun at another moment"
    assert not process_is_alive(f"{number} {began.partition('@')[0]}@another-start-of-the-machine")
    assert process_is_alive(number), "a tag of an earlier version has the id alone"


def test_a_dead_run_is_marked_so_that_the_daemon_tells_of_it(instance):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    run_id = started(instance, **{PROCESS_TAG: str(process.pid)})
    report_dead_runs(instance)
    assert DEAD_TAG in instance.get_run_by_id(run_id).tags
