"""`holdfast release`: publish a blocked night all the same, deliberately, with a reason that everybody can read."""

import argparse
import sys

from assets.shared.commands import command
from assets.shared.errors import UserError
from pipelines.argument_types import add_parser, as_date, home_option


def add_command(commands) -> None:
    """Declare the command."""
    command = add_parser(
        commands,
        "release",
        help="publish a blocked night all the same, with a recorded reason",
        description="Publish the kept blocked set of a blocked night. Your user name and the reason are written into "
        "run_manifest and data_quality of the set. Without --run, lists the blocked sets.",
        examples=["release --list", 'release --as-of 2017-12-01 --run RUN_ID --reason "the shops were closed"'],
        parents=[home_option()],
    )
    command.set_defaults(command=_release)
    command.add_argument("--as-of", type=as_date, metavar="DATE", help="as-of date of the blocked night")
    command.add_argument("--run", metavar="RUN", help="its run id, as the blocked run said it")
    command.add_argument("--reason", default="", help="why these numbers may be shown; must not be empty")
    command.add_argument("--list", action="store_true", help="list the blocked sets and where their pages are")


def _release(arguments: argparse.Namespace) -> int:
    from assets.publish.blocked_sets import blocked_sets
    from assets.shared.settings import load_settings, require_home

    settings = load_settings()
    require_home(settings)
    if arguments.list or (arguments.run is None and arguments.as_of is None):
        kept = blocked_sets(settings)
        for blocked_set in kept:
            print(f"--as-of {blocked_set.night.as_of_date} --run {blocked_set.night.run_id}\n  {blocked_set.page}")
        if not kept:
            print("no blocked night is waiting")
        return 0
    if arguments.run is None or arguments.as_of is None:
        remedy = f"`{command('release', '--list')}` shows them"
        raise UserError("a release names its night by both --as-of and --run", remedy)

    from assets.publish.defs import declared_marts
    from assets.publish.published_set import Signature
    from assets.publish.release_ledger import SetId
    from assets.publish.releases import releasable, release_night
    from assets.shared.lock import home_lock
    from assets.shared.params import load_params
    from assets.shared.private_files import files_for_readers
    from pipelines.current_user import current_user, parsed_project

    # Refused at once what is refused anyway: the project takes seconds to read.
    night, signature = SetId(arguments.as_of, arguments.run), Signature("released", current_user(), arguments.reason)
    releasable(settings, night, signature)
    project = parsed_project(settings)
    with home_lock(settings, on_wait=lambda words: print(words, file=sys.stderr)), files_for_readers():
        report = release_night(settings, night, declared_marts(project), signature, load_params().publish_keep_sets)
    for words in report.warnings:
        print(f"warning: {words}", file=sys.stderr)
    where = "schemas marts and history" if report.is_current else "schema history (it is older than the shown date)"
    print(f"released: {report.as_of_date} of run {report.run_id} is now in {where}, on {' and '.join(report.targets)}")
    return 0
