"""`holdfast status`: what readers see, what waits, what is blocked and what it takes on disk."""

import argparse
import json

from pipelines.argument_types import add_parser, home_option


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "status",
        help="say what readers see, what waits, what is blocked and what it takes on disk",
        description="Reads the home and changes nothing. Exit code 0, whatever it finds; --json is for monitoring.",
        examples=["status", "status --json"],
        parents=[home_option()],
    )
    parser.set_defaults(command=_status)
    parser.add_argument("--json", action="store_true", help="the same as one JSON object")


def _status(arguments: argparse.Namespace) -> int:
    from assets.shared.settings import load_settings, require_home
    from pipelines.business_day import business_today
    from pipelines.home_status import facts_of, status_of, text_of

    settings = load_settings()
    require_home(settings)
    status = status_of(settings, business_today(settings))
    print(json.dumps(facts_of(status), indent=1) if arguments.json else text_of(status))
    return 0
