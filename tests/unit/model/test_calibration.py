"""Calibration: a moved base rate is found, the ranking is never turned round, a season needs its year before."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.model import calibration
from assets.model.calibration import OutOfTime, PredictionPool
from assets.model.retention_model import probability_of


def test_a_shift_finds_a_moved_base_rate_and_few_rows_move_little():
    rng = np.random.default_rng(4)
    z = rng.normal(0, 2, 40_000)
    y = rng.random(40_000) < probability_of(z + 0.4)
    assert calibration.fit_shift(z, y) == pytest.approx(0.4, abs=0.05)
    assert abs(calibration.fit_shift(z[:20], np.ones(20, dtype=bool))) < 0.6
    assert calibration.fit_shift(np.empty(0), np.empty(0, bool)) == 0.0


def test_calibration_finds_a_known_shift_and_scale():
    rng = np.random.default_rng(4)
    z = rng.normal(0, 2, 40_000)
    y = rng.random(40_000) < probability_of(0.5 + 0.7 * z)
    intercept, slope = calibration.fit_calibration(z, y)
    assert intercept == pytest.approx(0.5, abs=0.05)
    assert slope == pytest.approx(0.7, abs=0.03)


@given(st.lists(st.tuples(st.floats(-20, 20), st.booleans()), max_size=30))
@settings(deadline=None)
def test_calibration_never_turns_the_ranking_round(cases):
    z, y = np.array([c[0] for c in cases]), np.array([c[1] for c in cases], dtype=bool)
    intercept, slope = calibration.fit_calibration(z, y)
    assert slope > 0
    assert np.isfinite(intercept)


def test_calibration_of_nothing_is_none():
    assert calibration.fit_calibration(np.empty(0), np.empty(0, bool)) == pytest.approx((0.0, 1.0))


def test_a_season_seen_at_past_cutoffs_moves_the_next_prediction_and_only_with_its_year_before():
    """Everybody is quieter by a known swing each month; the swing of the coming month was never seen this year."""
    rng = np.random.default_rng(5)
    swing = [0.0, 0.5, -0.4, 0.3, -0.2, 0.6, -0.9]
    pool, coming = PredictionPool(), 1.1
    for month, off in enumerate(swing):
        z = rng.normal(0, 1, 4000)
        churned = rng.random(4000) < probability_of(z + off)
        # Last year everybody was quieter by a little more.
        pool.add(OutOfTime(date(2024, 1, 1) + timedelta(30 * month), z, churned, off + 0.2))
    ready = pool.predictions[-1].cutoff + timedelta(30)
    with_season = pool.calibration(ready, 30)
    assert with_season.season > 0.8
    said = with_season.of(np.zeros(1), coming + 0.2)[0]
    without = pool.calibration(ready, 30, with_season=False).of(np.zeros(1), coming + 0.2)[0]
    assert abs(said - coming) < 0.25 < abs(without - coming)
    assert pool.calibration(ready, 30, with_season=False).season == 0.0


def test_without_a_year_before_nothing_changes():
    rng = np.random.default_rng(6)
    pool = PredictionPool()
    for month in range(6):
        z, churned = rng.normal(0, 1, 500), rng.random(500) < 0.4
        pool.add(OutOfTime(date(2024, 1, 1) + timedelta(30 * month), z, churned, float("nan")))
    ready = pool.predictions[-1].cutoff + timedelta(30)
    assert pool.calibration(ready, 30) == pool.calibration(ready, 30, with_season=False)


def test_a_ranking_that_is_the_wrong_way_round_keeps_a_slope_of_a_twentieth():
    z = np.linspace(-3, 3, 1000)
    _, slope = calibration.fit_calibration(z, z < 0)
    assert slope == pytest.approx(0.05)


def test_beliefs_weigh_as_many_customers_as_they_say():
    """Where the penalised likelihood is flat: a hundred customers for the shift, twenty for intercept and slope, each
    customer a quarter, which is the information of an outcome as uncertain as can be."""
    rng = np.random.default_rng(1)
    z = rng.normal(0, 1, 300)
    y = rng.random(300) < 0.8
    shift = calibration.fit_shift(z, y)
    assert (probability_of(z + shift) - y).sum() + 100 / 4 * shift == pytest.approx(0, abs=1e-6)
    intercept, slope = calibration.fit_calibration(z, y)
    off = probability_of(intercept + slope * z) - y
    assert off.sum() + 20 / 4 * intercept == pytest.approx(0, abs=1e-6)
    assert (off * z).sum() + 20 * (slope - 1) == pytest.approx(0, abs=1e-6)
