"""The fitted models: robust to empty columns, indifferent to order and threads, calibrated as said."""

from dataclasses import replace

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
    return estimator.fit_candidate_models(rows, 30, seed=1)["average"]


def test_columns_without_news_are_dropped_and_gaps_are_news():
    nan = np.nan
    matrix = np.array([[1, nan, 5, 5, nan], [2, nan, 5, nan, 1], [3, nan, 5, 5, 2]], dtype=float)
    assert estimator.usable_columns(matrix).tolist() == [0, 3, 4]


def test_all_missing_and_constant_columns_neither_crash_nor_count(world, rows, churn):
    changed = world.with_feature(rows, "gap_cv", np.full(len(rows), np.nan))
    changed = world.with_feature(changed, "n_orders", np.full(len(rows), 3.0))
    other = world.with_feature(changed, "n_orders", np.full(len(rows), 900.0))
    for candidate_model in estimator.fit_candidate_models(changed, 30, seed=1).values():
        assert np.isfinite(candidate_model.log_odds(changed.matrix)).all()
        assert np.array_equal(candidate_model.log_odds(changed.matrix), candidate_model.log_odds(other.matrix))


def test_order_of_rows_and_names_of_customers_change_no_bit(world, rows, churn):
    again = estimator.fit_candidate_models(world.renumbered(rows).in_content_order(), 30, seed=1)["average"]
    assert np.array_equal(churn.log_odds(rows.matrix), again.log_odds(rows.matrix))


def test_number_of_threads_changes_no_bit(rows, churn):
    with threadpool_limits(limits=4):
        many = estimator.fit_candidate_models(rows, 30, seed=1)["average"].log_odds(rows.matrix)
    with threadpool_limits(limits=1):
        one = churn.log_odds(rows.matrix)
    assert np.array_equal(one, many)


def test_threads_of_large_fits_change_no_bit(rows, monkeypatch):
    matrix = rows.matrix[:, estimator.usable_columns(rows.matrix)]
    y = rows.is_churned.astype(int)
    with threadpool_limits(limits=1):
        one = estimator._fit_trees(matrix, y, seed=1).decision_function(matrix)
        margins = estimator.fit_margin(rows, seed=1).predict(rows.matrix)
        monkeypatch.setattr(estimator, "LINEAR_ROWS", 10)
        monkeypatch.setattr(estimator.os, "cpu_count", lambda: 3)
        assert np.array_equal(estimator._fit_trees(matrix, y, seed=1).decision_function(matrix), one)
        assert np.array_equal(estimator.fit_margin(rows, seed=1).predict(rows.matrix), margins)


def test_a_model_is_the_stated_sum_of_its_parts(rows, churn):
    inputs, names = churn.extend(rows.matrix), list(churn.inputs)
    assert sum(part.weight for part in churn.parts) == 1
    total = sum(part.weight * part.log_odds(inputs, names, 30) for part in churn.parts)
    calibrated = replace(churn, intercept=-0.3, slope=0.8)
    assert calibrated.log_odds(rows.matrix) == pytest.approx(-0.3 + 0.8 * total, abs=1e-12)


def test_a_shift_finds_a_moved_base_rate_and_few_rows_move_little():
    rng = np.random.default_rng(4)
    z = rng.normal(0, 2, 40_000)
    y = rng.random(40_000) < probability_of(z + 0.4)
    assert estimator.fit_shift(z, y) == pytest.approx(0.4, abs=0.05)
    assert abs(estimator.fit_shift(z[:20], np.ones(20, dtype=bool))) < 0.6
    assert estimator.fit_shift(np.empty(0), np.empty(0, bool)) == 0.0


def test_rows_never_seen_with_gaps_anywhere_still_get_a_number(churn, rows):
    matrix = rows.matrix[:1].copy()
    for j in range(len(FEATURES)):
        holed = matrix.copy()
        holed[:, j] = np.nan
        assert np.isfinite(churn.log_odds(holed)).all()
    assert np.isfinite(churn.log_odds(np.full((1, len(FEATURES)), np.nan))).all()
    assert np.isfinite(churn.log_odds(np.full((1, len(FEATURES)), 1e12))).all()


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
    odd = Snapshots(rows.matrix, rows.is_churned, rows.is_active, rows.margin - 3.0, rows.cutoff)
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


def test_recency_over_gap_ranks_by_the_ratio_and_knows_that_a_long_gap_outlasts_the_horizon(world, rows):
    rng = np.random.default_rng(3)
    gap = rng.choice([3.0, 10.0, 40.0], len(rows))
    ratio = rng.uniform(0.05, 4.0, len(rows))
    leaves = rng.random(len(rows)) < probability_of(2.0 * ratio - 4.0 + 0.05 * gap)
    made = replace(
        world.with_feature(world.with_feature(rows, "gap_mean_days", gap), "recency_over_gap_mean", ratio),
        is_churned=leaves,
    )
    candidate_model = estimator.fit_candidate_models(made, 30, seed=1)["recency_over_gap"]

    def says(ratio: float, gap: float) -> float:
        row = np.full((1, len(FEATURES)), np.nan)
        row[0, FEATURES.index("recency_over_gap_mean")] = ratio
        row[0, FEATURES.index("gap_mean_days")] = gap
        return float(candidate_model.log_odds(row)[0])

    for own in (3.0, 10.0, 40.0):
        ranked = [says(r, own) for r in (0.1, 0.5, 1.0, 2.0, 4.0)]
        assert ranked == sorted(ranked) and ranked[-1] - ranked[0] > 1
    assert says(1.0, 40.0) > says(1.0, 3.0)
    assert np.isfinite(says(np.nan, np.nan))  # no second purchase yet: as with the usual gap


def test_margins_of_many_rows_are_learned_from_the_first_in_content_order(rows, monkeypatch):
    buyers = rows.where(~rows.is_churned)
    few = buyers.where(slice(0, 60))
    monkeypatch.setattr(estimator, "MARGIN_ROWS", 60)
    assert np.array_equal(
        estimator.fit_margin(rows, seed=1).predict(rows.matrix), estimator.fit_margin(few, seed=1).predict(rows.matrix)
    )
