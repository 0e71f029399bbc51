"""Which closures are long enough not to count as silence, and how days are counted over them."""

from datetime import date, timedelta

import duckdb
import pytest

from assets.ingest.closures import LEAST_DAYS, Closure, find_closures, write_business_days
from assets.ingest.extract_guard import Expectation
from assets.model.open_days import closed_days, open_days_after
from assets.shared.errors import UserError

FIRST = date(2024, 7, 1)
AS_OF = date(2024, 9, 1)
AUGUST = Closure(date(2024, 8, 5), date(2024, 8, 25))


def days(*closed: Closure, without_sundays: bool = False) -> list[date]:
    """Every day with sales but those of closures."""
    every = [FIRST + timedelta(n) for n in range((AS_OF - FIRST).days)]
    return [
        day
        for day in every
        if not any(c.first_day <= day <= c.last_day for c in closed) and not (without_sundays and day.weekday() == 6)
    ]


def found(rows, *closed_on: str, as_of: date = AS_OF) -> list[Closure]:
    return find_closures(rows, as_of, [None, Expectation(closed_on=closed_on)])


@pytest.mark.parametrize("written", [["2024-08-05..2024-08-25"], [f"08-{n:02}" for n in range(5, 26)]])
def test_a_declared_closure_is_found(written):
    assert found(days(AUGUST), *written) == [AUGUST]


def test_what_nobody_declared_is_none():
    assert found(days(AUGUST)) == [] and found(days(AUGUST), "sunday") == []


def test_days_of_rest_are_none():
    assert found(days(without_sundays=True), "sunday") == []


def test_sundays_within_a_closure_belong_to_it_though_nobody_declared_them():
    written = [
        (AUGUST.first_day + timedelta(n)).isoformat()
        for n in range(20)
        if (AUGUST.first_day + timedelta(n)).weekday() < 6
    ]
    assert found(days(AUGUST, without_sundays=True), *written) == [Closure(AUGUST.first_day, date(2024, 8, 24))]


@pytest.mark.parametrize(("n_days", "expected"), [(LEAST_DAYS - 1, False), (LEAST_DAYS, True)])
def test_a_short_closure_is_part_of_the_rhythm(n_days, expected):
    closure = Closure(date(2024, 8, 5), date(2024, 8, 4) + timedelta(n_days))
    assert bool(found(days(closure), f"{closure.first_day}..{closure.last_day}")) is expected


def test_a_silence_that_holds_two_days_of_rest_is_none():
    silent = Closure(date(2024, 8, 3), date(2024, 8, 12))
    assert found(days(silent), "sunday") == []


def test_a_day_on_which_another_source_sold_is_open():
    rows = [*days(AUGUST), date(2024, 8, 15)]
    assert found(rows, "2024-08-05..2024-08-25") == [
        Closure(date(2024, 8, 5), date(2024, 8, 14)),
        Closure(date(2024, 8, 16), date(2024, 8, 25)),
    ]


def test_a_closure_that_goes_on_ends_the_day_before():
    as_of = date(2024, 8, 20)
    assert found(days(AUGUST), "2024-08-05..2024-08-25", as_of=as_of) == [Closure(date(2024, 8, 5), date(2024, 8, 19))]


def test_days_are_counted_without_it():
    with duckdb.connect() as con:
        con.execute(
            "create schema ingest; create table ingest.batch_days (day date, n_rows int);"
            "create table ingest.replaced_days (day date, n_rows int)"
        )
        con.executemany("insert into ingest.batch_days values (?, 1)", [[day] for day in days(AUGUST)])
        con.execute("insert into ingest.batch_days values (date '2024-08-10', 3)")
        con.execute("insert into ingest.replaced_days values (date '2024-08-10', 3)")
        write_business_days(con, AS_OF, {"shop": Expectation(closed_on=["2024-08-05..2024-08-25"]), "web": None})
        rows = con.execute("select day, closed_days_before, open_day, is_closed from ingest.business_days").fetchall()
        closed = closed_days(con)
        write_business_days(con, AS_OF, {"shop": Expectation()})
        assert con.execute("select count(*) from ingest.business_days").fetchone() == (0,)
    assert [row[0] for row in rows] == [date(2024, 8, 5) + timedelta(n) for n in range(28)]
    assert rows[0][1:] == (0, date(2024, 8, 5), True)
    assert rows[21][1:] == (21, date(2024, 8, 5), False)
    assert rows[-1] == (AS_OF, 21, date(2024, 8, 11), False)
    assert closed == {day for day, *_, is_closed in rows if is_closed} and len(closed) == 21
    # Python and SQL agree: so many open days after a start are over on the first day with that difference.
    open_day = {day: at for day, _, at, _ in rows}
    for start in (date(2024, 8, 1), date(2024, 8, 5), date(2024, 8, 10), date(2024, 8, 26)):
        at = open_day.get(start, start)
        for n in range(1, 7):
            over = (
                min(day for day, there in open_day.items() if (there - at).days >= n and day > start)
                if at + timedelta(n) >= date(2024, 8, 5)
                else start + timedelta(n)
            )
            assert open_days_after(start, n, closed) == over, (start, n)


@pytest.mark.parametrize("written", ["2024-08-25..2024-08-05", "2024-13-01..2024-13-09"])
def test_what_is_no_range_is_refused(written):
    with pytest.raises((UserError, ValueError), match="no range of days"):
        Expectation(closed_on=[written])
