"""What keeps a home from its next night, or its readers from their tables: found before somebody is called.

In: the environment. Out: findings, each with a remedy that can be pasted into a shell or done by hand. Looks and
changes nothing: a home of an earlier layout is not migrated, no file is read whole, nothing is sent.
"""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from assets.shared.commands import command
from assets.shared.errors import UserError
from assets.shared.home_layout import LAYOUT, read_layout
from assets.shared.leftovers import unfinished_files
from assets.shared.lock import lock_holder
from assets.shared.private_files import PRIVATE_FOLDERS
from assets.shared.settings import Settings, available_memory, gibibytes, load_settings

Level = Literal["ok", "note", "warning", "error"]

#: Room on the disk below which a night may not end: its working tables are written again, and a set next to the old.
LEAST_FREE = 2**30

#: Seconds without a sign of life after which Dagster's daemon is taken for dead. It gives one every 30 seconds.
DAEMON_SILENCE = 300


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. error: a night or a reader fails; warning: one soon may. `remedy`: what to do."""

    part: str
    level: Level
    what: str
    remedy: str | None = None


def examine() -> list[Finding]:
    """Everything that can be looked at, in the order in which it is needed."""
    found = list(_versions())
    try:
        settings = load_settings()
    except UserError as error:
        return [*found, Finding("settings", "error", error.what, error.remedy)]
    found += _safely("memory", _memory, settings)
    home = list(_safely("home", _home, settings))
    found += home
    found += _safely("sources", _sources, settings)
    if settings.target == "spark":
        found += _safely("spark", _spark, settings)
    if settings.publish_postgres:
        found += _safely("postgres", _postgres, settings)
    if settings.home.is_dir() and not any(f.level == "error" for f in home):
        for part, look in (("locks", _locks), ("readers", _readers), ("dagster", _dagster)):
            found += _safely(part, look, settings)
    return found


def _safely(part: str, look: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    """What a look finds; what it cannot look at is a finding too."""
    try:
        yield from look(settings)
    except UserError as error:
        yield Finding(part, "error", error.what, error.remedy)
    except OSError as error:
        place = error.filename or "a file"
        yield Finding(part, "error", f"{place} cannot be read: {error.strerror}", _let_read(str(place)))


def _let_read(place: str) -> str:
    return f"let this user read it: sudo chown -R {os.getuid()} {shlex.quote(place)}"


def _versions() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("versions", "ok", f"holdfast {metadata.version('holdfast')} on Python {python}")
    wrong = []
    for text in metadata.requires("holdfast") or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            installed = None
        if installed is None or not requirement.specifier.contains(installed, prereleases=True):
            wrong.append(f"{requirement.name}{requirement.specifier}")
            has = "is not installed" if installed is None else f"{installed} is installed"
            yield Finding(
                "versions",
                "error",
                f"{requirement.name} {has}, {requirement.specifier or 'any'} is needed",
                shlex.join([sys.executable, "-m", "pip", "install", f"{requirement.name}{requirement.specifier}"]),
            )
    if not wrong:
        engines = ", ".join(f"{name} {metadata.version(name)}" for name in ("duckdb", "dagster", "dbt-core"))
        yield Finding("versions", "ok", f"every library is of a version that fits ({engines})")


def _memory(settings: Settings) -> Iterator[Finding]:
    may, there = settings.memory_bytes, available_memory()
    if may > there:
        yield Finding(
            "memory",
            "warning",
            f"HOLDFAST_MEMORY_LIMIT allows {gibibytes(may)}, and this machine or container has {gibibytes(there)}",
            "unset HOLDFAST_MEMORY_LIMIT (a run then takes 60 % of what there is), or set it to less",
        )
    else:
        yield Finding("memory", "ok", f"a run may take {gibibytes(may)} of {gibibytes(there)}")


def _spark(settings: Settings) -> Iterator[Finding]:
    wrong = False
    if missing := [name for name in ("pyspark", "dbt.adapters.spark") if not _is_installed(name)]:
        wrong = True
        yield Finding("spark", "error", f"{', '.join(missing)} is not installed", "make spark, in the clone")
    if not settings.spark_url.startswith("sc://") and shutil.which("java") is None:
        wrong = True
        yield Finding(
            "spark", "error", "there is no java", "apt-get install openjdk-17-jre-headless, or another of 17 on"
        )
    if not wrong:
        yield Finding("spark", "ok", f"Spark at {settings.spark_url} builds what grows with lines")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _home(settings: Settings) -> Iterator[Finding]:
    home = settings.home
    if not home.is_dir():
        yield Finding("home", "error", f"there is no home at {home}", f"start it: {command('run', home=home)}")
        return
    layout = read_layout(home)
    if layout < LAYOUT and (home / "raw").exists():
        yield Finding("home", "note", f"{home} has layout {layout}: the next command brings it to layout {LAYOUT}")
    if not os.access(home, os.W_OK | os.X_OK):
        yield Finding("home", "error", f"{home} cannot be written by this user", _let_read(str(home)))
        return
    free, needed = shutil.disk_usage(home).free, _needed(settings)
    if free < needed:
        yield Finding(
            "home",
            "warning",
            f"{gibibytes(free)} are free at {home}, and the next night may need {gibibytes(needed)}",
            f"free some room; what Dagster wrote about old runs goes with: {command('prune', '--keep-days', '7')}",
        )
    else:
        yield Finding("home", "ok", f"{home}, layout {layout}, {gibibytes(free)} free")
    others = [path for name in PRIVATE_FOLDERS if (path := home / name).is_dir() and path.stat().st_mode & 0o077]
    if others:
        names = ", ".join(path.name for path in others)
        yield Finding(
            "home",
            "warning",
            f"other users of this machine may enter {names}, where personal data lies",
            shlex.join(["chmod", "700", *map(str, others)]),
        )


def _needed(settings: Settings) -> int:
    """Bytes that a night may write before it removes anything: its working tables once more, at least LEAST_FREE."""
    return max(LEAST_FREE, settings.warehouse.stat().st_size if settings.warehouse.exists() else 0)


def _sources(settings: Settings) -> Iterator[Finding]:
    from assets.ingest.check import check_source
    from assets.ingest.sources import resolve_source, resolve_sources
    from pipelines.business_day import business_today
    from pipelines.late_sources import find_late_sources

    n_errors = 0
    for argument in settings.sources:
        try:
            source = resolve_source(argument)
            first, last = source.as_of_bounds(settings)
            report = check_source(Path(argument)) if Path(argument).is_absolute() else None
        except UserError as error:
            n_errors += 1
            yield Finding("sources", "error", error.what, error.remedy)
            continue
        if report is not None and not report.ok:
            n_errors += 1
            yield Finding(
                "sources",
                "error",
                f"source {source.name} does not pass its check",
                f"see what is wrong: {command('check-source', argument)}",
            )
        else:
            yield Finding("sources", "ok", f"source {source.name}: as-of dates from {first} to {last}")
    if n_errors or not settings.home.is_dir():
        return
    resolve_sources(settings.sources)  # two of one name
    for late in find_late_sources(settings, business_today(settings)):
        yield Finding(
            "sources", "warning", late.words(), "ask whoever delivers it; a night without a date waits for it"
        )


def _postgres(settings: Settings) -> Iterator[Finding]:
    from assets.shared import postgres

    uri = settings.publish_postgres or ""
    with postgres.connect(uri, "HOLDFAST_PUBLISH_POSTGRES") as server:
        [(version,)] = server.rows("show server_version")
    driver = metadata.version("adbc-driver-postgresql")
    yield Finding("postgres", "ok", f"{postgres.place(uri)} answers: server {version}, driver {driver}")


def _locks(settings: Settings) -> Iterator[Finding]:
    holder = lock_holder(settings.home)
    if holder:
        yield Finding("locks", "note", f"process {holder} holds the home: a command that writes waits until it ends")
    if left := unfinished_files(settings):
        yield Finding("locks", "note", f"{len(left)} unfinished files of runs that died: the next run removes them")
    if holder or not settings.warehouse.exists():
        return
    import duckdb

    try:
        duckdb.connect(str(settings.warehouse), read_only=True).close()
    except duckdb.Error as error:
        words = next(iter(str(error).splitlines()), "")
        if process := re.search(r"PID (\d+)", str(error)):
            yield Finding(
                "locks",
                "error",
                f"process {process[1]} has {settings.warehouse} open: no night can write it",
                f"close that program (ps -p {process[1]} shows it); BI tools read {settings.published_db}",
            )
        else:
            yield Finding(
                "locks",
                "error",
                f"{settings.warehouse} cannot be opened: {words}",
                f"remove it, a run makes it again: {shlex.join(['rm', str(settings.warehouse)])}",
            )
    else:
        yield Finding("locks", "ok", "nobody holds the home or its working tables")


def _readers(settings: Settings) -> Iterator[Finding]:
    from assets.ingest.sources import resolve_sources
    from assets.publish.blocked_sets import blocked_sets
    from assets.publish.release_ledger import ReleaseLedger, hold_publishing
    from assets.shared.params import load_params
    from assets.shared.published_history import is_changed, shown_set
    from pipelines.freshness import published_as_of, staleness_notice

    folder = shown_set(settings)
    if folder is None:
        yield Finding("readers", "note", "nothing is published yet", f"run a night: {command('run')}")
        return
    shown = published_as_of(settings)
    changed = is_changed(folder)
    if changed:
        yield Finding(
            "readers",
            "warning",
            f"a program has written into the published database {settings.published_db}",
            f"let BI tools open it read-only; the tables come back with the next night: {command('run')}",
        )
    elif (folder / "holdfast.duckdb").stat().st_mode & 0o222:
        yield Finding(
            "readers",
            "warning",
            f"the published database in {folder} can be written",
            shlex.join(["chmod", "a-w", str(folder / "holdfast.duckdb")]),
        )
    if not changed:
        import duckdb

        try:
            duckdb.connect(str(folder / "holdfast.duckdb"), read_only=True).close()
        except duckdb.Error as error:
            words = next(iter(str(error).splitlines()), "")
            yield Finding(
                "readers",
                "error",
                f"the published database cannot be opened: {words}",
                f"show the set before: {command('rollback')}",
            )
        else:
            yield Finding("readers", "ok", f"readers see {shown}, DuckDB drivers from 1.2 on read it")
    newest = min(source.as_of_bounds(settings)[1] for source in resolve_sources(settings.sources))
    late = staleness_notice(shown, newest, load_params().freshness_max_days_late)
    if late is not None:
        yield Finding("readers", "warning", late.what, f"run the last date whose data is complete: {command('run')}")
    if hold_publishing(ReleaseLedger(settings).events()):
        remedy = f"end it once the cause is gone: {command('rollback', '--resume')}"
        yield Finding("readers", "warning", "publishing is on hold since a rollback", remedy)
    if n := len(blocked_sets(settings)):
        remedy = f"see why, and release one or run its date again: {command('release', '--list')}"
        yield Finding("readers", "warning", f"{n} blocked nights wait", remedy)


def _dagster(settings: Settings) -> Iterator[Finding]:
    config = settings.dagster / "dagster.yaml"
    if not config.exists():
        return
    if (beside := settings.dagster / "dagster.yaml.new").exists():
        yield Finding(
            "dagster",
            "note",
            f"{config} was changed by hand; this version's own is {beside.name} next to it",
            f"compare them: {shlex.join(['diff', str(config), str(beside)])}",
        )
    import dagster as dg

    from pipelines.dead_runs import PROCESS_TAG, process_is_alive

    os.environ["DAGSTER_HOME"] = str(settings.dagster)
    try:
        with dg.DagsterInstance.from_config(str(settings.dagster)) as instance:
            beats = instance.get_daemon_heartbeats()
            open_runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    except Exception as error:  # a storage of another version, a server that is away, a file that cannot be parsed
        words = next(iter(str(error).splitlines()), type(error).__name__)
        aside = shlex.join(["mv", str(config), f"{config}.broken"])
        yield Finding(
            "dagster",
            "error",
            f"Dagster cannot use {config}: {words}",
            f"correct what it names; or take the shipped one, which the next command writes: {aside}",
        )
        return
    newest = max((beat.timestamp for beat in beats.values()), default=None)
    if newest is None:
        yield Finding("dagster", "ok", "its daemon has never run here: nights are started by the command line")
    elif (silent := datetime.now(UTC).timestamp() - newest) > DAEMON_SILENCE:
        since = datetime.fromtimestamp(newest, UTC)
        yield Finding(
            "dagster",
            "note",
            f"its daemon has been silent since {since:%Y-%m-%d %H:%M} UTC: schedules and sensors do not run",
            f"start it where the nights are its task: {command('ui')}",
        )
    else:
        yield Finding("dagster", "ok", f"its daemon gave a sign of life {silent:.0f} s ago")
    if dead := [r for r in open_runs if PROCESS_TAG in r.tags and not process_is_alive(r.tags[PROCESS_TAG])]:
        yield Finding("dagster", "note", f"{len(dead)} runs whose process died: the next run reports them as failed")


def text_of(findings: list[Finding]) -> str:
    """The findings as lines for a terminal, the count last."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.level:<8} {finding.part:<9} {finding.what}")
        if finding.remedy:
            lines.append(f"{'':<18} remedy: {finding.remedy}")
    counts = {level: sum(f.level == level for f in findings) for level in ("error", "warning", "note")}
    lines.append(", ".join(f"{n} {level}{'' if n == 1 else 's'}" for level, n in counts.items()))
    return "\n".join(lines)
