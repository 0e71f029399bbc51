"""The business's clock: one a day on average, and the way back from time to day is exact."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.draws import STREAMS, create_macros
from simulation.population import Population
from simulation.purchases import create_clock_macros
from simulation.seasons import create_clock, day_weights, easter, holiday, shut_days

START, DAYS = date(2021, 1, 1), 800


def test_easter_of_known_years():
    assert [easter(year) for year in (2021, 2024, 2038)] == [date(2021, 4, 4), date(2024, 3, 31), date(2038, 4, 25)]


def test_holidays_are_peaks_and_closed_days():
    assert holiday(date(2021, 12, 25)) < 0.5 < 1 == holiday(date(2021, 6, 9)) < holiday(date(2021, 12, 20))
    assert holiday(date(2021, 11, 26)) > 1.5  # Black Friday


def test_the_days_on_which_all_is_shut_are_named_for_the_source():
    """Exactly they: on any other day a business sells at least half of what it usually does."""
    named = shut_days([2021, 2022])
    assert named == ["01-01", "12-25", "2021-04-04", "2022-04-17"]
    year = [date(2022, 1, 1) + timedelta(n) for n in range(365)]
    assert [day for day in year if holiday(day) < 0.5] == [
        day for day in year if {day.isoformat(), day.isoformat()[5:]} & set(named)
    ]


def test_a_day_is_one_on_average_and_saturdays_are_the_busiest():
    flat = Population(trend_a_year=0.0)
    weights = np.array(day_weights(flat, START, 4 * 365 + 1))
    assert weights.mean() == pytest.approx(1.0, abs=0.05)
    weekdays = np.array([(START + timedelta(n)).weekday() for n in range(len(weights))])
    assert np.argmax([weights[weekdays == d].mean() for d in range(7)]) == 5


@pytest.fixture(scope="module")
def clock():
    with duckdb.connect() as con:
        create_clock(con, Population(), START, DAYS)
        create_clock_macros(con)
        yield con


@given(st.floats(0.001, 700))
@settings(max_examples=60, deadline=None)
def test_the_bucket_of_a_time_leads_to_its_day(clock, b):
    through_bucket = clock.execute(
        "select case when ? < next_b0 then day else day + 1 end from clock where bucket = bucket_of(?)", [b, b]
    ).fetchone()
    searched = clock.execute("select max(day) from days where b0 <= ?", [b]).fetchone()
    assert through_bucket == searched


@given(st.floats(0, 400), st.floats(0, 200), st.floats(5, 500), st.floats(0, 100))
@settings(max_examples=60, deadline=None)
def test_fading_runs_back_to_where_it_came_from(clock, since, onset, length, join_b):
    sql = "select unfaded(faded(cast(? as double), ?, ?, ?), ?, ?, ?)"
    found = clock.execute(sql, [join_b + since] + [join_b, onset, length] * 2).fetchone()[0]
    # after twenty lengths the effective time has come to its end, and the way back is lost in rounding
    if since - onset < 20 * length:
        assert found == pytest.approx(join_b + since, rel=1e-6, abs=1e-5)


def test_draws_are_uniform_and_independent_between_streams_keys_and_parts():
    with duckdb.connect() as con:
        create_macros(con, 5)
        drawn = con.execute(
            "select "
            + ", ".join(f"ua(bits_{s}(range)) as {s}" for s in STREAMS)
            + ", ub(bits_gap(range)) as part_b, uc(bits_gap(range)) as part_c, ua(bits_gap(range + 1)) as neighbour "
            "from range(40000)"
        ).fetchnumpy()
    table = np.array(list(drawn.values()))
    assert table.min() > 0 and table.max() < 1
    assert np.abs(table.mean(axis=1) - 0.5).max() < 0.01
    assert np.abs(np.corrcoef(table) - np.eye(len(table))).max() < 0.025
