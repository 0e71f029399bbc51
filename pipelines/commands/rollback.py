"""`holdfast rollback`: show an earlier published set again, in every target."""

import argparse
import sys

from assets.shared.commands import command
from pipelines.argument_types import add_parser, home_option


def add_command(commands) -> None:
    """Declare the command."""
    command = add_parser(
        commands,
        "rollback",
        help="show an earlier published set again, in every target",
        description="Without arguments: back to the set before. Publishing is then on hold: nights run and are kept as "
        "blocked sets, until a release shows one or `--resume` ends the hold.",
        examples=["rollback --list", 'rollback --reason "prices were wrong"', "rollback --resume"],
        parents=[home_option()],
    )
    command.set_defaults(command=_rollback)
    what = command.add_mutually_exclusive_group()
    what.add_argument("--to", metavar="RUN_ID", help="the run whose set is to be shown")
    what.add_argument("--list", action="store_true", help="list the sets that can be shown")
    what.add_argument("--resume", action="store_true", help="end the hold: the next passing night is published again")
    command.add_argument("--reason", default="", help="why; kept in the ledger of releases")


def _rollback(arguments: argparse.Namespace) -> int:
    from assets.publish.marts import NO_MARTS
    from assets.publish.release_ledger import ReleaseLedger, hold_publishing
    from assets.publish.rollback import kept_sets, resume_publishing, roll_back
    from assets.shared.lock import home_lock
    from assets.shared.private_files import files_for_readers
    from assets.shared.settings import load_settings, require_home
    from pipelines.current_user import current_user, parsed_project

    settings = load_settings()
    require_home(settings)
    if arguments.list:
        for kept in kept_sets(settings):
            marks = " <- shown" if kept.is_shown else " (withdrawn)" if kept.is_withdrawn else ""
            marks += " (changed since by a program that opened it for writing)" if kept.is_changed else ""
            print(f"{kept.night.as_of_date}  {kept.night.run_id}  published {kept.shown_at}{marks}")
        held = hold_publishing(ReleaseLedger(settings).events())
        if held:
            print(f"publishing is on hold since {held.at}, by {held.by or 'somebody'}: {held.reason or 'no reason'}")
        return 0
    with home_lock(settings, on_wait=lambda words: print(words, file=sys.stderr)), files_for_readers():
        if arguments.resume:
            ended = resume_publishing(settings, current_user(), arguments.reason)
            print("the next passing night is published again" if ended else "publishing was not on hold")
            return 0
        marts = NO_MARTS
        if settings.publish_postgres:
            from assets.publish.defs import declared_marts

            marts = declared_marts(parsed_project(settings))
        left, now = roll_back(settings, current_user(), arguments.to, arguments.reason, marts)
    if left.night == now.night:
        print(f"{now.night} was shown already; publishing is on hold")
    else:
        print(f"back from {left.night} to {now.night}; publishing is on hold")
    print(
        f"nights are kept as blocked sets until you show one ({command('release', '--list')}) or end the hold "
        f"({command('rollback', '--resume')})"
    )
    return 0
