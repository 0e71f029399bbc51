"""`holdfast doctor`: what keeps a home from its next night, with a remedy for each."""

import argparse
import json
from dataclasses import asdict

from pipelines.argument_types import add_parser, home_option


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "doctor",
        help="check versions, home, sources, locks, readers and Dagster, with a remedy for each finding",
        description="Looks and changes nothing. Exit code 1 where something keeps a night from running or readers from"
        " reading, else 0; warnings and notes are printed.",
        examples=["doctor", "doctor --home shop --json"],
        parents=[home_option()],
    )
    parser.set_defaults(command=_doctor)
    parser.add_argument("--json", dest="as_json", action="store_true", help="the findings as a JSON list")


def _doctor(arguments: argparse.Namespace) -> int:
    from pipelines.doctor import examine, text_of

    findings = examine()
    if arguments.as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1, ensure_ascii=False))
    else:
        print(text_of(findings))
    return 1 if any(finding.level == "error" for finding in findings) else 0
