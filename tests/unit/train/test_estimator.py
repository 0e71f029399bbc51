"""The fitted models: robust to empty columns, indifferent to order and threads, calibrated as said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from assets.shared.churn_features import FEATURES
from assets.shared.retention_model import probability_of
from assets.train import estimator
from assets.train.snapshots import Snapshots


@pytest.fixture(scope="module")
def rows(world):
    return world.snapshots(n_customers=120, seed=9)


@pytest.fixture(scope="module")
def churn(rows):
    return estimator.fit_churn(rows, seed=1)


def test_columns_without_news_are_dropped_and_gaps_are_news():
    nan = np.nan
    matrix = np.array([[1, nan, 5, 5, nan], [2, nan, 5, nan, 1], [3, nan, 5, 5, 2]], dtype=float)
    assert estimator.usable_columns(matrix).tolist() == [0, 3, 4]


def test_all_missing_and_constant_columns_neither_crash_nor_count(world, rows, churn):
    changed = world.with_feature(rows, "gap_cv", np.full(len(rows), np.nan))
    changed = world.with_feature(changed, "n_orders", np.full(len(rows), 3.0))
    other = world.with_feature(changed, "n_orders", np.full(len(rows), 900.0))
    fitted = estimator.fit_churn(changed, seed=1)
    assert np.isfinite(fitted.transform(changed.matrix)).all()
    assert np.array_equal(fitted.transform(changed.matrix), fitted.transform(other.matrix))


def test_order_of_rows_and_names_of_customers_change_no_bit(world, rows, churn):
    again = estimator.fit_churn(world.renumbered(rows).in_content_order(), seed=1)
    assert np.array_equal(churn.transform(rows.matrix), again.transform(rows.matrix))


def test_number_of_threads_changes_no_bit(rows, churn):
    with threadpool_limits(limits=4):
        many = estimator.mean_log_odds(estimator.fit_churn(rows, seed=1), rows.matrix)
    with threadpool_limits(limits=1):
        one = estimator.mean_log_odds(churn, rows.matrix)
    assert np.array_equal(one, many)


def test_the_calibrated_pipeline_is_the_stated_formula(rows, churn):
    log_odds = estimator.mean_log_odds(churn, rows.matrix)
    calibrated = estimator.calibrate(churn, -0.3, 0.8)
    expected = probability_of(-0.3 + 0.8 * log_odds)
    assert calibrated.predict_proba(rows.matrix)[:, 1] == pytest.approx(expected, abs=1e-12)


def test_rows_never_seen_with_gaps_anywhere_still_get_a_number(churn, rows):
    matrix = rows.matrix[:1].copy()
    for j in range(len(FEATURES)):
        holed = matrix.copy()
        holed[:, j] = np.nan
        assert np.isfinite(estimator.mean_log_odds(churn, holed)).all()
    assert np.isfinite(estimator.mean_log_odds(churn, np.full((1, len(FEATURES)), np.nan))).all()
    assert np.isfinite(estimator.mean_log_odds(churn, np.full((1, len(FEATURES)), 1e12))).all()


def test_calibration_finds_a_known_shift_and_scale():
    rng = np.random.default_rng(4)
    z = rng.normal(0, 2, 40_000)
    y = rng.random(40_000) < probability_of(0.5 + 0.7 * z)
    intercept, slope = estimator.fit_calibration(z, y)
    assert intercept == pytest.approx(0.5, abs=0.05)
    assert slope == pytest.approx(0.7, abs=0.03)


@given(st.lists(st.tuples(st.floats(-20, 20), st.booleans()), max_size=30))
@settings(deadline=None)
def test_calibration_never_turns_the_ranking_round(cases):
    z, y = np.array([c[0] for c in cases]), np.array([c[1] for c in cases], dtype=bool)
    intercept, slope = estimator.fit_calibration(z, y)
    assert slope > 0
    assert np.isfinite(intercept)


def test_calibration_of_nothing_is_none():
    assert estimator.fit_calibration(np.empty(0), np.empty(0, bool)) == pytest.approx((0.0, 1.0))


def test_margins_are_never_negative_and_returns_do_not_crash(rows):
    odd = Snapshots(rows.matrix, rows.is_churned, rows.is_active, rows.margin - 3.0, rows.cut)
    assert (estimator.fit_margin(odd, seed=1).predict(rows.matrix) >= 0).all()


def test_a_leaking_feature_is_found_in_either_direction_and_by_its_gaps(world, rows):
    names = FEATURES
    noise = np.random.default_rng(0).normal(0, 0.1, len(rows))
    honest = estimator.strongest_feature(rows, names)
    assert honest[1] < 0.97
    for values in (rows.is_churned + noise, noise - rows.is_churned, np.where(rows.is_churned, np.nan, 7.0)):
        name, auc = estimator.strongest_feature(world.with_feature(rows, "return_share", values), names)
        assert name == "return_share"
        assert auc > 0.99


def test_content_order_depends_on_content_only(world, rows):
    shuffled = world.renumbered(rows, seed=8)
    assert not np.array_equal(shuffled.margin, rows.margin)
    assert np.array_equal(shuffled.in_content_order().matrix, rows.matrix, equal_nan=True)
    assert np.array_equal(shuffled.in_content_order().is_churned, rows.is_churned)
