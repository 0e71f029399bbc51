"""`holdfast customer`: one customer as the published set knows them."""

import argparse
import json
from decimal import Decimal

from pipelines.argument_types import add_parser, home_option


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "customer",
        help="show one customer: standing, risk, reasons, alert, next action, last contact",
        description="Reads the set that readers see. Customers are known by their ids alone.",
        examples=["customer 1042", "customer 1042 --json"],
        parents=[home_option()],
    )
    parser.set_defaults(command=_customer)
    parser.add_argument("customer_id", metavar="ID", help="the id as the source has it")
    parser.add_argument("--json", action="store_true", help="every published column, as one JSON object")


def _customer(arguments: argparse.Namespace) -> int:
    from assets.shared.settings import load_settings, require_home
    from pipelines.one_customer import read_customer, text_of

    settings = load_settings()
    require_home(settings)
    found = read_customer(settings, arguments.customer_id)
    if arguments.json:
        print(json.dumps({**found.row, "options": found.options}, default=_plain, indent=1, ensure_ascii=False))
    else:
        print(text_of(found))
    return 0


def _plain(value: object) -> float | str:
    """What JSON has no type for: amounts as numbers, days as texts."""
    return float(value) if isinstance(value, Decimal) else str(value)
