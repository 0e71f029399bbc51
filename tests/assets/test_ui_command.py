"""`holdfast ui` hands over to Dagster."""

import os
import signal

import pytest

from pipelines.cli import main


@pytest.fixture
def started(monkeypatch) -> list:
    """What would have been started, with the handler of SIGINT at that moment."""
    found: list = []
    monkeypatch.setattr(os, "execv", lambda path, words: found.append((words, signal.getsignal(signal.SIGINT))))
    before = signal.getsignal(signal.SIGINT)
    yield found
    signal.signal(signal.SIGINT, before)


def test_started_in_the_background_it_still_ends_at_a_signal(home, started):
    """A shell starts jobs in the background with SIGINT ignored, and Dagster gives SIGTERM the same handler."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert main(["ui", "--port", "3456"]) == 0
    ((words, handler),) = started
    assert words[0].endswith("dagster") and words[1] == "dev" and words[-2:] == ["--port", "3456"]
    assert handler == signal.SIG_DFL


def test_one_part_alone_is_another_program(home, started):
    assert main(["ui", "--only", "daemon"]) == 0
    assert started[0][0][0].endswith("dagster-daemon")
