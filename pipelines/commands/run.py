"""`holdfast run` and `holdfast retrain`: the jobs for one date or a range of dates."""

import argparse
import os
from datetime import date, timedelta

from assets.shared.errors import UserError
from assets.shared.lock import refuse_during_erasure
from assets.shared.settings import DEFAULT_SOURCE, Settings, absolute_source, load_settings, prepare_home
from pipelines.argument_types import add_parser, as_date, home_option
from pipelines.business_day import business_today
from pipelines.log_lines import say

#: An extract that has been missing for longer than this many days is no missing extract but a date outside the data.
ABSENCE_DAYS = 31


def add_command(commands) -> None:
    """Declare both commands."""
    run = add_parser(
        commands,
        "run",
        help="run the nightly job for one date or a range of dates",
        description="Ingest to publish. Without a date: the last one to which every source is complete. Readers keep"
        " the last complete set until this one has passed its checks.",
        examples=[
            "run --home shop --source my_shop.yml",
            "run --as-of 2017-12-01",
            "run --from 2017-11-01 --to 2017-11-30",
            "run --quiet                     # for cron: a line only where something needs a person",
        ],
        parents=[home_option()],
    )
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
    retrain = add_parser(
        commands,
        "retrain",
        help="train a fresh model as of a date",
        description="Ingest to train. The nights from that date on score with the new model.",
        examples=["retrain", "retrain --as-of 2017-12-15"],
        parents=[home_option()],
    )
    retrain.set_defaults(command=_retrain)
    retrain.add_argument("--as-of", type=as_date, metavar="DATE", help="as-of date; default: the last complete one")
    for command in (run, retrain):
        add_source_option(command)
        command.add_argument(
            "--param", action="append", default=[], metavar="NAME=VALUE", help="override one parameter for this run"
        )
        said = command.add_mutually_exclusive_group()
        said.add_argument("-v", "--verbose", action="store_true", help="a line for each table too, with its rows")
        said.add_argument("--quiet", action="store_true", help="say only what needs a person: warnings and errors")
        said.add_argument("--json", action="store_true", help="one JSON object a line on stderr, for a log collector")


def add_source_option(command: argparse.ArgumentParser) -> None:
    """The option `--source`."""
    command.add_argument(
        "--source",
        action="append",
        metavar="NAME_OR_YAML",
        help="built-in source or path of a source YAML; may be given several times; default: those of the home",
    )


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Settings with the sources of the command line, which later steps then read from the environment too."""
    if arguments.source:
        os.environ["HOLDFAST_SOURCES"] = ",".join(absolute_source(source) for source in arguments.source)
    settings = load_settings()
    prepare_home(settings)
    refuse_during_erasure(settings.home)
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
    settings, overrides = settings_of(arguments), _overrides(arguments)
    first = arguments.first or arguments.as_of
    if arguments.knowledge_time is not None:
        from pipelines import knowledge_time

        if first is None:
            raise UserError("--knowledge-time without a date", "name the date to compute again, with --as-of DATE")
        settings, overrides = (
            knowledge_time.prepare_home_of_then(settings, arguments.knowledge_time),
            overrides | {"ingest_knowledge_time": arguments.knowledge_time},
        )
    first, last = dates_to_run(settings, first, arguments.last)
    # Every run scores. skops compares its types with each module that is there: before Dagster, a fifth of the time.
    import skops.io  # noqa: F401

    from pipelines import launch
    from pipelines.summary import render

    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    has_succeeded = launch.run_job("nightly", settings, days, overrides, arguments.verbose or arguments.json)
    notice = None
    if arguments.first is None and arguments.as_of is None:
        from pipelines import late_sources, notices

        notice = late_sources.late_notice(late_sources.find_late_sources(settings, business_today(settings)))
        if notice is not None:
            notices.notify(notice, settings.webhook_url, log=lambda words: say(f"notice: {words}", "warning"))
    if not has_succeeded:
        return 1
    if not arguments.quiet and not arguments.json:
        print(render(settings, days[-1], notice.what if notice is not None else None))
    return 0


def _retrain(arguments: argparse.Namespace) -> int:
    settings, overrides = settings_of(arguments), _overrides(arguments)
    day, _ = dates_to_run(settings, arguments.as_of)
    from pipelines import launch

    return 0 if launch.run_job("retrain", settings, [day], overrides, arguments.verbose or arguments.json) else 1


def dates_to_run(settings: Settings, first: date | None, last: date | None = None) -> tuple[date, date]:
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
