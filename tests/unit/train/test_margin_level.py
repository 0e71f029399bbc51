"""The level of expected margins follows the newest closed cutoffs, and never its own; the season follows last year."""

from datetime import date, timedelta

import numpy as np
import pytest

from assets.model.churn_features import FEATURES
from assets.model.season import YEAR
from assets.model.snapshots import Snapshots
from assets.shared.params import load_params
from assets.train.cutoffs import CutoffPlan
from assets.train.margin_level import (
    CutoffResult,
    MarginSeason,
    at_their_level,
    learn_level,
    learn_margin_season,
)
from assets.train.training_data import TrainingData

FIRST = date(2020, 1, 1)


def cutoff(n: int, actual: float, expected: float = 10.0, n_buyers: int = 20_000) -> CutoffResult:
    """The n-th cutoff, a month after the one before: buyers, and as many who do not come."""
    churned = np.repeat([False, True], n_buyers)
    size = len(churned)
    rows = Snapshots(
        np.zeros((size, len(FEATURES))),
        churned,
        np.ones(size, bool),
        np.where(churned, 0.0, actual),
        np.full(size, FIRST + timedelta(30 * n), dtype="datetime64[D]"),
    )
    return CutoffResult(FIRST + timedelta(30 * n), rows, {}, {"rule": np.full(size, expected)})


def test_it_is_what_buyers_spent_over_what_was_expected_of_them():
    assert learn_level([cutoff(0, 13.0)], "rule") == pytest.approx(1.3, rel=0.01)
    assert learn_level([], "rule") == 1.0
    assert learn_level([cutoff(0, 13.0)], "model") == 1.0, "a model that could not be fitted has no level"
    assert learn_level([cutoff(0, 0.0)], "rule") == 1.0


def test_the_newest_counts_most():
    found = learn_level([cutoff(0, 10.0), cutoff(1, 13.0)], "rule")
    assert np.log(found) == pytest.approx(np.log(1.3) / (1 + 0.5), rel=0.02)


def test_few_buyers_hardly_move_it_and_no_level_more_than_doubles():
    few = learn_level([cutoff(0, 13.0, n_buyers=200)], "rule")
    assert np.log(few) == pytest.approx(np.log(1.3) / 2)
    assert learn_level([cutoff(0, 1000.0)], "rule") == 2.0
    assert learn_level([cutoff(0, 0.01)], "rule") == 0.5


def test_a_cutoff_is_judged_at_the_level_of_those_that_had_closed():
    tests = [cutoff(0, 13.0), cutoff(1, 13.0), cutoff(2, 20.0)]
    found = at_their_level(tests, 30)
    levels = [float(test.margins["rule"][0] / 10.0) for test in found]
    assert levels == pytest.approx([1.0, learn_level(tests[:1], "rule"), learn_level(tests[:2], "rule")])
    overlapping = at_their_level(tests, 31)
    assert [float(t.margins["rule"][0]) for t in overlapping][:2] == [10.0, 10.0]


#: What a buyer spends in each month, this year as last year.
SWING = (10.0, 14.0, 9.0, 12.0, 8.0, 13.0)
COMING = 20.0


def seasonal_data(swing=SWING, last_year=SWING) -> TrainingData:
    """Six months that are judged, their months a year before, and the coming ones of last year."""
    tests = tuple(FIRST + timedelta(30 * n) for n in range(6))
    anchor = tests[-1] + timedelta(30)
    season = tuple(day - YEAR for day in tests)
    plan = CutoffPlan(anchor, 30, 18, tests, tests[-3:], tests[:3], season=season)
    coming = [day - YEAR for day in plan.season_days if day != plan.newest_matured]
    spent = {**dict(zip(tests, swing, strict=True)), **dict(zip(season, last_year, strict=True))}
    spent |= dict.fromkeys(coming, COMING)
    size = 400
    rows = Snapshots(
        np.zeros((size * len(spent), len(FEATURES))),
        np.zeros(size * len(spent), bool),
        np.ones(size * len(spent), bool),
        np.repeat(list(spent.values()), size),
        np.repeat(np.array(list(spent), dtype="datetime64[D]"), size),
    )
    return TrainingData(rows, plan, load_params())


def ten(matrix: np.ndarray) -> np.ndarray:
    return np.full(len(matrix), 10.0)


def test_a_month_that_was_dear_last_year_is_expected_to_be_so_again():
    data = seasonal_data()
    found = learn_margin_season(ten, data)
    assert found.shifts[data.plan.newest_matured] == 0.0
    assert found.shifts[data.plan.anchor] == pytest.approx(np.log(COMING / SWING[-1]), abs=0.02)
    assert found.past[data.plan.validation[0]] == pytest.approx(np.log(SWING[0] / SWING[-1]), abs=0.02)


def test_a_swing_that_did_not_come_again_is_no_season():
    assert learn_margin_season(ten, seasonal_data(last_year=SWING[::-1])) == MarginSeason()
    assert learn_margin_season(lambda matrix: np.zeros(len(matrix)), seasonal_data()) == MarginSeason()


def test_the_level_leaves_out_what_the_season_explains():
    tests = [cutoff(0, 20.0), cutoff(1, 10.0)]
    season = {tests[0].cutoff: np.log(2.0), tests[1].cutoff: 0.0}
    assert learn_level(tests, "rule", season) == pytest.approx(1.0)
    assert learn_level(tests, "rule") > 1.2
