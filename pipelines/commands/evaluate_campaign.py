"""`holdfast evaluate-campaign`: what a randomised campaign from outside changed, and whom to contact next time."""

import argparse
from pathlib import Path

from assets.shared.errors import UserError
from pipelines.argument_types import add_parser


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "evaluate-campaign",
        help="say what a randomised campaign from outside changed, and whom to contact next time",
        description="Reads one table with a row a person: the arm that a lot assigned, the outcome, and columns that"
        " were known before the contact. Writes a page, pictures and tables. Reads and writes no home.",
        examples=["evaluate-campaign mailing.csv --arm arm --outcome bought --revenue spend --cost 0.4"],
    )
    parser.set_defaults(command=_evaluate)
    parser.add_argument("table", type=Path, metavar="TABLE", help="CSV or Parquet file with one row a person")
    parser.add_argument("--arm", required=True, metavar="COLUMN", help="who got what, by lot")
    parser.add_argument("--control", metavar="VALUE", help="the arm that got nothing; default: guessed from its name")
    parser.add_argument("--outcome", required=True, metavar="COLUMN", help="1 for who stayed or bought, 0 for the rest")
    parser.add_argument("--revenue", metavar="COLUMN", help="money a person brought afterwards")
    parser.add_argument("--margin", type=_share, default=1.0, help="share of the revenue that is profit (default 1)")
    parser.add_argument("--value", type=float, metavar="MONEY", help="what one outcome is worth, without --revenue")
    parser.add_argument(
        "--cost", default="0", metavar="MONEY_OR_COLUMN", help="of a contacted person: a number, or a column of costs"
    )
    parser.add_argument(
        "--covariates", nargs="+", default=[], metavar="COLUMN", help="known before the contact; default: all others"
    )
    parser.add_argument("--ignore", nargs="+", default=[], metavar="COLUMN", help="of no use, or measured afterwards")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="default: TABLE's name with -evaluation")


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share above 0 and up to 1")
    return share


def _evaluate(arguments: argparse.Namespace) -> int:
    from campaigns.covariates import without_late_columns
    from campaigns.page import write_page
    from campaigns.policies import Terms, evaluate
    from campaigns.table import Columns, read_campaign

    if arguments.revenue and arguments.value is not None:
        raise UserError("--revenue and --value are two answers to what an outcome is worth", "give one of them")
    cost, cost_column = _cost(arguments.cost)
    if not arguments.revenue and arguments.value is None and (cost or cost_column):
        raise UserError("a cost without what an outcome is worth", "add --revenue COLUMN or --value MONEY")
    out = arguments.out or arguments.table.with_name(arguments.table.name.split(".")[0] + "-evaluation")
    _require_own_folder(out)
    columns = Columns(
        arm=arguments.arm,
        outcome=arguments.outcome,
        control=arguments.control,
        revenue=arguments.revenue,
        cost=cost_column,
        covariates=tuple(arguments.covariates),
        ignore=tuple(arguments.ignore),
    )
    campaign, balance = without_late_columns(read_campaign(arguments.table, columns))
    found = evaluate(campaign, Terms(arguments.value, arguments.margin, cost))
    print(write_page(out, f"Campaign {arguments.table.name}", campaign, balance, found))
    print(f"written to {out}")
    return 0


def _cost(text: str) -> tuple[float, str | None]:
    """(money a contacted person, or the name of a column)"""
    try:
        return float(text), None
    except ValueError:
        return 0.0, text


def _require_own_folder(out: Path) -> None:
    """A folder that holds anything but an earlier evaluation is not replaced."""
    if out.exists() and not (out / "page.md").is_file():
        raise UserError(f"{out} is already there and holds no evaluation", "name another folder with --out")
