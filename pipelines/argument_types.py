"""What all commands share: how one is declared, and types of arguments (text in, value or an error in words out)."""

import argparse
import textwrap
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

#: Of the text in help pages, in columns.
WIDTH = 80


def home_option() -> argparse.ArgumentParser:
    """The option `--home`, to be a parent of the parser of a command that works on a home."""
    option = argparse.ArgumentParser(add_help=False)
    option.set_defaults(uses_home=True)
    add_home(option, argparse.SUPPRESS)
    return option


def add_home(parser: argparse.ArgumentParser, default: str | None) -> None:
    """The option itself. `default` is suppressed in a command, so that a home named before the command stays."""
    parser.add_argument(
        "--home",
        type=Path,
        metavar="PATH",
        default=default,
        help="folder of the business; default: HOLDFAST_HOME, else the folder data where you are",
    )


def as_date(text: str) -> date:
    """A date YYYY-MM-DD."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; write YYYY-MM-DD") from None


def as_count(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def add_parser(
    commands: Any, name: str, help: str, description: str, examples: Sequence[str], parents: Sequence[Any] = ()
) -> argparse.ArgumentParser:
    """Declare a command. `help` is its line in the list of commands, `description` what it does in sentences,
    `examples` the words after the program's name of calls that work."""
    return commands.add_parser(
        name,
        parents=parents,
        help=help,
        description=textwrap.fill(description, WIDTH),
        epilog="\n  ".join(["example:" if len(examples) == 1 else "examples:", *(f"holdfast {e}" for e in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
