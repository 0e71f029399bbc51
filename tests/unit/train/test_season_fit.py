"""How much of last year's season comes again: all of a season that repeats, nothing of chance or of too little."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.shared.retention_model import probability_of
from assets.train.backtest import _Pool
from assets.train.season_fit import MIN_STEPS, learn_share

changes = st.lists(st.floats(-2, 2), min_size=1, max_size=12)


def test_a_season_that_repeats_is_applied():
    last_year = np.array([0.0, 0.3, -0.2, 0.4, 0.9, 0.1])
    this_year = last_year + np.array([0.02, -0.01, 0.0, 0.01, -0.02, 0.01])
    assert learn_share(this_year, last_year) > 0.95
    assert learn_share(this_year + 5, last_year - 3) == pytest.approx(learn_share(this_year, last_year))  # no level


def test_chance_is_given_little():
    rng = np.random.default_rng(2)
    shares = [learn_share(rng.normal(0, 0.2, 8), rng.normal(0, 0.2, 8)) for _ in range(300)]
    assert np.mean(shares) < 0.2


@given(changes)
def test_too_few_steps_or_an_unknown_year_before_teach_nothing(values):
    assert learn_share(values, [float("nan")] * len(values)) == 0.0
    assert learn_share(values[:MIN_STEPS], values[:MIN_STEPS]) == 0.0


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=1, max_size=12))
def test_a_share_is_a_share(pairs):
    now, before = zip(*pairs, strict=True)
    assert 0.0 <= learn_share(now, before) <= 1.0


def test_a_season_seen_at_past_cutoffs_moves_the_next_prediction_and_only_with_its_year_before():
    """Everybody is quieter by a known swing each month; the swing of the coming month was never seen this year."""
    rng = np.random.default_rng(5)
    swing = [0.0, 0.5, -0.4, 0.3, -0.2, 0.6, -0.9]
    pool, coming = _Pool(), 1.1
    for month, off in enumerate(swing):
        z = rng.normal(0, 1, 4000)
        pool.cutoffs.append(date(2024, 1, 1) + timedelta(30 * month))
        pool.log_odds.append(z)
        pool.is_churned.append(rng.random(4000) < probability_of(z + off))
        pool.off_year_before.append(off + 0.2)  # last year everybody was quieter by a little more
    ready = pool.cutoffs[-1] + timedelta(30)
    with_season = pool.calibration(ready, 30)
    assert with_season.season > 0.8
    said = with_season.of(np.zeros(1), coming + 0.2)[0]
    without = pool.calibration(ready, 30, with_season=False).of(np.zeros(1), coming + 0.2)[0]
    assert abs(said - coming) < 0.25 < abs(without - coming)
    assert pool.calibration(ready, 30, with_season=False).season == 0.0


def test_without_a_year_before_nothing_changes():
    rng = np.random.default_rng(6)
    pool = _Pool()
    for month in range(6):
        pool.cutoffs.append(date(2024, 1, 1) + timedelta(30 * month))
        pool.log_odds.append(rng.normal(0, 1, 500))
        pool.is_churned.append(rng.random(500) < 0.4)
        pool.off_year_before.append(float("nan"))
    ready = pool.cutoffs[-1] + timedelta(30)
    assert pool.calibration(ready, 30) == pool.calibration(ready, 30, with_season=False)
