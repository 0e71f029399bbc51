"""Learning the rule: rising rates, all cases counted, modest where little is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from assets.model.rule_fit import MIN_ROWS, learn_contract_rule, learn_rule

cases = st.lists(st.tuples(st.integers(1, 60), st.booleans()), min_size=0, max_size=400)


@given(cases)
def test_rates_rise_and_every_case_is_counted_once(found):
    silent = np.array([s for s, _ in found], dtype=float)
    churned = np.array([c for _, c in found], dtype=bool)
    rule = learn_rule(silent, churned, 30)
    if len(found) < MIN_ROWS:
        assert not rule.steps
        return
    rates = [step.rate for step in rule.steps]
    assert rates == sorted(rates)
    assert all(0 < rate < 1 for rate in rates)
    assert sum(step.n_customers for step in rule.steps) == len(found)
    assert sum(step.n_churned for step in rule.steps) == churned.sum()
    assert all(step.n_customers >= MIN_ROWS for step in rule.steps)
    assert len(rule.steps) <= 20


@given(cases, st.randoms())
def test_order_of_rows_does_not_matter(found, random):
    shuffled = random.sample(found, len(found))
    rules = [
        learn_rule(np.array([s for s, _ in f], dtype=float), np.array([c for _, c in f], dtype=bool), 30)
        for f in (found, shuffled)
    ]
    assert rules[0] == rules[1]


def test_agrees_with_isotonic_regression_on_many_cases():
    rng = np.random.default_rng(0)
    silent = rng.integers(1, 21, 40_000).astype(float)
    churned = rng.random(40_000) < np.where(silent < 8, 0.1, 0.02 * silent)
    ours = learn_rule(silent, churned, 30).probability(silent)
    theirs = IsotonicRegression().fit(silent, churned).predict(silent)
    assert np.abs(ours - theirs).max() < 0.03
    assert np.abs(ours - theirs).mean() < 0.01


@pytest.mark.parametrize("outcome", [False, True])
def test_outcomes_that_are_all_alike_are_known_outcomes(outcome):
    rule = learn_rule(np.arange(1.0, 301.0), np.full(300, outcome), 30)
    assert rule.steps
    assert np.allclose(rule.probability(np.arange(1.0, 301.0)), float(outcome), atol=0.01)


def test_unknown_silences_are_left_out():
    silent = np.r_[np.arange(1.0, 101.0), np.full(30, np.nan)]
    churned = np.r_[np.arange(1, 101) > 50, np.ones(30, dtype=bool)]
    assert sum(step.n_customers for step in learn_rule(silent, churned, 30).steps) == 100


contract_cases = st.lists(st.tuples(st.integers(1, 90) | st.just(None), st.booleans()), min_size=0, max_size=400)


@given(contract_cases)
def test_contract_rates_fall_with_the_days_left_and_every_case_is_counted_once(found):
    left = np.array([np.nan if d is None else d for d, _ in found], dtype=float)
    churned = np.array([c for _, c in found], dtype=bool)
    rule = learn_contract_rule(left, churned, 30)
    assert bool(rule.steps) == (len(found) >= MIN_ROWS)
    p = rule.probability(np.r_[np.arange(1.0, 120.0), np.nan])
    assert ((p > 0) & (p < 1)).all() and (np.diff(p[:-1]) <= 0).all()
    if rule.steps and (~np.isnan(left)).sum() >= MIN_ROWS:
        assert sum(step.n_customers for step in rule.steps) == (~np.isnan(left)).sum()
        assert sum(step.n_churned for step in rule.steps) == churned[~np.isnan(left)].sum()
        assert [step.from_days for step in rule.steps] == sorted({step.from_days for step in rule.steps})


def test_the_horizon_parts_the_contracts():
    """Whose contract ends within the horizon decides now: 20 % leave; the others only early: 2 %."""
    rng = np.random.default_rng(0)
    left = rng.integers(1, 90, 4000).astype(float)
    churned = rng.random(4000) < np.where(left < 30, 0.2, 0.02)
    rule = learn_contract_rule(left, churned, 30)
    inside, outside = rule.probability(np.array([29.0, 30.0]))
    assert inside > 0.1 and outside < 0.05
    assert 30 in [step.from_days for step in rule.steps]


def test_contracts_without_an_end_are_a_step_of_their_own():
    left = np.r_[np.full(200, 10.0), np.full(200, np.nan)]
    churned = np.r_[np.zeros(200, bool), np.ones(200, bool)]
    p = learn_contract_rule(left, churned, 30).probability(np.array([10.0, np.nan]))
    assert p[0] < 0.01 and p[1] > 0.99
    only_open = learn_contract_rule(left[200:], np.arange(200) % 10 == 0, 30).probability(np.array([np.nan]))
    assert only_open[0] == pytest.approx(0.1, abs=0.01)


def test_fifty_cases_are_learned_from_and_one_less_is_not():
    def n_steps(n: int) -> int:
        return len(learn_rule(np.arange(1.0, n + 1), np.arange(n) % 2 == 0, 30).steps)

    assert (n_steps(49), n_steps(50)) == (0, 1)
    assert len(learn_rule(np.repeat([1.0, 9.0], 50), np.repeat([False, True], 50), 30).steps) == 2


def test_a_rule_has_at_most_twenty_steps():
    """Of 2100 cases with an ever higher rate each step takes 105."""
    silent = np.arange(1.0, 2101)
    churned = (silent * 0.6180339887) % 1 < silent / 2100
    rule = learn_rule(silent, churned, 30)
    assert [step.n_customers for step in rule.steps] == [105] * 20
