"""A missing or short extract is distinguished from a quiet day, a closed day and a small business."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.ingest.defs import explained_days, require_extracts
from assets.ingest.extract_guard import Expectation, judge_extracts
from assets.shared.errors import UserError

AS_OF = date(2024, 6, 30)
LEARNED = Expectation()


def days(n: int = 120, rows: int = 400, **changed: int) -> dict[date, int]:
    """`rows` on each of the `n` days before the as-of date; d1=5 sets the last day to 5 rows, d2 the one before."""
    made = {AS_OF - timedelta(days=k): rows for k in range(1, n + 1)}
    return made | {AS_OF - timedelta(days=int(k[1:])): v for k, v in changed.items()}


def last(rows, expects=LEARNED):
    return judge_extracts(rows, AS_OF, expects)[-1]


def blocking(rows, expects=LEARNED) -> list[date]:
    return [v.day for v in judge_extracts(rows, AS_OF, expects) if v.is_blocking]


def test_a_usual_day_is_fine():
    found = judge_extracts(days(), AS_OF, LEARNED)
    assert len(found) == 28 and {v.verdict for v in found} == {"ok"}
    assert (found[-1].day, found[-1].n_rows, found[-1].usual_rows) == (date(2024, 6, 29), 400, 400.0)


@pytest.mark.parametrize(("n", "verdict"), [(0, "absent"), (20, "short"), (79, "short"), (80, "ok"), (900, "ok")])
def test_what_was_learned_decides_without_any_declaration(n, verdict):
    found = last(days(d1=n))
    assert (found.verdict, found.is_blocking, found.basis) == (verdict, verdict != "ok", "learned")


@pytest.mark.parametrize(("n", "verdict"), [(49, "short"), (50, "ok"), (51, "ok")])
def test_half_of_the_least_is_enough_where_one_day_had_few_before(n, verdict):
    """A fifth of the usual 400 would be 80, but a day of 100 was no mistake either."""
    assert last(days(d8=100, d1=n)).verdict == verdict


@pytest.mark.parametrize(
    ("usual", "n", "verdict"),
    [
        (100, 19, "short"),
        (100, 20, "ok"),
        (99, 1, "ok"),
        (99, 0, "absent"),
        (20, 1, "ok"),
        (20, 0, "absent"),
        (19, 0, "ok"),  # one day is no longer than such a business was ever silent, twice over
    ],
)
def test_the_smaller_the_business_the_less_is_learned(usual, n, verdict):
    assert last(days(rows=usual, d1=n)).verdict == verdict


def test_four_earlier_days_allow_a_judgement_and_eight_are_the_most():
    """The same weekday before: 28 days back is the fourth, 56 the eighth, 63 the ninth."""
    assert last(days(n=29, d1=0)).verdict == "absent"
    assert last(days(n=28, d1=0)).verdict == "no_judgement"
    odd = {f"d{1 + 7 * k}": 800 for k in range(5, 9)}
    assert last(days(**odd)).usual_rows == 600
    assert last(days(**odd, d64=800)).usual_rows == 600


def test_a_run_of_missing_days_blocks_and_a_hole_further_back_only_warns():
    assert blocking(days(d1=0, d2=3, d3=0)) == [date(2024, 6, 27), date(2024, 6, 28), date(2024, 6, 29)]
    found = judge_extracts(days(d5=0), AS_OF, LEARNED)
    assert [(v.day, v.is_blocking) for v in found if v.verdict == "absent"] == [(date(2024, 6, 25), False)]


def test_weekdays_are_compared_with_themselves():
    rows = {day: 0 if day.weekday() == 6 else 60 if day.weekday() == 0 else 800 for day in days()}
    assert {v.verdict for v in judge_extracts(rows, AS_OF, LEARNED)} == {"ok", "closed"}
    assert judge_extracts(rows | {AS_OF - timedelta(days=1): 60}, AS_OF, LEARNED)[-1].verdict == "short"


def test_closed_days_are_neither_missing_nor_an_end_to_what_is_missing():
    closed = Expectation(closed_on=("06-29", "2024-06-27"))
    assert blocking(days(d1=0), closed) == []
    assert blocking(days(d1=0, d2=0, d3=0), closed) == [date(2024, 6, 28)]
    assert blocking(days(d1=0), Expectation(closed_on=("saturday",))) == []


def test_too_little_history_gives_no_judgement():
    assert {v.verdict for v in judge_extracts(days(n=20, d1=1), AS_OF, LEARNED)} == {"no_judgement"}
    assert judge_extracts({}, AS_OF, LEARNED) == []
    assert judge_extracts(days(), AS_OF, None) == []


def test_declared_cadence_needs_no_history():
    assert last(days(n=3, rows=1, d1=0), Expectation(every_days=1)).verdict == "absent"
    assert last(days(n=3, rows=1), Expectation(every_days=1)).verdict == "ok"


def test_declared_volume():
    half = Expectation(min_rows_share=0.5)
    assert last(days(d1=199), half).verdict == "short" and last(days(d1=200), half).verdict == "ok"
    assert last(days(rows=4, d1=9), Expectation(min_rows=10)).reason == "9 rows, usually 4; at least 10 expected"


def test_a_weekly_delivery_is_judged_by_the_week():
    weekly = {AS_OF - timedelta(days=k): 500 for k in range(3, 90, 7)}
    expects = Expectation(every_days=7, min_rows_share=0.5)
    assert blocking(weekly, expects) == []
    assert {v.verdict for v in judge_extracts(weekly, AS_OF, expects)} == {"ok"}
    late = {day: n for day, n in weekly.items() if (AS_OF - day).days > 7}
    assert blocking(late, expects)[-1] == date(2024, 6, 29)


def test_a_small_business_may_be_silent_for_as_long_as_it_was_before():
    small = {AS_OF - timedelta(days=k): 2 for k in range(4, 150, 4)}
    assert blocking(small) == []
    silent = {day: n for day, n in small.items() if (AS_OF - day).days > 14}
    assert blocking(silent)[-1] == date(2024, 6, 29)
    assert "its longest silence before was 3 days" in judge_extracts(silent, AS_OF, LEARNED)[-1].reason


def sold_on(*days_before: int) -> dict[date, int]:
    return {AS_OF - timedelta(days=k): 2 for k in days_before}


@pytest.mark.parametrize(("silence", "is_blocking"), [(7, False), (8, True)])
def test_a_silence_is_bad_beyond_twice_the_longest_before_and_a_day(silence, is_blocking):
    """Three days between two sales."""
    assert bool(blocking(sold_on(*range(1 + silence, 150, 4)))) == is_blocking


@pytest.mark.parametrize(("history", "is_blocking"), [(60, True), (59, False)])
def test_silence_is_judged_from_sixty_days_of_history_on(history, is_blocking):
    assert bool(blocking(sold_on(*range(21, 21 + history, 4), 21 + history))) == is_blocking


@pytest.mark.parametrize(("days_ago", "is_blocking"), [(180, False), (181, True)])
def test_a_long_silence_excuses_another_for_half_a_year(days_ago, is_blocking):
    """Forty days without a sale began so many days before the last one."""
    assert bool(blocking(sold_on(*range(21, 162, 4), 21 + days_ago, 421))) == is_blocking


def test_four_weeks_are_shown():
    assert [v.day for v in judge_extracts(days(), AS_OF, LEARNED)][0] == AS_OF - timedelta(days=28)


def test_days_from_the_as_of_date_on_are_not_looked_at():
    assert judge_extracts(days() | {AS_OF: 1, AS_OF + timedelta(days=1): 0}, AS_OF, LEARNED) == judge_extracts(
        days(), AS_OF, LEARNED
    )


@given(
    rows=st.dictionaries(st.integers(1, 100), st.integers(0, 600), max_size=100),
    every=st.one_of(st.none(), st.integers(1, 10)),
    share=st.one_of(st.none(), st.floats(0.01, 1)),
)
def test_only_an_unbroken_run_up_to_the_date_blocks(rows, every, share):
    found = judge_extracts(
        {AS_OF - timedelta(days=k): n for k, n in rows.items()},
        AS_OF,
        Expectation(every_days=every, min_rows_share=share),
    )
    assert [v.day for v in found] == sorted({v.day for v in found})
    for earlier, later in zip(found, found[1:], strict=False):
        assert not earlier.is_blocking or later.is_blocking
    for v in found:
        assert v.is_blocking <= (v.verdict in ("absent", "short"))
        assert v.least_rows is None or (v.n_rows < v.least_rows) == (v.verdict in ("absent", "short"))


def test_the_guard_stops_the_run_or_warns():
    verdicts = {"till": judge_extracts(days(d1=0), AS_OF, LEARNED), "web": judge_extracts(days(d4=0), AS_OF, LEARNED)}
    with pytest.raises(UserError) as caught:
        require_extracts(verdicts, "block")
    assert "source till, 2024-06-29: extract absent" in caught.value.what and "web" not in caught.value.what
    assert "ingest_extract_guard=warn" in caught.value.remedy and "closed_on" in caught.value.remedy
    assert len(require_extracts(verdicts, "warn")) == 2
    assert explained_days(verdicts) == 0 and explained_days({"web": verdicts["web"]}) == 3
    assert explained_days({}) == explained_days({"nothing": []}) == 0


def stops(rows: dict[date, int], nights: int, expects: Expectation = LEARNED) -> list[date]:
    """Nights, of so many after the first half of the days, on which a run would be stopped: by the guard, or because
    the date lies beyond the data."""
    first, found = min(rows), []
    for as_of in (max(rows) + timedelta(1) - timedelta(n) for n in range(nights)):
        known = {day: n for day, n in rows.items() if day < as_of and n}
        verdicts = judge_extracts(known, as_of, expects)
        beyond = (as_of - max(known)).days > 1 + explained_days({"shop": verdicts})
        if any(v.is_blocking for v in verdicts) or beyond:
            found.append(as_of)
    assert first < as_of
    return found


@pytest.mark.parametrize(
    "closed", [(), (6,), (5, 6), (0, 1, 2, 3)], ids=["never", "Sundays", "weekends", "open Fri-Sun"]
)
@pytest.mark.parametrize("a_day", [3, 30, 400])
def test_two_hundred_nights_of_a_business_with_closed_weekdays_run(closed, a_day):
    """Closed days are learned from the business's own weekdays; the last days of 400 are the nights."""
    rng = np.random.default_rng([a_day, *closed])
    start = date(2023, 1, 1)
    rows = {start + timedelta(n): int(rng.poisson(a_day)) for n in range(400)}
    rows = {day: 0 if day.weekday() in closed else n for day, n in rows.items()}
    rows[max(rows)] = max(rows[max(rows)], 1)
    assert stops(rows, 200) == []


def test_a_weekday_that_has_had_rows_is_not_closed():
    """One Sunday with rows among eight makes it a day of few rows; of too few Sundays nothing is known."""
    sundays = {AS_OF - timedelta(days=k): 0 for k in range(1, 121) if (AS_OF - timedelta(days=k)).weekday() == 6}
    monday = AS_OF + timedelta(1)
    rows = days() | sundays | {AS_OF: 0}
    assert judge_extracts(rows, monday, LEARNED)[-1].verdict == "closed"
    assert judge_extracts(rows | {AS_OF - timedelta(days=21): 400}, monday, LEARNED)[-1].verdict == "ok"
    young = {day: n for day, n in rows.items() if day > AS_OF - timedelta(days=21)}
    assert judge_extracts(young, monday, LEARNED)[-1].verdict == "no_judgement"


def test_a_business_that_rarely_sells_has_no_closed_weekdays():
    """Seven Tuesdays without a row are chance where hardly any day has one."""
    rows = {AS_OF - timedelta(days=k): 1 for k in range(5, 300, 21)}
    assert {v.verdict for v in judge_extracts(rows, AS_OF, LEARNED)} <= {"ok", "no_judgement"}


@pytest.mark.parametrize(("n_open", "verdict"), [(24, "closed"), (23, "no_judgement")])
def test_a_weekday_is_closed_where_the_others_are_open_half_of_the_time(n_open, verdict):
    """No row on any of eight Sundays; of the 48 other days so many have some, each weekday at least once."""
    monday = AS_OF + timedelta(1)
    others = [day for k in range(1, 57) if (day := AS_OF - timedelta(days=k)).weekday() != 6]
    rows = dict.fromkeys(others[:n_open], 1) | {others[-1]: 1}
    rows.pop(others[n_open - 1])
    assert len(rows) == n_open and judge_extracts(rows, monday, LEARNED)[-1].verdict == verdict


def test_a_closure_of_three_weeks_that_was_declared_is_explained():
    closed = [AS_OF - timedelta(days=k) for k in range(1, 22)]
    rows = days() | dict.fromkeys(closed, 0)
    declared = Expectation(closed_on=tuple(day.isoformat() for day in closed))
    verdicts = judge_extracts(rows, AS_OF, declared)
    assert not any(v.is_blocking for v in verdicts) and explained_days({"shop": verdicts}) >= 21
    assert judge_extracts(rows, AS_OF, LEARNED)[-1].is_blocking
