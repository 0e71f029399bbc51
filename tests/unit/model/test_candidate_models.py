"""The fitted models: robust to empty columns, indifferent to order and threads, calibrated as said."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from assets.model import candidate_models, margin_fit, part_fits, threads
from assets.model.churn_features import FEATURES
from assets.model.retention_model import probability_of
from assets.model.snapshots import Snapshots


@pytest.fixture(scope="module")
def rows(world):
    return world.snapshots(n_customers=120, seed=9)


@pytest.fixture(scope="module")
def churn(rows):
    return candidate_models.fit_candidate_models(rows, 30, seed=1)["average"]


def test_columns_without_news_are_dropped_and_gaps_are_news():
    nan = np.nan
    matrix = np.array([[1, nan, 5, 5, nan], [2, nan, 5, nan, 1], [3, nan, 5, 5, 2]], dtype=float)
    assert part_fits.usable_columns(matrix).tolist() == [0, 3, 4]


def test_all_missing_and_constant_columns_neither_crash_nor_count(world, rows, churn):
    changed = world.with_feature(rows, "gap_cv", np.full(len(rows), np.nan))
    changed = world.with_feature(changed, "n_orders", np.full(len(rows), 3.0))
    other = world.with_feature(changed, "n_orders", np.full(len(rows), 900.0))
    for candidate_model in candidate_models.fit_candidate_models(changed, 30, seed=1).values():
        assert np.isfinite(candidate_model.log_odds(changed.matrix)).all()
        assert np.array_equal(candidate_model.log_odds(changed.matrix), candidate_model.log_odds(other.matrix))


def test_order_of_rows_and_names_of_customers_change_no_bit(world, rows, churn):
    again = candidate_models.fit_candidate_models(world.renumbered(rows).in_content_order(), 30, seed=1)["average"]
    assert np.array_equal(churn.log_odds(rows.matrix), again.log_odds(rows.matrix))


def test_number_of_threads_changes_no_bit(rows, churn):
    with threadpool_limits(limits=4):
        many = candidate_models.fit_candidate_models(rows, 30, seed=1)["average"].log_odds(rows.matrix)
    with threadpool_limits(limits=1):
        one = churn.log_odds(rows.matrix)
    assert np.array_equal(one, many)


def test_threads_of_large_fits_change_no_bit(rows, monkeypatch):
    matrix = rows.matrix[:, part_fits.usable_columns(rows.matrix)]
    y = rows.is_churned.astype(int)
    with threadpool_limits(limits=1):
        one = part_fits.fit_trees(matrix, y, seed=1).decision_function(matrix)
        margins = margin_fit.fit_margin(rows, seed=1).predict(rows.matrix)
        monkeypatch.setattr(threads, "MANY_ROWS", 10)
        monkeypatch.setattr(threads.os, "cpu_count", lambda: 3)
        assert np.array_equal(part_fits.fit_trees(matrix, y, seed=1).decision_function(matrix), one)
        assert np.array_equal(margin_fit.fit_margin(rows, seed=1).predict(rows.matrix), margins)


def test_a_model_is_the_stated_sum_of_its_parts(rows, churn):
    inputs, names = churn.extend(rows.matrix), list(churn.inputs)
    assert sum(part.weight for part in churn.parts) == 1
    total = sum(part.weight * part.log_odds(inputs, names, 30) for part in churn.parts)
    calibrated = replace(churn, intercept=-0.3, slope=0.8)
    assert calibrated.log_odds(rows.matrix) == pytest.approx(-0.3 + 0.8 * total, abs=1e-12)


def test_rows_never_seen_with_gaps_anywhere_still_get_a_number(churn, rows):
    matrix = rows.matrix[:1].copy()
    for j in range(len(FEATURES)):
        holed = matrix.copy()
        holed[:, j] = np.nan
        assert np.isfinite(churn.log_odds(holed)).all()
    assert np.isfinite(churn.log_odds(np.full((1, len(FEATURES)), np.nan))).all()
    assert np.isfinite(churn.log_odds(np.full((1, len(FEATURES)), 1e12))).all()


def test_margins_are_never_negative_and_returns_do_not_crash(rows):
    odd = Snapshots(rows.matrix, rows.is_churned, rows.is_active, rows.margin - 3.0, rows.cutoff)
    assert (margin_fit.fit_margin(odd, seed=1).predict(rows.matrix) >= 0).all()


def test_recency_over_gap_ranks_by_the_ratio_and_knows_that_a_long_gap_outlasts_the_horizon(world, rows):
    rng = np.random.default_rng(3)
    gap = rng.choice([3.0, 10.0, 40.0], len(rows))
    ratio = rng.uniform(0.05, 4.0, len(rows))
    leaves = rng.random(len(rows)) < probability_of(2.0 * ratio - 4.0 + 0.05 * gap)
    made = replace(
        world.with_feature(world.with_feature(rows, "gap_mean_days", gap), "recency_over_gap_mean", ratio),
        is_churned=leaves,
    )
    candidate_model = candidate_models.fit_candidate_models(made, 30, seed=1)["recency_over_gap"]

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
    monkeypatch.setattr(margin_fit, "MARGIN_ROWS", 60)
    assert np.array_equal(
        margin_fit.fit_margin(rows, seed=1).predict(rows.matrix),
        margin_fit.fit_margin(few, seed=1).predict(rows.matrix),
    )
