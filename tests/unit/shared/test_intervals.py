"""Intervals of shares against the textbook."""

import math

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.shared.intervals import above_chance, above_chance_sql, wilson_interval


def test_wilson_interval_of_a_textbook_case():
    low, high = wilson_interval(15, 50)
    assert (round(low, 4), round(high, 4)) == (0.1910, 0.4375)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 1_000_000)])
def test_the_interval_is_the_formula_and_stays_between_nothing_and_all(k, n):
    share, z = k / n, 1.959963984540054
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n * n)) / (1 + z**2 / n)
    low, high = wilson_interval(k, n)
    assert (low, high) == (pytest.approx(max(0, centre - half), abs=1e-12), pytest.approx(min(1, centre + half)))
    assert 0 <= low <= share <= high <= 1


def test_three_standard_deviations_are_left_to_chance():
    assert above_chance(0.1, 100) == pytest.approx(0.1 + 3 * 0.03)
    assert above_chance(0.2, 0) == above_chance(0.2, 1) == pytest.approx(1.4)


@given(st.floats(0, 1), st.integers(0, 10**6))
def test_the_engine_leaves_as_much_to_chance(share, n):
    """`check-source` says before a run what the release gate will say."""
    sql = f"select {above_chance_sql('$share', '$n')}"
    (found,) = duckdb.execute(sql, {"share": share, "n": n}).fetchone()
    assert found == pytest.approx(above_chance(share, n))
