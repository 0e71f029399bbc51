"""What a run says: to a person, to cron, to a log collector."""

import json
import sys

import pytest

from pipelines import log_lines
from pipelines.log_lines import say


@pytest.fixture
def style(capsys):
    """Sets the style for one test; what was said comes from `capsys`."""
    yield log_lines.set_style
    log_lines.set_style("text")


def test_a_person_reads_every_line_and_no_field(style, capsys):
    style("text")
    say("one", rows=3)
    say("two", "warning")
    assert capsys.readouterr().err == "one\ntwo\n"


@pytest.mark.parametrize(("level", "is_said"), [("info", False), ("warning", True), ("error", True)])
def test_cron_reads_what_needs_a_person(style, capsys, level, is_said):
    style("quiet")
    say("words", level)
    assert capsys.readouterr().err == ("words\n" if is_said else "")


def test_every_line_is_an_object_whoever_wrote_it(style, capsys):
    style("json")
    say("  table done", event="table", rows=3)
    print("of a library", file=sys.stderr)
    sys.stderr.write("in two ")
    sys.stderr.write("parts")
    sys.stderr.flush()
    say("error: über\n  remedy: none", "error")
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(s["level"], s["text"]) for s in said] == [
        ("info", "table done"),
        ("info", "of a library"),
        ("info", "in two parts"),
        ("error", "error: über\n  remedy: none"),
    ]
    assert (said[0]["event"], said[0]["rows"]) == ("table", 3) and all(s["at"].endswith("+00:00") for s in said)
