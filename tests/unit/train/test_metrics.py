"""Metrics against scikit-learn or closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from assets.train import metrics

AUC, AP, BRIER, LOSS, ECE, LIFT = range(6)
#: Few distinct values, so that ties are the rule.
tied = st.lists(st.tuples(st.booleans(), st.sampled_from([0.05, 0.1, 0.3, 0.5, 0.9])), min_size=2, max_size=60)


def _arrays(rows):
    return np.array([y for y, _ in rows], dtype=bool), np.array([p for _, p in rows])


@given(tied)
def test_as_scikit_learn_has_them_ties_included(rows):
    y, p = _arrays(rows)
    found = metrics.measure_scores(y, p)
    assert found[BRIER] == pytest.approx(reference.brier_score_loss(y, p, pos_label=True))
    assert found[LOSS] == pytest.approx(reference.log_loss(y, p, labels=[False, True]))
    if y.any() and not y.all():
        assert found[AUC] == pytest.approx(reference.roc_auc_score(y, p))
        assert found[AP] == pytest.approx(reference.average_precision_score(y, p))
    else:
        assert np.isnan(found[[AUC, AP, LIFT]]).all()


@given(tied, st.integers(0, 2**32 - 1))
def test_weights_are_repeated_rows(rows, seed):
    y, p = _arrays(rows)
    weights = np.random.default_rng(seed).integers(0, 4, len(y))
    weights[0] += 1
    repeated = metrics.measure_scores(np.repeat(y, weights), np.repeat(p, weights))
    weighted = metrics.measure_scores(y, p, weights[None, :])[0]
    assert np.allclose(weighted, repeated, equal_nan=True)


@given(tied, st.integers(0, 2**32 - 1))
def test_order_of_rows_does_not_matter(rows, seed):
    y, p = _arrays(rows)
    order = np.random.default_rng(seed).permutation(len(y))
    assert np.allclose(metrics.measure_scores(y, p), metrics.measure_scores(y[order], p[order]), equal_nan=True)
    captured = metrics.captured_share(y[order] * 2.0, p[order])
    assert metrics.captured_share(y * 2.0, p) == pytest.approx(captured, nan_ok=True)


def test_calibration_error_is_the_gap_in_each_tenth():
    p = np.repeat(np.arange(10) / 10 + 0.05, 100)
    y = np.tile(np.arange(100) < 20, 10)
    expected = np.abs(np.arange(10) / 10 + 0.05 - 0.2).mean()
    assert metrics.measure_scores(y, p)[ECE] == pytest.approx(expected)
    assert metrics.measure_scores(y, np.full(1000, 0.2))[ECE] == pytest.approx(0.0)


def test_lift_of_perfect_and_useless_scores():
    y = np.arange(100) < 20
    assert metrics.measure_scores(y, np.linspace(1, 0, 100))[LIFT] == pytest.approx(5.0)
    assert metrics.measure_scores(y, np.full(100, 0.4))[LIFT] == pytest.approx(1.0)
    half_tied = np.where(np.arange(100) < 5, 0.9, np.where(np.arange(100) < 20, 0.5, 0.1))
    assert metrics.measure_scores(y, half_tied)[LIFT] == pytest.approx(5.0)


def test_no_rows_give_no_numbers():
    assert np.isnan(metrics.measure_scores(np.empty(0, bool), np.empty(0))).all()
    assert metrics.reliability(np.empty(0, bool), np.empty(0)) == []


def test_bootstrap_spread_is_that_of_a_mean():
    rng = np.random.default_rng(2)
    p = rng.uniform(0, 1, 3000)
    y = rng.random(3000) < p
    drawn = metrics.measure_resamples(y, p, metrics.draw_resamples(3000, [1, 2]))
    errors = (y - p) ** 2
    assert drawn[:, BRIER].std() == pytest.approx(errors.std() / np.sqrt(3000), rel=0.2)
    assert drawn[:, BRIER].mean() == pytest.approx(errors.mean(), rel=0.01)


def test_resamples_follow_their_seed_alone():
    assert np.array_equal(metrics.draw_resamples(50, [1, 0]), metrics.draw_resamples(50, [1, 0]))
    assert not np.array_equal(metrics.draw_resamples(50, [1, 0]), metrics.draw_resamples(50, [2, 0]))
    assert (metrics.draw_resamples(50, [1, 0]).sum(axis=1) == 50).all()


def test_the_mean_over_cutoffs_is_never_surer_than_one_cutoff():
    within = metrics.mean_margin(np.array([0.7, 0.7, 0.7]), np.array([0.02, 0.02, 0.02]))
    assert within == pytest.approx(1.959964 * 0.02)
    assert metrics.mean_margin(np.array([0.7]), np.array([0.02])) == np.inf
    assert np.isnan(metrics.mean_margin(np.array([0.7, np.nan]), np.array([0.02, 0.02])))


@pytest.mark.parametrize(
    "values, margin",
    [
        ([0.5, 0.9], 12.7062 * 0.2),  # one degree of freedom
        ([0.6, 0.7, 0.8], 4.30265 * 0.1 / np.sqrt(3)),
        ([0.6, 0.6, 0.8, 0.8], 3.18245 * np.std([0.6, 0.6, 0.8, 0.8], ddof=1) / 2),
    ],
)
def test_few_cutoffs_are_judged_by_students_quantile(values, margin):
    assert metrics.mean_margin(np.array(values), np.full(len(values), 0.001)) == pytest.approx(margin, rel=1e-5)


def test_a_gain_within_the_luck_of_three_cutoffs_is_none():
    # The normal quantile would call 0.02 +- 0.017 a gain; with three values it is 0.02 +- 0.037.
    gains = np.array([0.005, 0.020, 0.035])
    assert gains.mean() - 1.96 * gains.std(ddof=1) / np.sqrt(3) > 0
    assert gains.mean() - metrics.mean_margin(gains, np.full(3, 0.001)) < 0


def test_mean_and_error_of_rows():
    mean, error = metrics.mean_and_error(np.array([1.0, 2.0, 3.0, 4.0]))
    assert (mean, error) == (2.5, pytest.approx(np.sqrt(5 / 3) / 2))
    assert np.isnan(metrics.mean_and_error(np.array([])) + metrics.mean_and_error(np.array([1.0]))[1:]).all()


def test_intervals_stay_within_the_possible():
    assert metrics.estimate("auc", 0.98, 0.05).high == 1.0
    assert metrics.estimate("ece", 0.01, 0.05).low == 0.0
    assert metrics.estimate("lift_at_10", 4.0, 0.5).high > 4.0
    assert np.isnan(metrics.estimate("auc", np.nan, 0.1).low)


@given(tied)
def test_reliability_bins_hold_everybody_once(rows):
    y, p = _arrays(rows)
    bins = metrics.reliability(y, p)
    assert [b["bin"] for b in bins] == list(range(1, len(bins) + 1))
    assert sum(b["n"] for b in bins) == len(y)
    assert sum(b["n"] * b["observed_share"] for b in bins) == pytest.approx(y.sum())
    assert all(
        0 <= b["low"] <= b["observed_share"] + 1e-12 and b["observed_share"] <= b["high"] + 1e-12 <= 1 + 1e-9
        for b in bins
    )
    predicted = [b["mean_predicted"] for b in bins]
    assert predicted == sorted(predicted)


def test_poisson_deviance_as_scikit_learn_has_it():
    rng = np.random.default_rng(0)
    actual, expected = rng.poisson(3, 200).astype(float), rng.uniform(0.5, 6, 200)
    assert metrics.poisson_deviances(actual, expected).mean() == pytest.approx(
        reference.mean_poisson_deviance(actual, expected)
    )
    assert np.isfinite(metrics.poisson_deviances(np.array([0.0, 3.0]), np.array([0.0, 0.0]))).all()


def test_captured_share_of_the_best_tenth():
    amounts = np.r_[np.full(10, 9.0), np.full(90, 1.0)]
    assert metrics.captured_share(amounts, amounts) == pytest.approx(0.5)
    assert metrics.captured_share(amounts, np.zeros(100)) == pytest.approx(0.1)
    assert np.isnan(metrics.captured_share(np.zeros(10), np.arange(10)))
