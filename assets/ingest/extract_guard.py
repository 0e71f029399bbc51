"""Did a source deliver what it usually does? An extract that is missing or cut short must not look like customers
who stopped buying.

In: rows a day of one source, an as-of date, and what is expected of the source. Out: one `DayVerdict` for each of the
last days before the date. The verdict of a day compares it with earlier days of the same weekday, or, where a delivery
comes every few days, its period with earlier periods. Pure: nothing is read or written here.

Only an unbroken run of bad days up to the as-of date blocks: those are the days on which everybody would look silent.
A hole further back, which later days have followed, is a warning.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from statistics import median
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from assets.ingest.mapping.language import Key, Keys, Mistake, Texts

#: Days before the as-of date that are judged and shown.
SHOWN_DAYS = 28

#: Earlier days or periods to compare with, and the fewest that allow a judgement.
N_EARLIER, LEAST_EARLIER = 8, 4

#: Learned, not declared: an empty day is missing only where such a day usually has so many rows, all of them did, and a
#: full day is short only below this share of the usual and half of the least. Chance and slow seasons stay inside.
LEARNED_ABSENT_FROM, LEARNED_SHORT_FROM, LEARNED_SHARE = 20, 100, 0.2

#: A business too small for that is silent when it sells nothing for longer than this many times its longest silence.
SILENCE_FACTOR, SILENCE_LOOKBACK_DAYS, LEAST_HISTORY_DAYS = 2, 180, 60

#: A weekday without a row in this many weeks is closed where the weekdays that have some mostly have them.
OPEN_SHARE = 0.5

Verdict = Literal["ok", "absent", "short", "closed", "no_judgement"]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


#: `2024-08-05..2024-08-25`: a closure, both days included.
_RANGE = re.compile(r"(\d{4}-\d\d-\d\d)\s*\.\.\s*(\d{4}-\d\d-\d\d)")


def _known_days(days: tuple[str, ...]) -> tuple[str, ...]:
    for day in days:
        if found := _RANGE.fullmatch(day):
            try:
                if date.fromisoformat(found[1]) <= date.fromisoformat(found[2]):
                    continue
            except ValueError:
                pass
            raise Mistake(f"{day!r} is no range of days", "write the first and the last day: 2024-08-05..2024-08-25")
        if day.lower() not in WEEKDAYS and not re.fullmatch(r"(\d{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", day):
            raise Mistake(
                f"{day!r} is no day",
                "write a weekday such as sunday, a date 2024-12-24, 12-25, or 2024-08-05..2024-08-25",
            )
    return days


class Expectation(Keys):
    """What a source usually delivers, in days and rows; None: learned from what came before."""

    every_days: Annotated[
        Annotated[int, Field(ge=1, le=366)] | None,
        Key("at least one row in so many days: 1, or 7 for a weekly delivery, judged by the week", "every_days: 7"),
    ] = None
    min_rows_share: Annotated[
        Annotated[float, Field(gt=0, le=1)] | None,
        Key(
            "at least this share of the median of up to eight earlier days of the same weekday, or periods",
            "min_rows_share: 0.5",
        ),
    ] = None
    min_rows: Annotated[Annotated[int, Field(ge=1)] | None, Key("so many rows at least", "min_rows: 1000")] = None
    closed_on: Annotated[
        Annotated[Texts, AfterValidator(_known_days)],
        Key(
            "weekdays, dates, days of every year, or ranges of dates on which nothing comes; see "
            "[below](#a-closure-is-no-silence)",
            'closed_on: [sunday, "12-25", "2024-08-05..2024-08-25"]',
            "none",
        ),
    ] = ()


@dataclass(frozen=True)
class DayVerdict:
    """One day (or the period that ends on it): what was expected, what came. `least_rows` is None without a
    judgement. `is_blocking`: the day belongs to the bad days right before the as-of date."""

    day: date
    n_rows: int
    usual_rows: float | None
    least_rows: float | None
    verdict: Verdict
    is_blocking: bool
    basis: Literal["declared", "learned"]
    reason: str


def judge_extracts(rows: Mapping[date, int], as_of: date, expects: Expectation | None) -> list[DayVerdict]:
    """Verdicts of the days before `as_of`, oldest first; none when nothing is expected or the source has no row before.

    rows: accepted transaction rows by day; days at and after `as_of` are not looked at.
    """
    past = {day: n for day, n in rows.items() if day < as_of and n > 0}
    if expects is None or not past:
        return []
    first = min(past)
    basis: Literal["declared", "learned"] = "declared" if _is_declared(expects) else "learned"
    days = [as_of - timedelta(days=n) for n in range(SHOWN_DAYS, 0, -1)]
    found = [_day(past, first, day, expects, basis) for day in days if day >= first]
    if basis == "learned":
        found = _with_silence(past, first, found)
    return _with_blocking(found)


def _is_declared(expects: Expectation) -> bool:
    return any(value is not None for value in (expects.every_days, expects.min_rows_share, expects.min_rows))


def is_closed(day: date, expects: Expectation) -> bool:
    """Whether a person has said that nothing comes on the day."""
    names = {WEEKDAYS[day.weekday()], day.isoformat(), day.isoformat()[5:]}
    ranges = (_RANGE.fullmatch(written) for written in expects.closed_on)
    return any(written.lower() in names for written in expects.closed_on) or any(
        found is not None and found[1] <= day.isoformat() <= found[2] for found in ranges
    )


def _day(
    rows: Mapping[date, int], first: date, day: date, expects: Expectation, basis: Literal["declared", "learned"]
) -> DayVerdict:
    width = expects.every_days or 1
    n_rows = _period(rows, day, width)
    if is_closed(day, expects):
        return DayVerdict(day, n_rows, None, None, "closed", False, basis, "closed on this day")
    if basis == "learned" and n_rows == 0 and _is_never_open(rows, first, day):
        name = WEEKDAYS[day.weekday()].capitalize()
        return DayVerdict(day, 0, 0.0, None, "closed", False, basis, f"no row on any {name} of the weeks before")
    stride = 7 if width == 1 else width
    starts = [day - timedelta(days=stride * k) for k in range(1, N_EARLIER + 1)]
    earlier = [
        _period(rows, end, width)
        for end in starts
        if end - timedelta(days=width - 1) >= first and not is_closed(end, expects)
    ]
    usual = float(median(earlier)) if len(earlier) >= LEAST_EARLIER else None
    least = _least(usual, earlier, expects, basis)
    words = f"{n_rows:,} rows" + (f" in {width} days" if width > 1 else "")
    words += f", usually {usual:,.0f}" if usual is not None else ""
    if least is None:
        words += "; too little to compare with"
        return DayVerdict(day, n_rows, usual, None, "no_judgement", False, basis, words)
    if n_rows >= least:
        return DayVerdict(day, n_rows, usual, least, "ok", False, basis, words)
    verdict: Verdict = "absent" if n_rows == 0 else "short"
    return DayVerdict(day, n_rows, usual, least, verdict, False, basis, f"{words}; at least {least:,.0f} expected")


def _is_never_open(rows: Mapping[date, int], first: date, day: date) -> bool:
    """Whether the weekday of a day had no row in `N_EARLIER` weeks before it (`LEAST_EARLIER` of them known), while the
    business had rows on at least `OPEN_SHARE` of the days of its other weekdays: a closed day, not a quiet one."""
    before = [day - timedelta(days=n) for n in range(1, 7 * N_EARLIER + 1)]
    known = [earlier for earlier in before if earlier >= first]
    open_on = {earlier.weekday() for earlier in known if rows.get(earlier, 0)}
    if day.weekday() in open_on or sum(earlier.weekday() == day.weekday() for earlier in known) < LEAST_EARLIER:
        return False
    usually_open = [bool(rows.get(earlier, 0)) for earlier in known if earlier.weekday() in open_on]
    return bool(usually_open) and sum(usually_open) >= OPEN_SHARE * len(usually_open)


def _period(rows: Mapping[date, int], end: date, width: int) -> int:
    return sum(rows.get(end - timedelta(days=n), 0) for n in range(width))


def _least(
    usual: float | None, earlier: list[int], expects: Expectation, basis: Literal["declared", "learned"]
) -> float | None:
    """Fewest rows that are enough; None when that cannot be said."""
    if basis == "declared":
        # A declared cadence means at least one row, whatever the past was.
        share = usual * expects.min_rows_share if usual is not None and expects.min_rows_share else 0
        return max(1.0, float(expects.min_rows or 0), share)
    if usual is None:
        return None
    if usual >= LEARNED_SHORT_FROM:
        return max(1.0, min(LEARNED_SHARE * usual, 0.5 * min(earlier))) if min(earlier) > 0 else None
    return 1.0 if usual >= LEARNED_ABSENT_FROM and min(earlier) > 0 else None


def _with_silence(rows: Mapping[date, int], first: date, found: list[DayVerdict]) -> list[DayVerdict]:
    """Days of a silence at the end, for a business too small to judge by the day: missing where it is far longer than
    any before, else as they should be."""
    if not found:
        return found
    end = found[-1].day
    last = max(rows)
    silence = (end - last).days
    lookback = max(first, last - timedelta(days=SILENCE_LOOKBACK_DAYS))
    if silence == 0 or (last - first).days < LEAST_HISTORY_DAYS:
        return found
    bought = sorted(day for day in rows if day >= lookback)
    longest = max(((b - a).days - 1 for a, b in zip(bought, bought[1:], strict=False)), default=0)
    reason = f"no row for {silence} days; its longest silence before was {longest} days"

    def judged(v: DayVerdict) -> DayVerdict:
        if v.day <= last or v.verdict != "no_judgement":
            return v
        if silence > SILENCE_FACTOR * longest + 1:
            return DayVerdict(v.day, 0, v.usual_rows, 1.0, "absent", False, v.basis, reason)
        is_small = v.usual_rows is not None and v.usual_rows < LEARNED_ABSENT_FROM
        return replace(v, verdict="ok", reason=reason) if is_small else v

    return [judged(v) for v in found]


def _with_blocking(found: list[DayVerdict]) -> list[DayVerdict]:
    """Mark the bad days at the end; closed days among them neither break the run nor belong to it."""
    marked, is_tail = [], True
    for verdict in reversed(found):
        is_bad = verdict.verdict in ("absent", "short")
        is_tail = is_tail and (is_bad or verdict.verdict == "closed")
        marked.append(DayVerdict(**{**vars(verdict), "is_blocking": is_bad and is_tail}))
    return marked[::-1]
