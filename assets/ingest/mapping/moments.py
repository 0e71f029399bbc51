"""Dates and times: the keys that say how they are written and by which clock, and their SQL.

In: what the file gave. Out: the business's wall clock, or NULL and a rule that says why. A new way to write a moment is
one more entry of `NAMED_FORMATS`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import duckdb
from pydantic import AfterValidator

from assets.ingest.canonical import FIRST_BIRTH_YEAR, FIRST_YEAR, LAST_YEAR, Column
from assets.ingest.mapping.language import Key, Keys, Mistake, Texts, Zone
from assets.ingest.mapping.month_names import MonthLanguage, numbered_months, with_numbered_months
from assets.ingest.mapping.rules import Rule, is_unread, shown
from assets.shared.quoting import literal


@dataclass(frozen=True)
class Clock:
    """Which wall clock a moment is of. What carries its own offset is converted to `zone`, the business's (UTC when
    none is named). What carries none is kept as written, unless the file's clock is another one: then it is read in
    `file_zone` and converted; a time that the file's clock skipped in spring is read an hour later. Where a day is
    `wanted`, it is a day of the business and never shifted."""

    zone: str | None = None
    file_zone: str | None = None
    wanted: Literal["timestamp", "date"] = "timestamp"

    def aware(self, value: str) -> str:
        """Expression: a moment with an offset, on the business's clock."""
        return f"timezone({literal(self.zone or 'UTC')}, {value})"

    def naive(self, value: str) -> str:
        """Expression: a time without an offset, on the business's clock."""
        if self.wanted == "date" or self.file_zone in (None, self.zone):
            return value
        return self.aware(f"timezone({literal(self.file_zone)}, {value})")


class NamedFormat(NamedTuple):
    """A format with a name of its own. `sql`: expression of the moment that a text gives, NULL where it gives none."""

    doc: str
    sql: Callable[[str, Clock], str]


def _iso(given: str, clock: Clock) -> str:
    offset = f"regexp_matches({given}, ':[0-9.,]+ ?(?:[zZ]|[-+][0-9]{{2}}(?::?[0-9]{{2}})?)$')"
    # The engine also reads words such as 'epoch', and passes over words after the time: 'PM' would be lost.
    is_iso = f"regexp_full_match({given}, '[0-9]{{4}}[-/][0-9][-+/0-9:., TtZz]*')"
    iso = f"case when {is_iso} then {given} end"
    day_or_time = (
        f"case when contains({given}, ':') then {clock.naive(f'try_cast({iso} as timestamp)')} "
        f"else try_cast({iso} as timestamp) end"
    )
    with_offset = clock.aware(f"try_cast(regexp_replace({iso}, ' +([-+zZ])', '\\1') as timestamptz)")
    return f"case when {offset} then {with_offset} else {day_or_time} end"


def _unix(divisor: str) -> Callable[[str, Clock], str]:
    def sql(given: str, clock: Clock) -> str:
        seconds = f"try_cast({given} as double){divisor}"
        return clock.aware(f"to_timestamp(case when {seconds} between -5e9 and 1e10 then {seconds} end)")

    return sql


def _serial(first: str) -> Callable[[str, Clock], str]:
    def sql(given: str, clock: Clock) -> str:
        days = f"try_cast(replace({given}, ',', '.') as double)"
        # To the millisecond: a day in binary is no whole number of microseconds.
        milliseconds = f"round(case when {days} between 1 and 109574 then {days} end * 86400000)"
        return clock.naive(f"timestamp '{first}' + to_milliseconds({milliseconds})")

    return sql


NAMED_FORMATS: dict[str, NamedFormat] = {
    "iso": NamedFormat(
        "2024-02-14, 2024-02-14 10:15:30, with or without offset; never with words such as PM or EST", _iso
    ),
    "excel_serial": NamedFormat(
        "days since 1899-12-30, as spreadsheets count: 46005.125 is 2025-12-14 03:00", _serial("1899-12-30")
    ),
    "excel_serial_1904": NamedFormat(
        "days since 1904-01-01, as spreadsheets of older Macs count: 44543.125 is 2025-12-14 03:00",
        _serial("1904-01-01"),
    ),
    "unix_seconds": NamedFormat("seconds since 1970-01-01 00:00 UTC", _unix("")),
    "unix_milliseconds": NamedFormat("milliseconds since 1970-01-01 00:00 UTC", _unix(" / 1000")),
}


def _known_formats(formats: tuple[str, ...]) -> tuple[str, ...]:
    for text in formats:
        if text in NAMED_FORMATS:
            continue
        try:
            duckdb.execute("select try_strptime('', ?)", [text]).fetchone()
        except duckdb.Error:
            usable = False
        else:
            usable = "%" in text
        if not usable:
            *others, last = NAMED_FORMATS
            raise Mistake(
                f"{text!r} is no date format",
                f"write it like %d.%m.%Y or %Y-%m-%d %H:%M:%S, or use {', '.join(others)} or {last}",
            )
    return formats


Formats = Annotated[Texts, AfterValidator(_known_formats)]


class MomentKeys(Keys):
    """How a table's dates and times are written."""

    date_format: Annotated[
        Formats,
        Key(
            "one format or a list of them, tried in order; see [Dates and times](#dates-and-times)",
            example='date_format: ["%d.%m.%Y %H:%M", "%d.%m.%Y"]',
            default="`iso`",
            in_fingerprint="always",
        ),
    ] = ("iso",)
    file_time_zone: Annotated[
        Zone | None,
        Key(
            "the clock that the file's times are written in, when it is another one",
            example="file_time_zone: UTC",
            default="the business's",
            in_fingerprint="always",
        ),
    ] = None
    month_names: Annotated[
        MonthLanguage | None,
        Key(
            "the language of the months' names, for `%b` and `%B` in `date_format`; see [Dates and times]"
            "(#dates-and-times). `en` reads abbreviations of any length, such as Sept",
            example="month_names: de",
            default="English, Feb or February",
        ),
    ] = None
    skipped_times: Annotated[
        Literal["keep", "quarantine"],
        Key(
            "`quarantine`: a time in the hour that the clocks of `time_zone` skip in spring is refused",
            example="skipped_times: quarantine",
        ),
    ] = "keep"


def moment_sql(given: str, kind: str, formats: Sequence[str], clock: Clock, months: MonthLanguage | None = None) -> str:
    """Expression: the moment in `given` (a value of DuckDB type `kind`) on the business's wall clock, or NULL.
    `months`: the language of months that are written as words, where it is not English."""
    if kind == "DATE":
        value = f"cast({given} as timestamp)"
    elif kind == "TIMESTAMP WITH TIME ZONE":
        value = clock.aware(given)
    elif is_temporal(kind):
        value = clock.naive(f"cast({given} as timestamp)")
    else:
        value = f"coalesce({', '.join(_readings(given, formats, clock, months))})"
    return f"cast({value} as date)" if clock.wanted == "date" else f"cast({value} as timestamp)"


def is_temporal(kind: str) -> bool:
    """Is the DuckDB type one of dates or times?"""
    return kind == "DATE" or kind.startswith("TIMESTAMP")


def _readings(given: str, formats: Sequence[str], clock: Clock, months: MonthLanguage | None) -> Iterator[str]:
    """By each format. %Y also reads the 24 of a short year, which is left to a later format."""
    *others, last = formats
    for text in others:
        reading = _reading(given, text, clock, months)
        yield f"case when year({reading}) >= 1000 then {reading} end" if "%Y" in text else reading
    yield _reading(given, last, clock, months)


def _reading(given: str, text: str, clock: Clock, months: MonthLanguage | None) -> str:
    if text in NAMED_FORMATS:
        return NAMED_FORMATS[text].sql(given, clock)
    if months is not None and text != with_numbered_months(text):
        given, text = numbered_months(given, months), with_numbered_months(text)
    parsed = f"try_strptime({given}, {literal(text)})"
    if "%z" in text or "%Z" in text:
        return clock.aware(parsed)
    has_time = any(part in text for part in ("%H", "%I", "%-H", "%-I", "%c", "%X"))
    return clock.naive(parsed) if has_time else parsed


def typed_moment(keys: MomentKeys, column: Column, kind: str, formats: Sequence[str], zone: str | None) -> str:
    """Expression: the typed value of a column of dates or times. A far future date of an open end is NULL."""
    wanted: Literal["timestamp", "date"] = "date" if column.kind == "date" else "timestamp"
    value = moment_sql(
        f"given_{column.name}", kind, formats, Clock(zone, keys.file_time_zone, wanted), keys.month_names
    )
    return f"case when year({value}) <= {LAST_YEAR} then {value} end" if column.open_end else value


def moment_rules(keys: MomentKeys, column: Column, formats: Sequence[str], zone: str | None) -> list[Rule]:
    """Rules of a mapped column of dates or times."""
    name, given, typed = column.name, f"given_{column.name}", f"typed_{column.name}"
    first = FIRST_BIRTH_YEAR if name == "birth_date" else FIRST_YEAR
    # NULL may also mean 'no end' there; only what cannot be read at all is an error.
    unread = f"{is_unread(column)} and not coalesce({_is_far(given)}, false)" if column.open_end else is_unread(column)
    written = literal(" or ".join(formats))
    rules = [
        Rule(
            f"{name}_not_a_date",
            unread,
            f"concat('{name} is not a date of the form ', {written}, ': ', {shown(column)})",
        ),
        Rule(
            f"{name}_out_of_range",
            f"{typed} is not null and (not isfinite({typed}) or year({typed}) not between {first} and {LAST_YEAR})",
            f"concat('{name} is before {first} or after {LAST_YEAR}: ', {shown(column)})",
        ),
    ]
    if keys.skipped_times == "quarantine" and column.kind == "timestamp" and zone:
        clock = literal(zone)
        # There and back again: a time that the clocks skipped does not return to itself.
        rules.append(
            Rule(
                f"{name}_skipped_by_the_clock",
                f"timezone({clock}, timezone({clock}, {typed})) <> {typed}",
                f"concat('{name} lies in the hour that the clocks skipped in spring: ', {shown(column)})",
            )
        )
    if name == "occurred_at":
        # One purchase dated ahead would make everybody else look silent until then. A day's grace: zones.
        rules.append(
            Rule(
                f"{name}_in_the_future",
                f"{typed} > cast(now() at time zone 'UTC' as timestamp) + interval 1 day",
                f"concat('{name} lies in the future: ', {shown(column)})",
            )
        )
    return rules


def _is_far(given: str) -> str:
    """Is the value a date beyond the last year, such as 9999-12-31? Its digits say so, whatever its format."""
    return f"regexp_matches(cast({given} as varchar), '(?:^|[^0-9])(?:9999|2[2-9][0-9]{{2}}|[3-9][0-9]{{3}})|infinity')"
