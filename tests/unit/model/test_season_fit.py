"""How much of last year's season comes again: all of a season that repeats, nothing of chance or of too little."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.model.season_fit import learn_share

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
    assert learn_share(values[:3], values[:3]) == 0.0


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=1, max_size=12))
def test_a_share_is_a_share(pairs):
    now, before = zip(*pairs, strict=True)
    assert 0.0 <= learn_share(now, before) <= 1.0


def test_three_steps_are_enough_and_two_are_not():
    season = [0.0, 0.3, -0.2, 0.4]
    assert learn_share(season, season) == 1.0
    assert learn_share(season[:3], season[:3]) == 0.0
