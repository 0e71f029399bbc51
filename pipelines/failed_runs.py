"""What to report about a run that failed.

In: the run and its events in Dagster's storage. Out: a `Notice`, the same from the command line and from the daemon.
"""

from typing import Any

import dagster as dg

from pipelines.notices import Notice

#: Runs that report their own failure while they live.
TELLS_ITSELF_TAG = "holdfast/tells_itself"

_PARTITION_TAG = "dagster/partition"


def failure_notice(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Notice:
    """The notice: a blocked release when a blocking check failed, a failed run otherwise."""
    tables, step = [], None
    for record in instance.all_logs(run.run_id):
        event = record.dagster_event
        if event is None:
            continue
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR:
                tables.append(".".join(check.asset_key.path))
        if event.is_step_failure and step is None:
            step = event.step_key
    day = run.tags.get(_PARTITION_TAG)
    facts: dict[str, Any] = {"job": run.job_name, "as_of_date": day, "run_id": run.run_id, "step": step}
    if tables:
        tables = sorted(set(tables))
        return Notice(
            "release_blocked",
            f"The set as of {day} was not released: blocking checks of {', '.join(tables)} failed.",
            "Readers keep the last complete set. What failed and what to do is in the run's log and with each table.",
            tables=tuple(tables),
            **facts,
        )
    where = f"in step {step}" if step else "before its first step"
    return Notice(
        "run_failed",
        f"The run {run.job_name} as of {day} failed {where}.",
        "Readers keep the last complete set. The run's log says why; remove the cause and run that date again.",
        **facts,
    )
