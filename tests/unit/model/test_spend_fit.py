"""Gamma-gamma: the density, its maximum, and what it expects of customers of few and of many orders."""

import numpy as np
import pytest
from scipy.integrate import quad

from assets.model.gamma_gamma import GammaGamma
from assets.model.spend_fit import fit_gamma_gamma, log_likelihood

TRUTH = GammaGamma(6.25, 3.74, 15.44)


def world(seed: int, n_customers: int = 3000):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 8, n_customers)
    rate = rng.gamma(TRUTH.q, 1 / TRUTH.gamma, n_customers)
    return n, rng.gamma(TRUTH.p * n, 1 / (rate * n)), TRUTH.p / rate


@pytest.mark.parametrize("n", [1, 4])
def test_the_likelihood_is_a_density(n):
    total, _ = quad(lambda z: np.exp(log_likelihood(TRUTH, np.array([n]), np.array([z]))), 1e-9, np.inf, limit=300)
    assert total == pytest.approx(1.0, abs=1e-5)


def test_the_maximum_is_found():
    n, mean, _ = world(1)
    found = fit_gamma_gamma(n, mean)
    best = log_likelihood(found, n, mean)
    assert best >= log_likelihood(TRUTH, n, mean)
    for factor in (0.99, 1.01):
        for name in ("p", "q", "gamma"):
            beside = GammaGamma(**{**found.to_dict(), name: getattr(found, name) * factor})
            assert log_likelihood(beside, n, mean) < best
    assert found.population_mean == pytest.approx(TRUTH.population_mean, rel=0.05)


def test_the_currency_does_not_matter():
    n, mean, _ = world(2)
    one, other = fit_gamma_gamma(n, mean), fit_gamma_gamma(n, mean * 1000)
    assert other.gamma == pytest.approx(1000 * one.gamma, rel=1e-3)
    assert other.p == pytest.approx(one.p, rel=1e-3)


def test_what_is_expected_lies_between_the_own_mean_and_the_population_and_beats_both():
    n, mean, truth = world(3)
    expected = TRUTH.expected_level(n, mean)
    population = TRUTH.population_mean
    low, high = np.minimum(mean, population), np.maximum(mean, population)
    assert ((expected >= low - 1e-9) & (expected <= high + 1e-9)).all()
    squared = [((guess - truth) ** 2).mean() for guess in (expected, mean, np.full_like(mean, population))]
    assert squared[0] < min(squared[1:])


def test_without_an_order_the_population_speaks():
    assert TRUTH.expected_level(np.array([0, np.nan]), np.array([np.nan, 5.0])) == pytest.approx(TRUTH.population_mean)


def test_too_few_customers_are_not_fitted():
    assert fit_gamma_gamma(np.ones(29), np.ones(29)) is None
    # Means of nothing or below are no values of an order.
    assert fit_gamma_gamma(np.ones(60), np.r_[np.ones(29), np.zeros(31)]) is None


def test_thirty_customers_are_fitted():
    n, mean, _ = world(1)
    assert fit_gamma_gamma(n[:30], mean[:30]) is not None
    assert fit_gamma_gamma(n[:29], mean[:29]) is None
