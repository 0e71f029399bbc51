"""Types of command-line arguments: text in, value out, an error in words for argparse to show."""

import argparse
from datetime import date
from pathlib import Path


def home_option() -> argparse.ArgumentParser:
    """The option `--home`, to be a parent of a command's parser."""
    option = argparse.ArgumentParser(add_help=False)
    option.add_argument(
        "--home",
        type=Path,
        metavar="PATH",
        help="folder of the business; default: HOLDFAST_HOME, else the folder data where you are",
    )
    return option


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
