"""Calibration: a base rate that is off at each cutoff is found, the ranking is never turned round, a season needs its
year before."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.model import calibration
from assets.model.calibration import OutOfTime, PredictionPool
from assets.model.churn_features import FEATURES
from assets.model.retention_model import probability_of
from assets.model.snapshots import Snapshots


def test_a_shift_finds_a_moved_base_rate_and_few_rows_move_little():
    rng = np.random.default_rng(4)
    z = rng.normal(0, 2, 40_000)
    y = rng.random(40_000) < probability_of(z + 0.4)
    assert calibration.fit_shift(z, y) == pytest.approx(0.4, abs=0.05)
    assert abs(calibration.fit_shift(z[:20], np.ones(20, dtype=bool))) < 0.6
    assert calibration.fit_shift(np.empty(0), np.empty(0, bool)) == 0.0


def said(day: int, z: np.ndarray, churned: np.ndarray, off_year_before: float = float("nan")) -> OutOfTime:
    return OutOfTime(date(2024, 1, 1) + timedelta(day), z, churned, off_year_before)


def at_levels(levels, n: int, slope: float = 1.0, seed: int = 4) -> PredictionPool:
    """Outcomes of one month after another that lie off the log-odds by these levels."""
    rng, pool = np.random.default_rng(seed), PredictionPool()
    for month, level in enumerate(levels):
        z = rng.normal(0, 2, n)
        pool.add(said(30 * month, z, rng.random(n) < probability_of(level + slope * z)))
    return pool


def test_calibration_finds_a_known_level_and_scale():
    found = at_levels([0.5] * 4, 20_000, slope=0.7).calibration(date(2025, 1, 1), 30)
    # Four cutoffs of a spread of a tenth weigh 400 together, the belief in no level 5.
    assert found.intercept == pytest.approx(0.5 * 400 / 405, abs=0.03)
    assert found.slope == pytest.approx(0.7, abs=0.02)
    assert (found.n_rows, found.n_cutoffs) == (80_000, 4)


def test_one_odd_month_is_no_new_level():
    """What the newest cutoff has of its own does not come again; what all have in common does."""
    found = at_levels([0.2, 0.2, 0.2, 0.2, -0.4], 20_000).calibration(date(2025, 1, 1), 30)
    assert found.intercept == pytest.approx(0.08, abs=0.04)


def test_a_cutoff_with_few_customers_says_little_of_the_level():
    many, few = at_levels([0.0], 20_000), at_levels([3.0], 40, seed=5).predictions[0]
    many.add(said(30, few.log_odds, few.is_churned))
    assert many.calibration(date(2025, 1, 1), 30).intercept < 0.5


def test_a_cutoff_speaks_from_the_day_its_outcomes_are_closed():
    pool = at_levels([1.0], 20_000)
    assert pool.calibration(date(2024, 1, 30), 30) == calibration.Calibration()
    assert pool.calibration(date(2024, 1, 31), 30).intercept > 0.7


def test_a_cutoff_without_active_customers_says_nothing():
    pool = PredictionPool([said(0, np.empty(0), np.empty(0, bool))])
    assert pool.calibration(date(2025, 1, 1), 30) == calibration.Calibration()


@given(st.lists(st.tuples(st.floats(-20, 20), st.booleans()), min_size=1, max_size=30))
@settings(deadline=None)
def test_calibration_never_turns_the_ranking_round(cases):
    z, y = np.array([c[0] for c in cases]), np.array([c[1] for c in cases], dtype=bool)
    found = PredictionPool([said(0, z, y)]).calibration(date(2025, 1, 1), 30)
    assert found.slope > 0
    assert np.isfinite(found.intercept)


def test_a_season_seen_at_past_cutoffs_moves_the_next_prediction_and_only_with_its_year_before():
    """Everybody is quieter by a known swing each month; the swing of the coming month was never seen this year."""
    rng = np.random.default_rng(5)
    swing = [0.0, 0.5, -0.4, 0.3, -0.2, 0.6, -0.9]
    pool, coming = PredictionPool(), 1.1
    for month, off in enumerate(swing):
        z = rng.normal(0, 1, 4000)
        churned = rng.random(4000) < probability_of(z + off)
        # Last year everybody was quieter by a little more.
        pool.add(said(30 * month, z, churned, off + 0.2))
    ready = pool.predictions[-1].cutoff + timedelta(30)
    with_season = pool.calibration(ready, 30)
    assert with_season.season > 0.8
    expected = with_season.of(np.zeros(1), coming + 0.2)[0]
    without = pool.calibration(ready, 30, with_season=False).of(np.zeros(1), coming + 0.2)[0]
    assert abs(expected - coming) < 0.25 < abs(without - coming)
    assert pool.calibration(ready, 30, with_season=False).season == 0.0


def test_without_a_year_before_nothing_changes():
    rng = np.random.default_rng(6)
    pool = PredictionPool()
    for month in range(6):
        z, churned = rng.normal(0, 1, 500), rng.random(500) < 0.4
        pool.add(said(30 * month, z, churned, float("nan")))
    ready = pool.predictions[-1].cutoff + timedelta(30)
    assert pool.calibration(ready, 30) == pool.calibration(ready, 30, with_season=False)


def test_cutoffs_without_a_year_before_say_nothing_of_the_level_beside_a_season():
    """They would be read as if their month had no season."""
    rng, pool = np.random.default_rng(7), PredictionPool()
    for month, off in enumerate([0.0, 0.5, -0.4, 0.3, -0.2, 0.6]):
        z = rng.normal(0, 1, 8000)
        pool.add(said(30 * month, z, rng.random(8000) < probability_of(z + off), off))
    whole = pool.calibration(date(2025, 1, 1), 30)
    z = rng.normal(0, 1, 8000)
    pool.add(said(-30, z, rng.random(8000) < probability_of(z + 2.0), float("nan")))
    assert whole.season > 0.8
    assert pool.calibration(date(2025, 1, 1), 30).intercept == pytest.approx(whole.intercept, abs=0.02)


def test_a_ranking_that_is_the_wrong_way_round_keeps_a_slope_of_a_twentieth():
    z = np.linspace(-3, 3, 1000)
    assert calibration.fit_slope([said(0, z, z < 0)]) == pytest.approx(0.05)


def test_beliefs_weigh_as_many_customers_as_they_say():
    """Where the penalised likelihood is flat: a hundred customers for the shift, twenty for the slope and for each
    level beside it, each customer a quarter, which is the information of an outcome as uncertain as can be."""
    rng = np.random.default_rng(1)
    z = rng.normal(0, 1, 300)
    y = rng.random(300) < 0.8
    shift = calibration.fit_shift(z, y)
    assert (probability_of(z + shift) - y).sum() + 100 / 4 * shift == pytest.approx(0, abs=1e-6)
    slope = calibration.fit_slope([said(0, z, y)])
    level = 0.0
    for _ in range(50):
        p = probability_of(level + slope * z)
        level -= ((p - y).sum() + 5 * level) / ((p * (1 - p)).sum() + 5)
    off = probability_of(level + slope * z) - y
    assert (off * z).sum() + 20 * (slope - 1) == pytest.approx(0, abs=1e-6)


def test_a_season_is_asked_of_active_customers():
    """Whoever is silent for long leaves in every season."""
    rng = np.random.default_rng(3)
    matrix = np.full((400, len(FEATURES)), 1.0)
    active = np.arange(400) < 200
    churned = np.where(active, rng.random(400) < 0.5, True)
    rows = Snapshots(matrix, churned, active, np.zeros(400), np.full(400, np.datetime64("2024-01-01")))

    class Even:
        def uncalibrated(self, matrix):
            return np.zeros(len(matrix))

    off = calibration.off_at(Even(), rows, 30, date(2024, 1, 31))
    assert off == calibration.fit_shift(np.zeros(200), churned[:200])
    assert np.isnan(calibration.off_at(Even(), rows, 30, date(2024, 1, 30)))
    assert np.isnan(calibration.off_at(Even(), rows.where(~active), 30, date(2024, 1, 31)))
