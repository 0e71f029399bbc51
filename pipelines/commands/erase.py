"""`holdfast erase`: forget a person, in every place of the home."""

import argparse
from pathlib import Path

from pipelines.argument_types import add_parser, home_option
from pipelines.log_lines import say


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "erase",
        help="forget a person, in every file of the home and in Postgres",
        description="Rows of the person stay in the sums under a random pseudonym, without personal columns; nothing"
        " else of them is left. Who comes again in an old extract is dropped. A call that was killed goes on when the"
        " command is given again, without a person too. Persons in HOME/legal_holds.csv (customer_id, reason, until)"
        " are refused.",
        examples=["erase --person 1044 --basis 'GDPR 17(1)(b)'", "erase --requests requests.csv"],
        parents=[home_option()],
    )
    parser.set_defaults(command=_erase)
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--person", metavar="ID", help="the id as the source has it; all ids of the person are erased")
    who.add_argument("--requests", type=Path, metavar="FILE", help="a CSV file with the columns customer_id and basis")
    parser.add_argument("--basis", metavar="TEXT", help="why the person may ask; kept in the ledger of erasures")
    parser.add_argument("--legal-holds", type=Path, metavar="FILE", help="instead of HOME/legal_holds.csv")
    parser.add_argument("--retrain", action="store_true", help="train a fresh model afterwards, as of the shown night")


def _erase(arguments: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from assets.shared.errors import UserError
    from assets.shared.settings import load_settings, require_home
    from pipelines.current_user import current_user, parsed_project
    from pipelines.erasure.erase import erase
    from pipelines.erasure.journal import read_journal
    from pipelines.erasure.persons import HOLDS, Request, read_holds, read_requests

    settings = load_settings()
    require_home(settings)
    if arguments.person and not (arguments.basis or "").strip():
        raise UserError("--person without --basis", "say why the person may ask: --basis 'GDPR 17(1)(b)'")
    if arguments.person:
        requests = [Request(arguments.person, arguments.basis.strip())]
    elif arguments.requests:
        requests = read_requests(arguments.requests)
    elif read_journal(settings.home) is not None:
        requests = []
    else:
        raise UserError("nobody is named", "write --person ID --basis TEXT, or --requests FILE")

    def marts():
        from assets.publish.defs import declared_marts

        return declared_marts(parsed_project(settings))

    today = datetime.now(UTC).date()
    if arguments.legal_holds and not arguments.legal_holds.exists():
        raise UserError(f"{arguments.legal_holds} is not there", "name the file of legal holds")
    holds = read_holds(arguments.legal_holds or settings.home / HOLDS, today)
    done = erase(settings, requests, holds, lambda words: say(f"  {words}"), marts, by=current_user())
    for person, reason in done.refused.items():
        print(f"refused: {person} is on legal hold: {reason}")
    for area, facts in done.by_area.items():
        theirs, before, after = (f"{facts[f'rows_{name}']:,}" for name in ("of_persons", "before", "after"))
        print(f"{area}: {facts['files']} files rewritten, {theirs} rows of them, {before} rows before, {after} after")
    for name in done.not_rewritten:
        print(f"NOT REWRITTEN: {name} holds something of them; take the file away")
    for person in done.not_found:
        print(f"NOT FOUND: no accepted row names {person}: give the id as it is in customer_360, hashed where ids are")
    print(f"{done.n_persons} persons ({done.n_ids} ids) erased in {done.seconds:.1f} s")
    if done.models:
        print(f"models that learned from them, of which they hold no identifier: {', '.join(done.models)}")
    if arguments.retrain and done.models:
        return _retrain(settings)
    return 1 if done.refused or done.not_rewritten or done.not_found else 0


def _retrain(settings) -> int:
    from assets.shared.published_history import shown_contents
    from pipelines.launch import run_job

    contents = shown_contents(settings)
    if contents is None:
        return 0
    return 0 if run_job("retrain", settings, [contents.as_of_date], {}) else 1
