"""The sensors: what the daemon looks for between runs."""

import dagster as dg

from pipelines.dead_runs import report_dead_runs


@dg.sensor(
    name="dead_run_sensor",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports runs of the command line whose process was killed as failed, so that the next can start.",
)
def dead_run_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Launches nothing; says what it found."""
    dead = report_dead_runs(context.instance)
    return dg.SkipReason(f"reported as failed: {', '.join(dead)}" if dead else "every unfinished run is alive")
