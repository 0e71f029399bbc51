"""Runs whose process is gone: Dagster would count them as running and launch no other.

In: a Dagster instance. Out: such runs reported as failed. Only runs of the command line carry their process id; a run
that the daemon launched is watched by its code server.
"""

import os

import dagster as dg

PROCESS_TAG = "holdfast/process"


def report_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Report unfinished command-line runs without a living process as failed; returns their ids."""
    unfinished = instance.get_runs(
        filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
    )
    dead = [run for run in unfinished if PROCESS_TAG in run.tags and not _alive(int(run.tags[PROCESS_TAG]))]
    for run in dead:
        instance.report_run_failed(run, "the process of this run is gone; run its date again")
    return [run.run_id for run in dead]


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
