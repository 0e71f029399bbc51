"""`holdfast check-source`: what is wrong with a source, before anything is loaded."""

import argparse
import sys
from pathlib import Path

from assets.shared.errors import UserError
from assets.shared.settings import load_settings, require_home
from pipelines.argument_types import add_parser, home_option


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "check-source",
        help="say what is wrong with a sample of a source",
        description="Reads the YAML and a sample of its files, small ones whole, and loads nothing. Exit code 1 where a"
        " night would be stopped or mislead.",
        examples=["check-source my_shop.yml", "check-source --all --totals my_shop.yml"],
        parents=[home_option()],
    )
    parser.set_defaults(command=_check_source)
    parser.add_argument(
        "--totals", action="store_true", help="also read all files, into a folder that is gone afterwards, and add up"
    )
    parser.add_argument("--all", action="store_true", help="read every row of every file, however large they are")
    parser.add_argument("yaml", metavar="YAML", nargs="?", help="default: every source of the home that has a YAML")


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
