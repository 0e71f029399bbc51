"""`holdfast explain-decision PERSON DATE`: why somebody was or was not contacted, for the person who asks."""

import argparse
import json

from pipelines.argument_types import add_parser, as_date, home_option


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "explain-decision",
        help="why a customer was or was not contacted on a date, in English and Chinese",
        description="From what was published as of that date: the decision, its reason, what was considered, and the"
        " score and the consent that it rested on.",
        examples=["explain-decision 1044 2024-09-10", "explain-decision 1044 2024-09-10 --language zh"],
        parents=[home_option()],
    )
    parser.set_defaults(command=_explain)
    parser.add_argument("customer_id", metavar="PERSON", help="the id as the source has it")
    parser.add_argument("day", type=as_date, metavar="DATE", help="as-of date of the night")
    parser.add_argument("--language", choices=("en", "zh"), help="one language; default: both")
    parser.add_argument("--json", action="store_true", help="the texts by language, as one JSON object")


def _explain(arguments: argparse.Namespace) -> int:
    from assets.shared.settings import load_settings, require_home
    from pipelines.explained_decision import LANGUAGES, explain, read_decision

    settings = load_settings()
    require_home(settings)
    decision = read_decision(settings, arguments.customer_id, arguments.day)
    languages = (arguments.language,) if arguments.language else LANGUAGES
    texts = {language: explain(decision, language) for language in languages}
    print(json.dumps(texts, ensure_ascii=False, indent=1) if arguments.json else "\n\n".join(texts.values()))
    return 0
