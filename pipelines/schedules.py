"""The schedules: when the jobs run, by the clock of the business."""

from collections.abc import Callable

import dagster as dg

from pipelines.jobs import Job


def build_schedules(
    nightly: Job,
    retrain: Job,
    partitions: dg.TimeWindowPartitionsDefinition,
    hour: int,
    zone: str,
) -> list[dg.ScheduleDefinition]:
    """Nightly at the hour of the business, and retraining on the first of the month up to two hours before it (not
    before midnight: it is as of the same day), each for the newest as-of date there is: today's, or the last one of a
    source that has ended (then the same date is refreshed, which doubles nothing)."""
    return [
        dg.ScheduleDefinition(
            name=f"{name}_schedule",
            job=job,
            cron_schedule=cron,
            execution_timezone=zone,
            execution_fn=_newest_partition(partitions),
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=f"{name}, for the newest as-of date.",
        )
        for name, job, cron in (
            ("nightly", nightly, f"0 {hour} * * *"),
            ("retrain", retrain, f"0 {max(hour - 2, 0)} 1 * *"),
        )
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
