"""A simple model takes over where newly matured outcomes show it better beyond doubt, whatever the level."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.model.churn_features import FEATURES
from assets.model.snapshots import Snapshots
from assets.train.simple_members import find_better, log_odds_of


def _rows(n: int, seed: int = 1, inactive: int = 0) -> tuple[Snapshots, np.ndarray]:
    """Customers and their true log-odds; the last `inactive` of them are not active."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 2, n)
    y = rng.random(n) < 1 / (1 + np.exp(-truth))
    cutoff = np.full(n, date(2020, 1, 1), dtype="datetime64[D]")
    return Snapshots(np.zeros((n, len(FEATURES))), y, np.arange(n) < n - inactive, np.zeros(n), cutoff), truth


def test_the_least_loss_of_those_that_are_better_is_taken():
    rows, truth = _rows(1000)
    noise = np.random.default_rng(2).normal(0, 2, 1000)
    simple = {"rfm_logit": truth + 0.5 * noise, "mbg_nbd": truth, "recency_rule": noise}
    better = find_better(rows, 0.2 * truth + noise, simple)
    assert better.candidate_model == "mbg_nbd" and better.n_compared == 3
    assert 0 < better.low < better.model_loss - better.loss < better.high
    assert find_better(rows, truth, {"rfm_logit": truth + noise}) is None
    assert find_better(rows, truth, {}) is None


def test_equals_are_not_better_and_neither_is_a_little_luck():
    rows, truth = _rows(1000)
    assert find_better(rows, truth, {"rfm_logit": truth}) is None
    blurred = truth + np.random.default_rng(5).normal(0, 0.1, 1000)
    assert find_better(rows, blurred, {"rfm_logit": truth}) is None


def test_who_ranks_better_is_not_replaced_for_the_spread_of_its_probabilities():
    """Too sure of itself, but in the right order; the same with the order lost is replaced."""
    rows, truth = _rows(2000)
    noise = np.random.default_rng(2).normal(0, 1, 2000)
    blurred = {"mbg_nbd": 0.8 * (truth + noise)}
    assert find_better(rows, 6 * truth, blurred) is None
    assert find_better(rows, 6 * (truth + 1.1 * noise), blurred) is not None


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_levels_are_taken_out(of_model, of_simple):
    """What recalibration would mend is no reason; it is told by how much the simple model has to be shifted."""
    rows, truth = _rows(5000)
    noise = np.random.default_rng(2).normal(0, 2, 5000)
    assert find_better(rows, truth + of_model, {"rfm_logit": 0.9 * truth + 0.3 * noise}) is None
    better = find_better(rows, noise + of_model, {"rfm_logit": truth + of_simple})
    assert better is not None and better.shift == pytest.approx(-of_simple, abs=0.3)


@pytest.mark.parametrize(("n_active", "is_judged"), [(199, False), (200, True)])
def test_two_hundred_active_customers_are_needed(n_active, is_judged):
    rows, truth = _rows(500, inactive=500 - n_active)
    assert (find_better(rows, -truth, {"rfm_logit": truth}) is not None) == is_judged


def test_one_outcome_alone_judges_nobody():
    rows, truth = _rows(500)
    rows.is_churned[:] = True
    assert find_better(rows, -truth, {"rfm_logit": truth}) is None


def test_the_more_are_compared_the_more_is_asked_of_each():
    rows, truth = _rows(1000)
    said, others = truth + np.random.default_rng(2).normal(0, 1, 1000), {"mbg_nbd": -truth, "recency_rule": -truth}
    alone, one_of_three = (find_better(rows, said, {"rfm_logit": truth, **more}) for more in ({}, others))
    half = (alone.high - alone.low) / 2
    assert half / 1.959964 == pytest.approx((one_of_three.high - one_of_three.low) / 2 / 2.393980, rel=1e-6)


def test_log_odds_of_certain_probabilities_are_finite():
    found = log_odds_of(np.array([0.0, 0.5, 1.0]))
    assert np.isfinite(found).all() and found[1] == 0 and found[0] == pytest.approx(-found[2])
