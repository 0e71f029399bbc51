"""`holdfast plan`: tonight's plan with another playbook, before it is saved."""

import argparse
from pathlib import Path

from pipelines.argument_types import add_parser, home_option


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "plan",
        help="compare tonight's plan with that of a changed playbook",
        description="Makes the plan of the last night again with the tables of a folder, and says who would enter, who"
        " would leave, and what it would earn. Changes nothing.",
        examples=["plan --what-if my_playbook/"],
        parents=[home_option()],
    )
    parser.set_defaults(command=_plan)
    parser.add_argument(
        "--what-if",
        required=True,
        type=Path,
        metavar="FOLDER",
        help="changed copies of tables of dbt_project/seeds, such as playbook_actions.csv",
    )
    parser.add_argument("--show", type=int, default=10, metavar="N", help="customers of each kind (default 10)")


def _plan(arguments: argparse.Namespace) -> int:
    from assets.shared.settings import load_settings, require_home
    from pipelines.what_if import text_of, what_if

    settings = load_settings()
    require_home(settings)
    print(text_of(what_if(settings, arguments.what_if), arguments.show))
    return 0
