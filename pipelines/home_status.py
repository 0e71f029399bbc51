"""A home in one look: what readers see, what waits, what is blocked, what it takes on disk.

In: settings and today's date on the clock of the business. Out: a `HomeStatus`, and its text. Reads small files only,
no table, and changes nothing.
"""

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from assets.publish.blocked_sets import BlockedSet, blocked_sets
from assets.publish.release_ledger import Event, ReleaseLedger, hold_publishing
from assets.shared.commands import command
from assets.shared.lock import lock_holder
from assets.shared.published_history import shown_contents
from assets.shared.retention import Period, periods_of
from assets.shared.settings import Settings
from pipelines.late_sources import find_late_sources
from pipelines.retention import last_sweep, words_of

#: Files of the last days count as growth.
GROWTH_DAYS = 7


@dataclass(frozen=True)
class Part:
    """A file or folder of the home, in bytes. `grown`: of files written within the last GROWTH_DAYS days."""

    name: str
    size: int
    grown: int


@dataclass(frozen=True)
class HomeStatus:
    """One home at one moment."""

    home: Path
    today: date
    running: str | None  # number of the process that holds the home
    as_of_date: date | None  # what readers see
    run_id: str | None
    published_at: str | None  # UTC
    late: list[str]  # a sentence a source that has not delivered
    held: Event | None  # the rollback that keeps nights from being published
    blocked: list[tuple[BlockedSet, str]]  # with the first reason
    parts: list[Part]
    periods: list[Period]  # how long each store is kept
    last_sweep: dict[str, Any] | None  # what went last, counts by store

    @property
    def days_old(self) -> int | None:
        """Days from the shown as-of date to today. A night as of today is as new as can be."""
        return None if self.as_of_date is None else (self.today - self.as_of_date).days


def status_of(settings: Settings, today: date) -> HomeStatus:
    """Raises UserError when what readers see cannot be read."""
    contents = shown_contents(settings)
    events = ReleaseLedger(settings).events()
    shown = [e for e in events if e.kind in ("published", "released", "rolled_back")]
    return HomeStatus(
        home=settings.home,
        today=today,
        running=lock_holder(settings.home),
        as_of_date=None if contents is None else contents.as_of_date,
        run_id=None if contents is None else contents.run_id,
        published_at=shown[-1].at if shown else None,
        late=[late.words() for late in find_late_sources(settings, today)],
        held=hold_publishing(events),
        blocked=[(blocked_set, first_reason(blocked_set.page)) for blocked_set in blocked_sets(settings)],
        parts=parts_of(settings.home, datetime.now(UTC).timestamp()),
        periods=list(periods_of(settings.home).values()),
        last_sweep=last_sweep(settings.home),
    )


def first_reason(page: Path) -> str:
    """The first failure that the page of a blocked night reports."""
    lines = page.read_text(encoding="utf-8").splitlines() if page.is_file() else []
    return next((line.removeprefix("* ").replace("**", "") for line in lines if line.startswith("* ")), "see its page")


def parts_of(home: Path, now: float) -> list[Part]:
    """The folders and files of a home, largest first; files with several names count once."""
    found, seen = [], set()
    for entry in sorted(home.iterdir()):
        size = grown = 0
        files = [Path(folder) / name for folder, _, names in os.walk(entry) for name in names]
        for path in files if entry.is_dir() else [entry]:
            try:
                facts = path.lstat()
            except FileNotFoundError:
                continue  # a run that goes on has removed it
            if (facts.st_dev, facts.st_ino) not in seen:
                seen.add((facts.st_dev, facts.st_ino))
                size += facts.st_size
                grown += facts.st_size if now - facts.st_mtime < GROWTH_DAYS * 86_400 else 0
        found.append(Part(entry.name, size, grown))
    return sorted(found, key=lambda part: (-part.size, part.name))


def text_of(status: HomeStatus) -> str:
    """The status as lines for a terminal."""
    lines = [f"Home {status.home}, {status.today}", *_readers(status)]
    if status.running:
        lines.append(f"Running: process {status.running} holds the home.")
    if status.held:
        lines.append(
            f"On hold since {_minute(status.held.at)}: nights are kept as blocked sets"
            f" ({status.held.reason or 'no reason'}). To end it: {command('rollback', '--resume')}"
        )
    lines += [f"Late: {words}." for words in status.late]
    lines.append("Blocked nights: none" if not status.blocked else "Blocked nights:")
    for blocked_set, reason in status.blocked:
        lines += [f"  {blocked_set.night.as_of_date} of run {blocked_set.night.run_id}: {reason}",
                  f"      {blocked_set.page}"]  # fmt: skip
    total = sum(part.size for part in status.parts)
    grown = sum(part.grown for part in status.parts)
    lines.append(f"On disk: {_bytes(total)}, of which {_bytes(grown)} written within {GROWTH_DAYS} days")
    lines += [f"  {part.name:<20}{_bytes(part.size):>10}{_bytes(part.grown):>12}" for part in status.parts if part.size]
    lines.append(
        "Kept: " + ", ".join(f"{p.store} {'for ever' if p.days is None else _days(p.days)}" for p in status.periods)
    )
    if status.last_sweep is not None:
        lines.append(f"Removed on {status.last_sweep['today']}: {words_of(status.last_sweep['removed'])}")
    return "\n".join(lines)


def facts_of(status: HomeStatus) -> dict[str, object]:
    """The status for a program, ready for JSON."""
    return {
        "home": str(status.home),
        "today": status.today.isoformat(),
        "running": status.running,
        "as_of_date": status.as_of_date and status.as_of_date.isoformat(),
        "run_id": status.run_id,
        "published_at": status.published_at,
        "days_old": status.days_old,
        "is_on_hold": status.held is not None,
        "late": status.late,
        "blocked": [
            {"as_of_date": b.night.as_of_date.isoformat(), "run_id": b.night.run_id, "reason": reason}
            for b, reason in status.blocked
        ],
        "kept_days": {period.store: period.days for period in status.periods},
        "last_removed": status.last_sweep,
        "bytes": {part.name: part.size for part in status.parts},
    }


def _readers(status: HomeStatus) -> list[str]:
    if status.as_of_date is None:
        return [f"Readers see nothing yet. To change that: {command('run')}"]
    days = "today" if not status.days_old else "1 day ago" if status.days_old == 1 else f"{status.days_old} days ago"
    return [
        f"Readers see {status.as_of_date} ({days}), run {status.run_id}, shown since {_minute(status.published_at)}."
    ]


def _days(n: int) -> str:
    return "1 day" if n == 1 else f"{n} days"


def _bytes(n: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if n >= size:
            return f"{n / size:,.1f} {unit}"
    return f"{n / 1000:,.0f} kB"


def _minute(at: str | None) -> str:
    """A moment of the ledger, to the minute."""
    return f"{at[:10]} {at[11:16]} UTC" if at else "an unknown moment"
