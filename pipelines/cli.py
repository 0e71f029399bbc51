"""The command line: `holdfast run | retrain | check-source | ui`, and the modules of `pipelines.commands`.

In: arguments. Out: exit code 0 (done), 1 (a run failed), 2 (something the user can correct, said in two lines).
Heavy libraries are imported only by the command that needs them.
"""

import argparse
import atexit
import os
import shutil
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from assets.shared.commands import home_folder
from assets.shared.errors import UserError
from assets.shared.settings import DEFAULT_SOURCE, Settings, absolute_source, load_settings, prepare_home, require_home
from pipelines.argument_types import as_date, home_option
from pipelines.business_day import business_today
from pipelines.commands import (
    backup,
    connect,
    customer,
    evaluate_campaign,
    init,
    metrics,
    plan,
    prune,
    quarantine,
    release,
    rollback,
    simulate,
    status,
)
from pipelines.supervisor import run_supervised

ROOT = Path(__file__).resolve().parents[1]

#: Modules of `pipelines.commands`, one a command, in the order of the help page.
COMMANDS = (
    connect,
    init,
    status,
    customer,
    metrics,
    quarantine,
    release,
    rollback,
    evaluate_campaign,
    plan,
    simulate,
    prune,
    backup,
)


#: An extract that has been missing for longer than this many days is no missing extract but a date outside the data.
ABSENCE_DAYS = 31


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Prints one clear error for what a user can cause, never a traceback."""
    arguments = _parser().parse_args(argv)
    try:
        _name_home(arguments)
        return arguments.command(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the published tables are as they were, run again to repair", file=sys.stderr)
        return 130


def _name_home(arguments: argparse.Namespace) -> None:
    """Let every later step find the home of the command, and say which it is and why."""
    if not hasattr(arguments, "home"):
        return
    why = "HOLDFAST_HOME" if os.environ.get("HOLDFAST_HOME") else "the folder data where you are; --home names another"
    if arguments.home is not None:
        os.environ["HOLDFAST_HOME"], why = str(arguments.home.expanduser().resolve()), "--home"
    print(f"holdfast: home {home_folder()} ({why})", file=sys.stderr)


def console() -> None:
    """The `holdfast` command: `main`, the libraries' exit functions, then out at once: in the interpreter's own
    tear-down DuckDB's bindings print a page about their leaks below the summary. What computes is watched."""
    code = run_supervised(main) if sys.argv[1:2] in (["run"], ["retrain"]) else main()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="holdfast", description="Nightly customer retention pipeline.")
    parser.add_argument("--version", action="version", version=f"holdfast {_version()}")
    commands = parser.add_subparsers(required=True, metavar="command")
    own = [home_option()]

    run = commands.add_parser("run", parents=own, help="run the nightly job for one date or a range of dates")
    run.set_defaults(command=_run)
    dates = run.add_mutually_exclusive_group()
    dates.add_argument("--as-of", type=as_date, metavar="DATE", help="as-of date; default: the last complete one")
    dates.add_argument("--from", dest="first", type=as_date, metavar="DATE", help="first as-of date of a backfill")
    run.add_argument("--to", dest="last", type=as_date, metavar="DATE", help="last as-of date of a backfill")

    run.add_argument(
        "--knowledge-time",
        metavar="MOMENT",
        help="see only what was loaded up to this date or moment in UTC; writes to HOME/as_known/, never to the nights",
    )

    retrain = commands.add_parser("retrain", parents=own, help="train a fresh model as of a date")
    retrain.set_defaults(command=_retrain)
    retrain.add_argument("--as-of", type=as_date, metavar="DATE", help="as-of date; default: the last complete one")

    ui = commands.add_parser("ui", parents=own, help="start Dagster (webserver and daemon) on 127.0.0.1")
    ui.set_defaults(command=_ui)
    ui.add_argument("--port", type=int, default=3000)

    for command in (run, retrain, ui):
        command.add_argument(
            "--source",
            action="append",
            metavar="NAME_OR_YAML",
            help="built-in source or path of a source YAML; may be given several times; default: those of the home",
        )
    for command in (run, retrain):
        command.add_argument(
            "--param", action="append", default=[], metavar="NAME=VALUE", help="override one parameter for this run"
        )

    check = commands.add_parser("check-source", parents=own, help="say what is wrong with a sample of a source")
    check.set_defaults(command=_check_source)
    check.add_argument(
        "--totals", action="store_true", help="also read all files, into a folder that is gone afterwards, and add up"
    )
    check.add_argument("--all", action="store_true", help="read every row of every file, however large they are")
    check.add_argument("yaml", metavar="YAML", nargs="?", help="default: every source of the home that has a YAML")

    for module in COMMANDS:
        module.add_command(commands)
    return parser


def _version() -> str:
    """The version of the installed package."""
    from importlib.metadata import version

    return version("holdfast")


def _settings(arguments: argparse.Namespace) -> Settings:
    """Settings with the sources of the command line, which later steps then read from the environment too."""
    if arguments.source:
        os.environ["HOLDFAST_SOURCES"] = ",".join(absolute_source(source) for source in arguments.source)
    settings = load_settings()
    prepare_home(settings)
    return settings


def _overrides(arguments: argparse.Namespace) -> dict[str, str]:
    from assets.shared.params import load_params

    overrides = {}
    for pair in arguments.param:
        name, separator, value = pair.partition("=")
        if not separator:
            raise UserError(f"--param {pair!r} has no '='", "write --param name=value")
        overrides[name.strip()] = value.strip()
    load_params(overrides)
    return overrides


def _run(arguments: argparse.Namespace) -> int:
    if (arguments.first is None) != (arguments.last is None):
        raise UserError("--from and --to belong together", "give both, or --as-of for one date")
    settings, overrides = _settings(arguments), _overrides(arguments)
    first = arguments.first or arguments.as_of
    if arguments.knowledge_time is not None:
        from pipelines import knowledge_time

        if first is None:
            raise UserError("--knowledge-time without a date", "name the date to compute again, with --as-of DATE")
        settings, overrides = (
            knowledge_time.prepare_home_of_then(settings, arguments.knowledge_time),
            overrides | {"ingest_knowledge_time": arguments.knowledge_time},
        )
    first, last = _dates(settings, first, arguments.last)
    # Every run scores. skops compares its types with each module that is there: before Dagster, a fifth of the time.
    import skops.io  # noqa: F401

    from pipelines import launch
    from pipelines.summary import render

    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    has_succeeded = launch.run_job("nightly", settings, days, overrides)
    notice = None
    if arguments.first is None and arguments.as_of is None:
        from pipelines import late_sources, notices

        notice = late_sources.late_notice(late_sources.find_late_sources(settings, business_today(settings)))
        if notice is not None:
            notices.notify(notice, settings.webhook_url, log=lambda words: print(f"notice: {words}", file=sys.stderr))
    if not has_succeeded:
        return 1
    print(render(settings, days[-1], notice.what if notice is not None else None))
    return 0


def _retrain(arguments: argparse.Namespace) -> int:
    settings, overrides = _settings(arguments), _overrides(arguments)
    day, _ = _dates(settings, arguments.as_of)
    from pipelines import launch

    return 0 if launch.run_job("retrain", settings, [day], overrides) else 1


def _dates(settings: Settings, first: date | None, last: date | None = None) -> tuple[date, date]:
    """The as-of dates to run, by default the last one to which every source is complete. Raises UserError for dates
    outside the data."""
    first_valid, last_known, last_complete = _bounds(settings)
    last_valid = last_known
    if settings.sources != (DEFAULT_SOURCE,):
        # A date shortly after the data goes on: whether its extract is missing is for the run to say, and to record.
        last_valid = max(last_known, min(last_known + timedelta(days=ABSENCE_DAYS), business_today(settings)))
    first = first or last_complete
    last = last or first
    if first > last:
        raise UserError(f"--from {first} is after --to {last}", "swap them")
    for day in (first, last):
        if not first_valid <= day <= last_valid:
            raise UserError(
                f"{day} is outside the data of {', '.join(settings.source_names)}",
                f"choose an as-of date from {first_valid} to {last_known}",
            )
    return first, last


def _bounds(settings: Settings) -> tuple[date, date, date]:
    """First and last valid as-of date over all sources, and the last one to which every source is complete: with the
    data of one source missing, its customers would look as if they had left."""
    from assets.ingest.sources import resolve_sources

    bounds = [source.as_of_bounds(settings) for source in resolve_sources(settings.sources)]
    lasts = [last for _, last in bounds]
    return min(first for first, _ in bounds), max(lasts), min(lasts)


def _check_source(arguments: argparse.Namespace) -> int:
    from assets.ingest.check import check_source

    yamls = [arguments.yaml] if arguments.yaml else _yamls_of_home()
    reports = [check_source(Path(yaml), whole=arguments.all) for yaml in yamls]
    for report in reports:
        print(report.render())
    if arguments.totals:
        from assets.ingest.connect.totals import understood
        from assets.ingest.sources import resolve_source

        for yaml in yamls:
            print(understood(resolve_source(yaml), lambda words: print(words, file=sys.stderr)))
    return 0 if all(report.ok for report in reports) else 1


def _yamls_of_home() -> list[str]:
    settings = load_settings()
    require_home(settings)
    yamls = [source for source in settings.sources if Path(source).is_absolute()]
    if not yamls:
        raise UserError(f"{settings.home} has no source with a YAML", "name the YAML that is to be checked")
    return yamls


def _ui(arguments: argparse.Namespace) -> int:
    from pipelines.launch import prepare_dagster_home

    settings = _settings(arguments)
    prepare_dagster_home(settings)
    os.environ["HOLDFAST_HOME"] = str(settings.home)
    dagster = Path(sys.executable).with_name("dagster")
    program = str(dagster) if dagster.exists() else shutil.which("dagster") or "dagster"
    print(f"holdfast: Dagster on http://127.0.0.1:{arguments.port}; stop with Ctrl-C", file=sys.stderr)
    os.chdir(ROOT)
    os.execv(
        program,
        [
            program,
            "dev",
            "--workspace",
            str(ROOT / "workspace.yaml"),
            "--host",
            "127.0.0.1",
            "--port",
            str(arguments.port),
        ],
    )
    return 0


if __name__ == "__main__":
    console()
