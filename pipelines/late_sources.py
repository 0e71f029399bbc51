"""Which sources are late: what they should have delivered by now, and have not.

In: the batches on disk, what each source usually delivers, today's date. Out: one sentence a source and the notice that
carries them. A run without a date goes by the last day that every source has, so an extract that did not come would
only make it compute the same date again; this is what says so. A run of a given date is stopped by the guard instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from assets.ingest.batches import read_batches
from assets.ingest.extract_guard import DayVerdict, judge_extracts
from assets.ingest.raw_views import accepted_rows_by_day
from assets.ingest.sources import Source, resolve_sources
from assets.shared.settings import Settings
from pipelines.notices import Notice

#: Where no cadence is declared, a source that has been silent for longer than this has ended.
LEARNED_DAYS = 31


@dataclass(frozen=True)
class LateSource:
    """A source with bad days at its end: the last good day, the days that lack, oldest first."""

    source: str
    last_good: date
    missing: tuple[DayVerdict, ...]

    def words(self) -> str:
        first, last = self.last_good + timedelta(days=1), self.missing[-1]
        days = f"for {first}" if first == last.day else f"from {first} to {last.day}"
        kinds = " or ".join(sorted({verdict.verdict for verdict in self.missing}))
        return (
            f"source {self.source} is late: it is complete up to {self.last_good}, and its extract {days} is {kinds} "
            f"({last.day}: {last.reason})"
        )


def find_late_sources(settings: Settings, today: date) -> list[LateSource]:
    """The sources that lack days which others have, or which they should have delivered by `today`."""
    sources = resolve_sources(settings.sources)
    rows = {s.name: accepted_rows_by_day(read_batches(settings, [s.name], "transactions")) for s in sources}
    ends = [max(days) for days in rows.values() if days]
    newest = max(ends, default=today) + timedelta(days=1)
    return [b for s in sources if (b := _late_source(s, rows[s.name], newest, today)) is not None]


def _late_source(source: Source, rows: dict[date, int], newest: date, today: date) -> LateSource | None:
    past = {day: n for day, n in rows.items() if day < today}
    if source.expects is None or not past:
        return None
    last = max(past)
    is_current = source.expects.every_days is not None or (today - last).days <= LEARNED_DAYS
    # Against the other sources at any time; against the clock only while something is still expected.
    by = today if is_current else min(newest, today)
    if source.complete_through is not None:
        by = min(by, source.complete_through + timedelta(days=1))
    missing = tuple(v for v in judge_extracts(past, by, source.expects) if v.is_blocking)
    if not missing:
        return None
    good = [day for day in past if day < missing[0].day]
    return LateSource(source.name, max(good, default=last), missing)


def late_notice(found: Sequence[LateSource]) -> Notice | None:
    """What to report about sources that are late; None when none is."""
    if not found:
        return None
    return Notice(
        "source_late",
        "; ".join(b.words() for b in found) + ".",
        "Deliver the missing files and run again; or, if that is right, say so in the source's YAML (`expects`, "
        "`closed_on`).",
    )
