"""Start a job in this process, as the command line does; the UI and the schedules start the same jobs.

In: job name, settings, as-of dates, parameter overrides. Out: whether all succeeded; progress and the reason of a
failure go to stderr. Runs are recorded in the home's Dagster storage, so the UI shows them too.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path

from assets.shared import postgres
from assets.shared.commands import command
from assets.shared.errors import UserError
from assets.shared.files import write_whole
from assets.shared.settings import DAGSTER_POSTGRES, Settings
from pipelines.log_lines import say

#: How the operating system, SQLite and DuckDB say that a disk is full.
_NO_ROOM = ("No space left on device", "database or disk is full", "Disk quota exceeded", "File too large")

#: What SQLite says where a page cannot be written, of a full disk too; then hardly a page is free.
_IO_ERROR, _A_LITTLE = "disk I/O error", 2**20

_SIGNATURE = "# Written by holdfast; replaced by newer versions unless changed. "

#: Configurations of versions that did not sign them yet (SHA-256).
_UNSIGNED = {"5613c778e204b21a8418460e98d54cc08bd769a7f57f159dd20967f951c24cf9"}


def prepare_dagster_home(settings: Settings) -> None:
    """Make the home's Dagster folder, with its configuration, and point Dagster at it.

    Configuration that an earlier version put there is replaced by today's; one that somebody has changed is theirs, and
    today's is put next to it as `dagster.yaml.new`. Raises UserError when the Postgres server that Dagster shall keep
    its books on cannot be used."""
    settings.dagster.mkdir(parents=True, exist_ok=True, mode=0o700)
    shipped = configuration(settings)
    if settings.dagster_postgres:
        _require_server(settings.dagster_postgres)
    config, beside = settings.dagster / "dagster.yaml", settings.dagster / "dagster.yaml.new"
    there = config.read_text() if config.exists() else None
    if there is None or (there != signed(shipped) and _is_untouched(there)):
        write_whole(config, signed(shipped))
        beside.unlink(missing_ok=True)
    elif there != signed(shipped) and (not beside.exists() or beside.read_text() != shipped):
        beside.write_text(shipped)
        say(
            f"warning: {config} was changed by hand and is kept; this version's own is {beside.name} next to it",
            "warning",
        )
    os.environ["DAGSTER_HOME"] = str(settings.dagster)


def configuration(settings: Settings) -> str:
    """The `dagster.yaml` of this version for a home, with SQLite or Postgres below."""
    storage = "dagster_postgres.yaml" if settings.dagster_postgres else "dagster_sqlite.yaml"
    folder = Path(__file__).parent
    return (folder / "dagster.yaml").read_text() + (folder / storage).read_text()


def _require_server(uri: str) -> None:
    with postgres.connect(uri, DAGSTER_POSTGRES):
        pass
    if find_spec("dagster_postgres") is None:
        raise UserError(
            f"{DAGSTER_POSTGRES} names a Postgres server, but Dagster's library for it is not installed",
            "install the extra: pip install 'holdfast[postgres]' (dagster-postgres)",
        )


def signed(text: str) -> str:
    """`text` under a line that says what it was when it was written."""
    return f"{_SIGNATURE}{hashlib.sha256(text.encode()).hexdigest()[:16]}\n{text}"


def _is_untouched(text: str) -> bool:
    """Whether a configuration is as some version of ours wrote it."""
    first, _, rest = text.partition("\n")
    return signed(rest) == text or hashlib.sha256(text.encode()).hexdigest() in _UNSIGNED


def run_job(
    name: str, settings: Settings, days: Sequence[date], overrides: Mapping[str, str], verbose: bool = False
) -> bool:
    """Run the job `name` as of each of `days`, in their order, in this process; the project is parsed once for all.
    Stops at the first date that fails. Returns True when all succeeded. `verbose`: a line for each table too. Raises
    UserError when the disk is full before or while Dagster keeps its books."""
    try:
        return _run_days(name, settings, days, overrides, verbose)
    except Exception as error:
        if no_room(repr(error)) or (_IO_ERROR in repr(error) and shutil.disk_usage(settings.home).free < _A_LITTLE):
            raise disk_full(settings) from error
        raise


def no_room(words: str) -> bool:
    """Whether an error, of the operating system, SQLite or DuckDB, is about a full disk."""
    return any(sign in words for sign in _NO_ROOM)


def disk_full(settings: Settings) -> UserError:
    """What to say to the user then."""
    return UserError(
        f"the disk of {settings.home} is full",
        "free some room, or move the home to a larger disk, and run the same command again; readers keep the last "
        "complete set",
    )


def _run_days(name: str, settings: Settings, days: Sequence[date], overrides: Mapping[str, str], verbose: bool) -> bool:
    prepare_dagster_home(settings)
    import dagster as dg
    from dagster._core.storage.tags import MAX_RETRIES_TAG

    from pipelines.build import build_definitions
    from pipelines.dead_runs import PROCESS_TAG, process_tag, report_dead_runs
    from pipelines.failed_runs import TELLS_ITSELF_TAG, failure_notice
    from pipelines.jobs import run_config
    from pipelines.notices import notify
    from pipelines.progress import last_seconds, progress_logger

    job = build_definitions(settings).resolve_job_def(name).with_logger_defs({"progress": progress_logger})
    with dg.DagsterInstance.get() as instance:
        report_dead_runs(instance)
        for n, day in enumerate(days, 1):
            say(
                f"holdfast: {name} as of {day} ({n} of {len(days)}), home {settings.home}",
                event="run_start",
                job=name,
                as_of_date=str(day),
            )
            result = job.execute_in_process(
                run_config={
                    **run_config(overrides, retrain=name == "retrain"),
                    "loggers": {"progress": {"config": {"expected": last_seconds(instance, name), "verbose": verbose}}},
                },
                tags={
                    PROCESS_TAG: process_tag(os.getpid()),
                    TELLS_ITSELF_TAG: "true",
                    # The daemon starts dead runs again; one of the command line is its user's to start again.
                    MAX_RETRIES_TAG: "0",
                },
                instance=instance,
                partition_key=day.isoformat(),
                raise_on_error=False,
            )
            if not result.success:
                say(
                    _why(result, settings),
                    "error",
                    event="run_failed",
                    job=name,
                    as_of_date=str(day),
                    run_id=result.run_id,
                )
                notice = failure_notice(instance, result.dagster_run)
                notify(notice, settings.webhook_url, log=lambda words: say(f"notice: {words}", "warning"))
                return False
            say(
                f"holdfast: {name} as of {day} succeeded",
                event="run_succeeded",
                job=name,
                as_of_date=str(day),
                run_id=result.run_id,
            )
        _prune(instance, settings)
    return True


def _prune(instance, settings: Settings) -> None:
    """Drop what is older than its period. The night is published: whatever goes wrong here is no error of it."""
    from assets.shared.retention import periods_of
    from pipelines.prune import KEEP_DAYS, prune
    from pipelines.retention import sweep, sweep_day, words_of

    try:
        prune(instance, settings.dagster, datetime.now(UTC), periods_of(settings.home)["runs"].days or KEEP_DAYS)
        if removed := sweep(settings, sweep_day(settings)):
            say(f"holdfast: older than its period, removed: {words_of(removed)}")
    except Exception as error:
        why = next(iter(str(error).splitlines()), repr(error))
        say(
            f"warning: what is older than its period was not removed: {why}\n"
            f"  remedy: the night is not affected; once the cause is gone: {command('prune')}",
            "warning",
        )


def _why(result, settings: Settings) -> str:
    """The first step that failed and its reason: ours in two lines, an unexpected one with its stack."""
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data and failure.user_failure_data.description:
                return f"error: {event.step_key}: {failure.user_failure_data.description}"
            if failure.error.cls_name == "DagsterExecutionInterruptedError":
                return f"error: {event.step_key} was interrupted; readers keep what they have, run again to repair"
            if no_room(failure.error.to_string()):
                return f"error: {event.step_key}: {disk_full(settings)}"
            return f"error: {event.step_key} broke unexpectedly; please report this:\n{failure.error.to_string()}"
    return f"error: the run failed before its first step; see {os.environ['DAGSTER_HOME']}"
