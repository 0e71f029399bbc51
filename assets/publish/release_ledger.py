"""What became of every set: published, blocked, released by a person, rolled back. A file that only grows.

In: events. Out: `ledgers/releases.jsonl`, one JSON object a line, replaced as a whole so that no half line is ever
read; and the answers that follow from it: which sets were published, which were withdrawn, is publishing on hold.
Which set readers see is not decided here (`current_link`); where the two differ after a kill, the link is right.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Literal

from assets.shared.files import write_whole
from assets.shared.settings import Settings

Kind = Literal["published", "blocked", "released", "rolled_back", "resumed"]


@dataclass(frozen=True)
class SetId:
    """The night whose tables a set shows in schema `marts`."""

    as_of_date: date
    run_id: str

    def __str__(self) -> str:
        return f"{self.as_of_date} of run {self.run_id}"


@dataclass(frozen=True)
class Event:
    """One thing that happened. `shown` is the night in schema `marts` (of a blocked one: the night itself), `file` the
    name of the set's folder ('' where there is none), `by` the user of the operating system, `at` UTC."""

    kind: Kind
    shown: SetId
    file: str = ""
    by: str = ""
    reason: str = ""
    at: str = ""


class ReleaseLedger:
    """The file, read again at each question."""

    def __init__(self, settings: Settings):
        self.path = settings.ledgers / "releases.jsonl"

    def events(self) -> list[Event]:
        """All events, oldest first."""
        if not self.path.exists():
            return []
        return [_event(json.loads(line)) for line in self.path.read_text(encoding="utf-8").splitlines() if line]

    def append(self, kind: Kind, shown: SetId, file: str = "", by: str = "", reason: str = "") -> None:
        """Add one event, durably."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        events = [*self.events(), Event(kind, shown, file, by, reason, at)]
        write_whole(self.path, "".join(_line(event) + "\n" for event in events))


def shown_sets(events: Sequence[Event]) -> list[str]:
    """Sets that readers have seen, in the order in which they were first shown."""
    return list(dict.fromkeys(e.file for e in events if e.kind in ("published", "released", "rolled_back")))


def last_shown(events: Sequence[Event]) -> str | None:
    """The set that readers see according to the ledger; None before the first publish."""
    return next((e.file for e in reversed(events) if e.kind in ("published", "released", "rolled_back")), None)


def withdrawn_sets(events: Sequence[Event]) -> set[str]:
    """Sets that a rollback left behind and nobody has chosen again since."""
    withdrawn: set[str] = set()
    current: str | None = None
    order: list[str] = []
    for event in events:
        if event.kind in ("published", "released"):
            order = [name for name in order if name != event.file] + [event.file]
        elif event.kind == "rolled_back":
            if event.file in order and current in order and order.index(event.file) < order.index(current):
                withdrawn |= set(order[order.index(event.file) + 1 :])
            withdrawn.discard(event.file)
        else:
            continue
        current = event.file
    return withdrawn


def hold_publishing(events: Sequence[Event]) -> Event | None:
    """The rollback that keeps nights from being published, None when they may be. A rollback holds until a person
    resumes publishing or releases a blocked set."""
    for event in reversed(events):
        if event.kind == "rolled_back":
            return event
        if event.kind in ("released", "resumed"):
            return None
    return None


def _line(event: Event) -> str:
    facts = asdict(event)
    shown = facts.pop("shown")
    return json.dumps({**facts, "as_of_date": shown["as_of_date"].isoformat(), "run_id": shown["run_id"]})


def _event(facts: dict) -> Event:
    shown = SetId(date.fromisoformat(facts.pop("as_of_date")), facts.pop("run_id"))
    # A set of an earlier version was a file; its folder has the name without the ending.
    return Event(shown=shown, **{**facts, "file": facts["file"].removesuffix(".duckdb")})
