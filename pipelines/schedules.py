"""The schedules: when the jobs run. Times are UTC."""

from collections.abc import Callable

import dagster as dg

from pipelines.jobs import Job


def build_schedules(
    nightly: Job,
    retrain: Job,
    partitions: dg.TimeWindowPartitionsDefinition,
) -> list[dg.ScheduleDefinition]:
    """Nightly at 05:00 and retraining on the first of the month at 03:00, each for the newest as-of date there is:
    today's, or the last one of a source that has ended (then the same date is refreshed, which doubles nothing)."""
    return [
        dg.ScheduleDefinition(
            name=f"{name}_schedule",
            job=job,
            cron_schedule=cron,
            execution_timezone="UTC",
            execution_fn=_newest_partition(partitions),
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=f"{name}, for the newest as-of date.",
        )
        for name, job, cron in (("nightly", nightly, "0 5 * * *"), ("retrain", retrain, "0 3 1 * *"))
    ]


def _newest_partition(
    partitions: dg.TimeWindowPartitionsDefinition,
) -> Callable[[dg.ScheduleEvaluationContext], dg.RunRequest]:
    def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        tick = context.scheduled_execution_time
        with dg.partition_loading_context(effective_dt=tick):
            newest = partitions.get_last_partition_key()
        return dg.RunRequest(partition_key=newest, run_key=f"{tick.date()}:{newest}")

    return evaluate
