"""What Dagster wrote about runs of long ago: out, because each night writes megabytes.

In: a Dagster instance. Out: how much was removed. The tables of a home, their history, models and ledgers are no part
of it: only events, pictures and logs of runs that ended more than `keep_days` days ago. The newest successful run of
each job stays whatever its age, so that the UI shows when each asset was made last.
"""

import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg

#: A month of nights, so that two turns of a month can be compared.
KEEP_DAYS = 30

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class Pruned:
    """run_ids: of the runs that were removed. n_bytes: freed on disk."""

    run_ids: tuple[str, ...]
    n_bytes: int


def old_runs(instance: dg.DagsterInstance, now: datetime, keep_days: int = KEEP_DAYS) -> list[dg.DagsterRun]:
    """Ended runs that began before `now` less `keep_days` days, but the newest successful one of each job."""
    before = now - timedelta(days=keep_days)
    found = instance.get_runs(filters=dg.RunsFilter(statuses=_ENDED, created_before=before))
    if not found:
        return []
    succeeded = instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
    newest = {run.job_name: run.run_id for run in reversed(succeeded)}
    return [run for run in found if newest.get(run.job_name) != run.run_id]


def prune(instance: dg.DagsterInstance, folder: Path, now: datetime, keep_days: int = KEEP_DAYS) -> Pruned:
    """Remove old runs from Dagster's storage in `folder`. Can be repeated: what a kill has left goes the next time."""
    runs = old_runs(instance, now, keep_days)
    if not runs:
        return Pruned((), 0)
    before = _size(folder)
    for run in runs:
        shutil.rmtree(folder / "storage" / run.run_id, ignore_errors=True)
        instance.delete_run(run.run_id)
        for path in (folder / "history" / "runs").glob(f"{run.run_id}.db*"):
            path.unlink(missing_ok=True)
    for path in (folder / "history" / "runs" / "index.db", folder / "history" / "runs.db"):
        if not path.exists():
            continue  # the books are on a server
        # In use by the UI's processes: the room is used again, and freed another time.
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(path, timeout=5)) as con:
            con.execute("vacuum")
            con.execute("pragma wal_checkpoint(truncate)")
    return Pruned(tuple(run.run_id for run in runs), max(before - _size(folder), 0))


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
