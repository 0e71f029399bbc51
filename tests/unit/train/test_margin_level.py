"""The level of expected margins follows the newest closed cutoffs, and never its own."""

from datetime import date, timedelta

import numpy as np
import pytest

from assets.model.churn_features import FEATURES
from assets.model.snapshots import Snapshots
from assets.train.margin_level import CutoffResult, at_their_level, learn_level

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
