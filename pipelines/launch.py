"""Start a job in this process, as the command line does; the UI and the schedules start the same jobs.

In: job name, settings, as-of dates, parameter overrides. Out: whether all succeeded; progress and the reason of a
failure go to stderr. Runs are recorded in the home's Dagster storage, so the UI shows them too.
"""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from assets.shared.settings import Settings


def prepare_dagster_home(settings: Settings) -> None:
    """Make the home's Dagster folder, with its configuration, and point Dagster at it."""
    settings.dagster.mkdir(parents=True, exist_ok=True)
    config = settings.dagster / "dagster.yaml"
    if not config.exists():
        shutil.copyfile(Path(__file__).with_name("dagster.yaml"), config)
    os.environ["DAGSTER_HOME"] = str(settings.dagster)


def run_job(name: str, settings: Settings, days: Sequence[date], overrides: Mapping[str, str]) -> bool:
    """Run the job `name` as of each of `days`, in their order, in this process; the project is parsed once for all.
    Stops at the first date that fails. Returns True when all succeeded."""
    prepare_dagster_home(settings)
    import dagster as dg

    from pipelines.build import build_definitions
    from pipelines.dead_runs import PROCESS_TAG, report_dead_runs
    from pipelines.jobs import run_config
    from pipelines.progress import last_seconds, progress_logger

    job = build_definitions(settings).resolve_job_def(name).with_logger_defs({"progress": progress_logger})
    with dg.DagsterInstance.get() as instance:
        report_dead_runs(instance)
        for n, day in enumerate(days, 1):
            print(f"holdfast: {name} as of {day} ({n} of {len(days)}), home {settings.home}", file=sys.stderr)
            result = job.execute_in_process(
                run_config={
                    **run_config(overrides, retrain=name == "retrain"),
                    "loggers": {"progress": {"config": {"expected": last_seconds(instance, name)}}},
                },
                tags={PROCESS_TAG: str(os.getpid())},
                instance=instance,
                partition_key=day.isoformat(),
                raise_on_error=False,
            )
            if not result.success:
                print(_why(result), file=sys.stderr)
                return False
    return True


def _why(result) -> str:
    """The first step that failed and its reason: ours in two lines, an unexpected one with its stack."""
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data and failure.user_failure_data.description:
                return f"error: {event.step_key}: {failure.user_failure_data.description}"
            return f"error: {event.step_key} broke unexpectedly; please report this:\n{failure.error.to_string()}"
    return f"error: the run failed before its first step; see {os.environ['DAGSTER_HOME']}"
