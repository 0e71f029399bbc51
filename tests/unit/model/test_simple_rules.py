"""The simple rules: rising, bounded, in words."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.model.rule_words import describe_rule, say_rule, say_rule_in_chinese
from assets.model.simple_rules import ChurnRule, ContractRule, RuleStep, rule_from_dict, usual_margin

LEARNED = ChurnRule(30, (RuleStep(1, 0.05, 100, 5), RuleStep(8, 0.2, 100, 20), RuleStep(22, 0.5, 60, 30)))


def test_each_step_holds_up_to_the_next():
    assert LEARNED.probability(np.array([0, 1, 7, 8, 21, 22, 900])).tolist() == [0.05, 0.05, 0.05, 0.2, 0.2, 0.5, 0.5]


def test_unknown_silence_stays_unknown():
    assert np.isnan(LEARNED.probability(np.array([np.nan]))[0])
    assert np.isnan(ChurnRule(30).probability(np.array([np.nan]))[0])


def test_without_outcomes_a_silence_as_long_as_the_horizon_is_even_odds():
    assert ChurnRule(30).probability(np.array([30.0, 10.0])).tolist() == [0.5, 0.25]


@given(st.lists(st.integers(0, 4000), min_size=2), st.integers(7, 365))
def test_without_outcomes_the_chance_rises_with_the_silence(silences, horizon):
    chances = ChurnRule(horizon).probability(np.array(sorted(silences), dtype=float))
    assert (np.diff(chances) >= 0).all()
    assert ((chances > 0) & (chances < 1)).all()


@pytest.mark.parametrize(
    "silence, words",
    [
        (1, "customers silent for 1 to 7 days: 5 % made no purchase in the next 30 days"),
        (21, "customers silent for 8 to 21 days: 20 % made no purchase in the next 30 days"),
        (22, "customers silent for 22 days or more: 50 % made no purchase in the next 30 days"),
    ],
)
def test_words_name_the_step(silence, words):
    assert say_rule(LEARNED, silence) == words


def test_one_day_is_not_days():
    rule = ChurnRule(30, (RuleStep(1, 0.05, 100, 5), RuleStep(2, 0.2, 100, 20)))
    assert say_rule(rule, 1).startswith("customers silent for 1 day:")


def test_words_without_outcomes_say_so():
    assert "no outcome is known yet" in say_rule(ChurnRule(30), 12)
    assert "12 in 42" in say_rule(ChurnRule(30), 12)


def test_survives_the_card():
    assert ChurnRule.from_dict(LEARNED.to_dict()) == LEARNED
    assert ChurnRule.from_dict(ChurnRule(7).to_dict()) == ChurnRule(7)


def test_margin_is_pace_times_order_but_at_least_one_order():
    orders, n_orders = np.array([20.0, 20.0, -5.0, np.nan, 20.0]), np.array([13.0, 2.0, 13.0, 13.0, 1.0])
    found = usual_margin(orders, n_orders, np.array([120.0, 600.0, 120.0, 120.0, 3.0]), 60, 0.25)
    assert found.tolist() == [30.0, 5.0, 0.0, 0.0, 5.0]


def test_a_young_customers_pace_is_not_projected_beyond_the_horizon():
    assert usual_margin(np.array([20.0]), np.array([3.0]), np.array([7.0]), 90, 1.0).tolist() == [40.0]


CONTRACTS = ContractRule(30, (RuleStep(1, 0.12, 100, 12), RuleStep(30, 0.02, 400, 8)), RuleStep(1, 0.05, 60, 3))


def test_contracts_near_their_end_are_at_risk():
    left = np.array([0.0, 1, 29, 30, 89, np.nan])
    assert CONTRACTS.probability(left).tolist() == [0.12, 0.12, 0.12, 0.02, 0.02, 0.05]
    assert ContractRule(30, CONTRACTS.steps).probability(left)[-1] == 0.02  # no end counts as the longest


def test_without_outcomes_one_contract_in_two_does_not_go_on():
    assert ContractRule(30).probability(np.array([1.0, 30, 60])).tolist() == [0.5, 0.5, 0.25]
    assert 0 < ContractRule(30).probability(np.array([np.nan]))[0] < 0.1


@pytest.mark.parametrize(
    "left, words, zh",
    [
        (
            12,
            "contracts that cover 1 to 29 more days: 12 % had no contract left 30 days later",
            "合同还剩 1 至 29 天的客户中，12 % 在",
        ),
        (
            45,
            "contracts that cover 30 days or more: 2 % had no contract left 30 days later",
            "合同还剩 30 天以上的客户中",
        ),
        (np.nan, "contracts without an end: 5 % had no contract left 30 days later", "合同没有到期日的客户中"),
    ],
)
def test_words_speak_of_the_contract(left, words, zh):
    assert say_rule(CONTRACTS, left) == words
    assert say_rule_in_chinese(CONTRACTS, left).startswith(zh)
    assert words[0].upper() + words.split(":")[0][1:] in describe_rule(CONTRACTS)


@pytest.mark.parametrize(
    "rule",
    [
        LEARNED,
        ChurnRule(30),
        CONTRACTS,
        ContractRule(30),
        ContractRule(7, CONTRACTS.steps),
    ],
)
def test_a_rule_comes_back_from_its_card(rule):
    assert rule_from_dict(json.loads(json.dumps(rule.to_dict()))) == rule


def test_a_contract_without_an_end_is_taken_to_last_a_year():
    assert ContractRule(30).probability(np.array([np.nan, 365.0])) == pytest.approx([15 / 365, 15 / 365])
