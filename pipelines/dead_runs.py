"""Runs whose process is gone: Dagster would count them as running and launch no other.

In: a Dagster instance. Out: such runs reported as failed. Only runs of the command line carry their process; a run that
the daemon launched is watched by its code server.
"""

import os
from pathlib import Path

import dagster as dg

PROCESS_TAG = "holdfast/process"

#: Put on a run that was found dead.
DEAD_TAG = "holdfast/dead"


def report_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Report unfinished command-line runs without a living process as failed; returns their ids."""
    unfinished = instance.get_runs(
        filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
    )
    dead = [run for run in unfinished if PROCESS_TAG in run.tags and not process_is_alive(run.tags[PROCESS_TAG])]
    for run in dead:
        instance.add_run_tags(run.run_id, {DEAD_TAG: "true"})
        instance.report_run_failed(run, "the process of this run is gone; run its date again")
    return [run.run_id for run in dead]


def process_tag(process: int) -> str:
    """What distinguishes a process from later ones of the same id: the id and, where /proc says it, when it began."""
    began = _began(process)
    return f"{process} {began}" if began else str(process)


def process_is_alive(tag: str) -> bool:
    """Whether the process of a tag still runs. An id that another process has taken over since does not count."""
    number, _, began = tag.partition(" ")
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not began or _began(int(number)) in (began, "")


def _began(process: int) -> str:
    """When it began, in clock ticks since the machine started and with that start's name; '' if that is not known."""
    try:
        # The name in brackets may hold spaces and brackets itself; the 20th field after it is the start.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return f"{fields[19]}@{boot}"
