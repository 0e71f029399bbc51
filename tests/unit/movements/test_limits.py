"""Limits of the tests: against simulation, closed forms, and their own inverses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.movements import limits
from assets.movements.night import AMOUNT_CAP, AMOUNT_SHIFT

SHARES = st.floats(0.01, 0.5)
DEPTHS = st.floats(0.3, 3.0)


def test_gaps_of_a_known_pace_are_exponential():
    """Shape one and very many gaps known: the chance is exp(-gap / mean)."""
    known = np.array([1e7])
    gap = np.array([12.0])
    assert limits.gap_exceeds(gap, np.array([1.0]), known, 4.0 * known) == pytest.approx(np.exp(-3.0), rel=1e-4)


def test_few_gaps_known_have_the_heavy_tail_of_the_pareto():
    """Shape one, a posterior of (3, 30): (30 / (30 + g)) ^ 3."""
    got = limits.gap_exceeds(np.array([60.0]), np.array([1.0]), np.array([3.0]), np.array([30.0]))
    assert got == pytest.approx((30 / 90) ** 3)


@given(st.floats(1e-5, 0.9), st.floats(0.3, 12.0), st.floats(1.0, 200.0), st.floats(0.5, 5000.0))
def test_a_limit_is_exceeded_with_its_chance(chance, shape, known, total):
    arrays = [np.array([value]) for value in (shape, known, total)]
    limit = limits.gap_exceeded_with(np.array([chance]), *arrays)
    assert limits.gap_exceeds(limit, *arrays)[0] == pytest.approx(chance, rel=1e-6)


@given(st.floats(1e-6, 0.999), SHARES, DEPTHS)
def test_the_realised_chance_has_an_inverse(chance, share, depth):
    share, depth = np.array([share]), np.array([depth])
    nominal = limits.nominal_chance(np.array([chance]), share, depth)
    assert limits.realised_chance(nominal, share, depth)[0] == pytest.approx(chance, rel=1e-6)


def test_a_distribution_that_is_right_is_not_corrected():
    chance = np.array([1e-4, 0.05, 0.1, 0.4, 0.9])
    same = limits.realised_chance(chance, np.full(5, limits.TAIL), np.ones(5))
    assert same == pytest.approx(chance)


@pytest.mark.parametrize(("shape", "ratio"), [(1.0, 0.5), (3.3, 0.5), (0.5, 0.5), (1.0, 2.0), (2.6, 2.0)])
def test_a_cusum_of_gaps_is_false_as_often_as_it_was_asked_for(shape, ratio):
    rng = np.random.default_rng(4)
    limit = limits.gap_limit(np.array([0.01]), np.array([shape]), ratio)[0]
    value, false = np.zeros(4000), 0
    for _ in range(500):
        value = np.maximum(0, value + limits.gap_step(rng.gamma(shape, 1 / shape, 4000), np.array(shape), ratio))
        false += np.count_nonzero(value >= limit)
        value[value >= limit] = 0
    assert false / 2_000_000 == pytest.approx(0.01, rel=0.05)


def test_a_cusum_of_amounts_is_false_as_often_as_it_was_asked_for():
    rng = np.random.default_rng(4)
    limit = limits.amount_limit(np.array([0.01]), AMOUNT_SHIFT, AMOUNT_CAP)[0]
    value, false = np.zeros(4000), 0
    for _ in range(500):
        z = np.clip(rng.normal(size=4000), -AMOUNT_CAP, AMOUNT_CAP)
        value = np.maximum(0, value + AMOUNT_SHIFT * (z - AMOUNT_SHIFT / 2))
        false += np.count_nonzero(value >= limit)
        value[value >= limit] = 0
    assert false / 2_000_000 == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("shape", [0.5, 1.0, 4.0])
def test_the_shape_of_gamma_gaps_is_found_again(shape):
    gaps = np.random.default_rng(1).gamma(shape, 7 / shape, 100_000)
    found = limits.shape_of_spread(np.log(gaps.mean()) - np.log(gaps).mean())
    assert found == pytest.approx(shape, rel=0.03)


def test_equal_gaps_have_the_largest_shape_there_is():
    assert limits.shape_of_spread(np.array([0.0])) == limits.SHAPES[-1]
