"""`holdfast init`: say which business a home belongs to, before its first run or when its sources have moved."""

import argparse
import os

from assets.shared.commands import command, home_folder
from assets.shared.errors import UserError
from assets.shared.home_file import NAME, read_home_file, write_home_file
from assets.shared.settings import Settings, absolute_source, prepare_home
from pipelines.argument_types import add_parser, home_option


def add_command(commands) -> None:
    """Declare the command."""
    init = add_parser(
        commands,
        "init",
        help="record the sources, the clock and the hour of the business that a home belongs to",
        description="Writes home.yml. The first run does it too; say it here when a YAML has moved, when the business"
        " has one more source, or when one has ended.",
        examples=["init --home shop --source my_shop.yml", "init --home shop --source till.yml --source web.yml"],
        parents=[home_option()],
    )
    init.set_defaults(command=_init)
    init.add_argument(
        "--source",
        action="append",
        metavar="NAME_OR_YAML",
        help="built-in source or path of a source YAML; may be given several times; default: those recorded",
    )
    init.add_argument(
        "--ended",
        action="append",
        metavar="NAME",
        help="a source that has ended: what it delivered stays in the home and counts no more; may be repeated",
    )
    init.add_argument("--schedule-hour", type=int, metavar="HOUR", help="hour of the night, 0 to 23 (default 5)")
    init.add_argument("--time-zone", metavar="ZONE", help="clock of the business (default: that of its sources)")


def _init(arguments: argparse.Namespace) -> int:
    from assets.ingest.claim import other_sources
    from assets.ingest.sources import resolve_sources

    home = home_folder()
    record = read_home_file(home)
    if not arguments.source and record is None:
        raise UserError(
            f"{home} belongs to no business yet, and no source is named",
            f"name the YAML of each source, or try the built-in one: {command('init', '--source', 'completejourney')}",
        )
    given = arguments.source or (record.sources if record else ())
    sources = tuple(dict.fromkeys(absolute_source(source) for source in given))
    settings = Settings(home=home, sources=sources)
    resolved = resolve_sources(sources)
    ended = arguments.ended or []
    if others := other_sources(settings, [*(source.name for source in resolved), *ended]):
        words = [word for source in sources for word in ("--source", source)]
        words += [word for name in [*ended, *others] for word in ("--ended", name)]
        raise UserError(
            f"{home} belongs to another business: it holds what {', '.join(others)} delivered",
            "name another home with --home; or, where these sources of the same business have ended and shall count no "
            f"more: {command('init', *words)}",
        )
    prepare_home(settings)
    hour, zone = arguments.schedule_hour, arguments.time_zone
    write_home_file(
        home,
        sources,
        hour if hour is not None or record is None else record.schedule_hour,
        zone if zone is not None or record is None else record.time_zone,
    )
    os.environ["HOLDFAST_SOURCES"] = ",".join(sources)
    print(f"{home / NAME}: {', '.join(sources)}")
    print(f"run it: {command('run')}")
    return 0
