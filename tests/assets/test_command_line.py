"""What the command line says of itself: order, descriptions, examples that work, exit codes."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from pipelines.cli import COMMANDS, EXIT_CODES, _parser, main

OPERATING = Path(__file__).resolve().parents[2] / "docs" / "operating.md"


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Every command and every action of one, by its words."""
    found = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                found |= {name: command} | {f"{name} {below}": c for below, c in commands(command).items()}
    return found


ALL = commands(_parser())


@pytest.mark.parametrize("name", ALL)
def test_every_help_page_describes_and_gives_examples_that_are_understood(name):
    page = ALL[name].format_help()
    assert ALL[name].description and len(ALL[name].description) > 40
    examples = re.findall(r"^  holdfast (.+?)(?: {2,}#.*)?$", page, re.MULTILINE)
    assert examples
    for example in examples:
        words = shlex.split(example)
        assert callable(_parser().parse_args(words).command)
        assert example.startswith(name)


def test_commands_come_in_the_order_of_use():
    listed = [name for name in ALL if " " not in name]
    for earlier, later in zip(
        ["connect", "check-source", "init", "run", "status", "doctor", "release"],
        ["check-source", "init", "run", "status", "doctor", "release", "prune"],
        strict=True,
    ):
        assert listed.index(earlier) < listed.index(later)
    assert len(COMMANDS) == len(set(COMMANDS))


def test_exit_codes_are_in_the_help_and_in_the_guide():
    page, guide = " ".join(_parser().format_help().split()), OPERATING.read_text()
    for code, words in EXIT_CODES.items():
        assert f"{code} {words}" in page
        assert f"| {code} | {words} |" in guide


@pytest.mark.parametrize(
    "words", [["--home", "shop", "status"], ["status", "--home", "shop"], ["--home", "no", "status", "--home", "shop"]]
)
def test_the_home_may_stand_before_or_after_the_command(words):
    arguments = _parser().parse_args(words)
    assert arguments.home == Path("shop") and arguments.uses_home


def test_a_command_without_a_home_refuses_one(tmp_path, capsys):
    assert main(["--home", str(tmp_path), "connect", str(tmp_path)]) == 2
    assert "works on files and no home" in capsys.readouterr().err
