"""Values on the command line, good and bad, as every command reads them."""

from argparse import ArgumentTypeError
from datetime import date

import pytest

from pipelines.argument_types import as_count, as_date
from pipelines.cli import main


def test_a_date_is_read_as_it_is_written():
    assert as_date("2024-02-29") == date(2024, 2, 29)


@pytest.mark.parametrize("text", ["2023-02-29", "29.02.2024", "today", ""])
def test_what_is_no_date_is_named(text):
    with pytest.raises(ArgumentTypeError, match="write YYYY-MM-DD"):
        as_date(text)


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--as-of", "x"],
        ["run", "--from", "x"],
        ["retrain", "--as-of", "x"],
        ["release", "--as-of", "x"],
        ["simulate", "--lines", "1", "--customers", "1", "--out", "x", "--start", "x"],
    ],
)
def test_every_command_says_it_alike(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2 and "'x' is no date; write YYYY-MM-DD" in capsys.readouterr().err


def test_a_count_is_one_or_more():
    assert as_count("1") == 1


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "²", "many", ""])
def test_what_is_no_count_is_named(text):
    with pytest.raises(ArgumentTypeError, match="is no whole number from 1"):
        as_count(text)
