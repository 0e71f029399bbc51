"""Profit: the published measure, its closed form against integration, and what a curve may look like."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from assets.train.value.profit import (
    Economics,
    cumulative_profit,
    expected_maximum_profit,
    expected_profit,
    profit_curve,
    realised_profit,
)

PUBLISHED = Economics()


def by_integration(is_churned, score, value, terms):
    """The same measure by brute force: the best number to contact for each of many chances of acceptance."""
    y, v = np.asarray(is_churned, dtype=float), np.broadcast_to(np.asarray(value, dtype=float), len(is_churned))
    _, saved = cumulative_profit(score, y * (v - terms.offer_cost))
    _, spent = cumulative_profit(score, terms.contact_cost + (1 - y) * terms.offer_cost)
    gamma = np.linspace(0, 1, 4001)
    best = (gamma[:, None] * saved - spent).max(axis=1)
    return np.trapezoid(best * beta.pdf(gamma, terms.alpha, terms.beta), gamma) / len(y)


def test_the_defaults_are_the_published_ones():
    assert PUBLISHED.to_dict() == {"contact_cost": 1.0, "offer_cost": 10.0, "alpha": 6.0, "beta": 14.0}
    assert PUBLISHED.accepted == pytest.approx(0.3)


def test_a_published_worked_value():
    """Eight customers at CLV 200 and the published defaults: the example in the documentation of empulse's empc_score
    , an implementation of Verbraken, Verbeke and Baesens (2013)."""
    outcome = [0, 1, 0, 1, 0, 1, 0, 1]
    score = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9]
    emp, share = expected_maximum_profit(outcome, score, 200.0, PUBLISHED)
    assert emp == pytest.approx(23.875593418348124, rel=1e-12)
    assert 0.8 < share < 0.9


def test_a_perfect_ranking_earns_what_the_churners_are_worth():
    """All churners and nobody else are contacted whenever the chance exceeds 1 / (CLV - offer), and nobody below."""
    from scipy.special import betainc

    y = np.r_[np.ones(30), np.zeros(70)]
    emp, share = expected_maximum_profit(y, y, 200.0, PUBLISHED)
    least = 1 / 190
    above = 1 - betainc(6, 14, least)
    assert emp == pytest.approx(0.3 * (190 * 0.3 * (1 - betainc(7, 14, least)) - above), rel=1e-9)
    assert share == pytest.approx(0.3 * above)


@given(seed=st.integers(0, 10_000), n=st.integers(1, 60), digits=st.integers(0, 2))
@settings(deadline=None, max_examples=40)
def test_the_closed_form_is_the_integral_also_with_own_values_and_ties(seed, n, digits):
    rng = np.random.default_rng(seed)
    y, score = rng.random(n) < 0.3, rng.random(n).round(digits)
    value = rng.gamma(1.0, 100.0, n)
    terms = Economics(rng.uniform(0, 5), rng.uniform(0, 20), rng.uniform(1, 8), rng.uniform(1, 16))
    emp, share = expected_maximum_profit(y, score, value, terms)
    assert emp == pytest.approx(by_integration(y, score, value, terms), rel=2e-3, abs=2e-3)
    assert emp >= -1e-12 and 0 <= share <= 1


def test_where_nobody_is_worth_the_offer_nobody_is_contacted():
    assert expected_maximum_profit([1, 1, 0], [0.9, 0.8, 0.1], 5.0, PUBLISHED) == (0.0, 0.0)
    assert np.isnan(expected_maximum_profit([], [], 5.0, PUBLISHED)).all()


def test_profit_of_a_contact_by_hand():
    profit = realised_profit(np.array([1, 0]), np.array([110.0, 110.0]), PUBLISHED)
    assert profit == pytest.approx([0.3 * 100 - 1, -11])
    assert expected_profit(np.array([0.5]), np.array([110.0]), PUBLISHED) == pytest.approx([9.0])


@given(seed=st.integers(0, 10_000), n=st.integers(1, 50))
@settings(deadline=None, max_examples=50)
def test_every_ranking_ends_with_everybody_and_the_known_profit_is_never_beaten(seed, n):
    rng = np.random.default_rng(seed)
    profit, score = rng.normal(0, 10, n), rng.random(n).round(1)
    shares = np.linspace(0, 1, 11)
    ranked, best, flat = (profit_curve(s, profit, shares) for s in (score, profit, np.zeros(n)))
    assert ranked[0] == 0 and ranked[-1] == pytest.approx(profit.sum())
    assert (ranked <= best + 1e-9).all()
    assert flat == pytest.approx(shares * profit.sum()), "at random profit grows with the share"
