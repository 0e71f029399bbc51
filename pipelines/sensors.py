"""The sensors: what the daemon looks for between runs, and whom it notifies.

In: the home and sources of the settings. Out: the sensors of one code location. What is new, stale or failed is decided
in `new_files`, `freshness` and `failed_runs`; nothing is computed here.
"""

from datetime import UTC, datetime

import dagster as dg

from assets.ingest.sources import resolve_sources
from assets.shared.commands import command
from assets.shared.errors import UserError
from assets.shared.lock import home_lock, lock_holder
from assets.shared.params import load_params
from assets.shared.retention import periods_of
from assets.shared.settings import Settings
from pipelines.dead_runs import DEAD_TAG, report_dead_runs
from pipelines.failed_runs import TELLS_ITSELF_TAG, failure_notice
from pipelines.freshness import published_as_of, staleness_notice
from pipelines.jobs import Job
from pipelines.new_files import find_new_files
from pipelines.notices import Notice, notify
from pipelines.prune import KEEP_DAYS, prune
from pipelines.retention import sweep, sweep_day, words_of

_RUNNING = dg.DefaultSensorStatus.RUNNING


def build_sensors(
    settings: Settings, nightly: Job, partitions: dg.TimeWindowPartitionsDefinition
) -> list[dg.SensorDefinition]:
    """All sensors for one home."""
    return [
        dead_run_sensor,
        _failed_run_sensor(settings),
        _freshness_sensor(settings, partitions),
        _new_file_sensor(settings, nightly),
        _prune_sensor(settings),
    ]


@dg.sensor(
    name="dead_run_sensor",
    minimum_interval_seconds=60,
    default_status=_RUNNING,
    description="Reports runs of the command line whose process was killed as failed, so that the next can start.",
)
def dead_run_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Launches nothing; says what it found."""
    dead = report_dead_runs(context.instance)
    return dg.SkipReason(f"reported as failed: {', '.join(dead)}" if dead else "every unfinished run is alive")


def _failed_run_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.run_failure_sensor(
        name="failed_run_sensor",
        minimum_interval_seconds=20,
        default_status=_RUNNING,
        description="Reports failed runs and blocked releases: webhook and log.",
    )
    def failed_run_sensor(context: dg.RunFailureSensorContext):
        run = context.dagster_run
        if TELLS_ITSELF_TAG in run.tags and DEAD_TAG not in run.tags:
            return
        notify(failure_notice(context.instance, run), settings.webhook_url, context.log.warning)

    return failed_run_sensor


def _freshness_sensor(settings: Settings, partitions: dg.TimeWindowPartitionsDefinition) -> dg.SensorDefinition:
    @dg.sensor(
        name="freshness_sensor",
        minimum_interval_seconds=600,
        default_status=_RUNNING,
        description="Reports once a day when the published set is older than allowed: webhook and log.",
    )
    def freshness_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        now = datetime.now(UTC)
        with dg.partition_loading_context(effective_dt=now):
            last = partitions.get_last_partition_key()
        if last is None:
            return dg.SkipReason("there is no as-of date yet")
        newest = datetime.fromisoformat(last).date()
        published = published_as_of(settings)
        notice = staleness_notice(published, newest, load_params().freshness_max_days_late)
        if notice is None:
            return dg.SkipReason(f"the published set, {published}, is as new as it should be")
        told = f"{now.date()} {published}"
        if context.cursor != told:
            notify(notice, settings.webhook_url, context.log.warning)
            context.update_cursor(told)
        return dg.SkipReason(notice.what)

    return freshness_sensor


def _new_file_sensor(settings: Settings, nightly: Job) -> dg.SensorDefinition:
    @dg.sensor(
        name="new_file_sensor",
        job=nightly,
        minimum_interval_seconds=30,
        default_status=_RUNNING,
        description="Starts a night when a source has a new or changed file that is no longer being written.",
    )
    def new_file_sensor(context: dg.SensorEvaluationContext):
        try:
            found = find_new_files(settings, context.cursor)
            day = _as_of(settings) if found.arrived else None
        except UserError as error:
            # Reported once for each reason: the cursor stays, so that the file is taken once it can be read.
            notice = Notice(
                "source_unusable",
                "A source cannot be read.",
                f"Run `{command('check-source')}`.",
            )
            context.log.warning(str(error))
            if _last_trouble.get(settings.home) != str(error):
                _last_trouble[settings.home] = str(error)
                notify(notice, settings.webhook_url, context.log.warning)
            return dg.SkipReason(str(error))
        _last_trouble.pop(settings.home, None)
        if not found.arrived:
            return dg.SensorResult(
                skip_reason=dg.SkipReason("a file is still changing" if found.waiting else "no new file"),
                cursor=found.cursor,
            )
        context.log.info(f"new: {', '.join(found.arrived)}; starting the night of {day}")
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=f"files:{found.fingerprint}", partition_key=day)], cursor=found.cursor
        )

    return new_file_sensor


def _prune_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="prune_sensor",
        minimum_interval_seconds=86_400,
        default_status=_RUNNING,
        description="Removes what is older than its period, once a day.",
    )
    def prune_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        keep_days = periods_of(settings.home)["runs"].days or KEEP_DAYS
        removed = prune(context.instance, settings.dagster, datetime.now(UTC), keep_days)
        swept: dict[str, int] = {}
        if lock_holder(settings.home) is None:  # else tomorrow: a sensor waits for no run
            with home_lock(settings, on_wait=context.log.info):
                swept = sweep(settings, sweep_day(settings))
        said = f"; older than its period, removed: {words_of(swept)}" if swept else ""
        return dg.SkipReason(f"{len(removed.run_ids)} old runs removed, {removed.n_bytes / 1e6:,.1f} MB freed{said}")

    return prune_sensor


#: What each home's source was last unusable for, so that nothing is reported twice.
_last_trouble: dict[object, str] = {}


def _as_of(settings: Settings) -> str:
    """The newest date to which every source is complete with its new files: the night that makes use of all of them.
    Late lines of older days are in it too."""
    bounds = [source.as_of_bounds(settings) for source in resolve_sources(settings.sources)]
    return min(last for _, last in bounds).isoformat()
