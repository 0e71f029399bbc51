"""`holdfast metrics`: the numbers of the morning by any group."""

import argparse
import csv
import json
import sys
from decimal import Decimal

from assets.shared.errors import UserError
from pipelines.argument_types import add_parser, as_date, home_option


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "metrics",
        help="numbers of the morning by any group",
        description="From the set that readers see, as CSV, JSON or SQL.",
        examples=["metrics list", "metrics query churn_rate --by month"],
    )
    actions = parser.add_subparsers(required=True, metavar="action")

    listing = add_parser(
        actions,
        "list",
        help="every metric, its unit and what it says",
        description="The names are those of the table metric_definitions.",
        examples=["metrics list"],
        parents=[home_option()],
    )
    listing.set_defaults(command=_list)

    query = add_parser(
        actions,
        "query",
        help="one or more metrics, by day, week, month, region, value_class, lifecycle_stage, channel",
        description="Flows add up over a period; customers are counted on its last evening, opening ones on its first.",
        examples=["metrics query churn_rate net_sales --by month,value_class --from 2017-09-01"],
        parents=[home_option()],
    )
    query.set_defaults(command=_query)
    query.add_argument("metrics", metavar="METRIC", nargs="+", help="names as in metric_definitions")
    query.add_argument("--by", default="", metavar="NAMES", help="periods and dimensions, with commas")
    query.add_argument("--from", dest="first", type=as_date, metavar="DATE", help="first day")
    query.add_argument("--to", dest="last", type=as_date, metavar="DATE", help="last day")
    query.add_argument(
        "--only", action="append", default=[], metavar="DIMENSION=VALUE", help="only this group; may be given again"
    )
    shown = query.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="rows as JSON instead of CSV")
    shown.add_argument("--sql", action="store_true", help="the SQL over marts.retention_kpis instead of rows")


def _list(_arguments: argparse.Namespace) -> int:
    queries = _queries()
    for name, sentence in sorted(queries.sentences.items()):
        print(f"{name}  [{queries.units[name]}]  {sentence}")
    return 0


def _query(arguments: argparse.Namespace) -> int:
    from pipelines.metric_queries import Question

    only = {}
    for pair in arguments.only:
        name, separator, value = pair.partition("=")
        if not separator:
            raise UserError(f"--only {pair!r} has no '='", "write --only value_class=A")
        only[name.strip()] = value.strip()
    by = [name.strip() for name in arguments.by.split(",") if name.strip()]
    answer = _queries().ask(Question(arguments.metrics, by, arguments.first, arguments.last, only))
    if arguments.sql:
        print(answer.sql)
    elif arguments.json:
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        print(json.dumps(rows, default=_plain, indent=1, ensure_ascii=False))
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows(answer.rows)
    return 0


def _queries():
    from assets.shared.settings import load_settings, require_home
    from pipelines.metric_queries import published_queries

    settings = load_settings()
    require_home(settings)
    return published_queries(settings)


def _plain(value: object) -> float | str:
    """What JSON has no type for: amounts as numbers, days as texts."""
    return float(value) if isinstance(value, Decimal) else str(value)
