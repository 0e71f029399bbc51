"""A missing or short extract is distinguished from a quiet day, a closed day and a small business."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.ingest.defs import is_explained, require_extracts
from assets.ingest.extract_guard import SHOWN_DAYS, Expectation, judge_extracts
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
    assert len(found) == SHOWN_DAYS and {v.verdict for v in found} == {"ok"}
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
        (19, 0, "no_judgement"),
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
    assert {v.verdict for v in judge_extracts(rows, AS_OF, LEARNED)} <= {"ok", "no_judgement"}
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
    assert not is_explained(verdicts) and is_explained({"web": verdicts["web"]})
