"""Reasons in words: true, readable, never pointing the wrong way."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.score import reasons
from assets.score.reasons import LOWERING, PLAIN, RAISING
from assets.shared.churn_features import FAMILIES, FEATURES
from assets.shared.retention_model import RetentionModel

USUAL = dict.fromkeys(FEATURES, 10.0)


def _customer(**values) -> reasons.Customer:
    row = [values.get(name, math.nan) for name in FEATURES]
    return reasons.Customer(FEATURES, row, {**USUAL, "gap_median_days": 7.0, "n_orders_30d": 4.0})


@pytest.mark.parametrize("direction, values, words", [
    (RAISING, {"days_since_last_order": 23, "gap_median_days": 4, "gap_max_days": 30},
     "No purchase for 23 days; usually buys every 4 days"),
    (RAISING, {"days_since_last_order": 23, "gap_median_days": 4, "gap_max_days": 12},
     "No purchase for 23 days, longer than ever before; usually buys every 4 days"),
    (LOWERING, {"days_since_last_order": 1, "gap_median_days": 1, "gap_max_days": 3},
     "Speaks for staying: last purchase 1 day ago; usually buys every day"),
    (RAISING, {"days_since_last_order": 2, "gap_median_days": 4.5, "gap_max_days": 9},
     "Last purchase 2 days ago; usually buys every 4.5 days"),
    (RAISING, {"days_since_last_order": 40}, "Bought on one day only, 40 days ago"),
    (PLAIN, {}, "Observed: no purchase yet"),
])
def test_silence(direction, values, words):
    assert reasons.state(_customer(**values), "silence", direction) == words


@pytest.mark.parametrize("direction, values, words", [
    (RAISING, {"tenure_days": 300, "n_orders_30d": 3, "n_orders_90d": 1, "n_orders_prev_90d": 9},
     "1 order in the last 90 days, after 9 orders in the 90 days before"),
    (LOWERING, {"tenure_days": 300, "n_orders_30d": 3, "n_orders_90d": 9, "n_orders_prev_90d": 0},
     "Speaks for staying: 9 orders in the last 90 days, after no order in the 90 days before"),
    # A quarter that the customer did not live through as a customer is not compared with.
    (RAISING, {"tenure_days": 100, "n_orders_30d": 0, "n_orders_90d": 9, "n_orders_prev_90d": 20},
     "No order in the last 30 days; usual for customers: 4"),
    # Rising orders are never given as a reason to leave.
    (RAISING, {"tenure_days": 300, "n_orders_30d": 6, "n_orders_90d": 20, "n_orders_prev_90d": 5},
     "6 orders in the last 30 days"),
])
def test_trend(direction, values, words):
    assert reasons.state(_customer(**values), "trend", direction) == words


@pytest.mark.parametrize("family, direction, values, words", [
    ("regularity", RAISING, {"gap_median_days": 21, "gap_max_days": 40},
     "Usually buys every 21 days; usual for customers: every 7 days"),
    ("regularity", PLAIN, {}, "Observed: no rhythm yet: bought on one day only"),
    ("money", RAISING, {"average_order_value": 2.5, "net_sales_total": 30},
     "Spends 2.50 an order; usual for customers: 10.00"),
    ("money", LOWERING, {"average_order_value": 2.5, "net_sales_total": 1234.56},
     "Speaks for staying: spent 1,235 in all; usual for customers: 10.00"),
    ("money", PLAIN, {}, "Observed: spent 0.00 in all"),
    ("basket", RAISING, {"lines_per_order": 1}, "1 line an order; usual for customers: 10"),
    ("basket", PLAIN, {}, "Observed: basket not known"),
    ("first_purchase", RAISING, {"first_order_amount": 9.9}, "Has not come back after the first purchase day"),
    ("first_purchase", LOWERING, {"second_gap_days": 1}, 
     "Speaks for staying: came back 1 day after the first purchase; usual for customers: 10 days"),
    ("tenure", RAISING, {"tenure_days": 1, "n_orders": 1}, "1 order so far; usual for customers: 10"),
    ("tenure", PLAIN, {}, "Observed: no purchase yet"),
    ("service", RAISING, {"n_complaints_90d": 1}, "1 complaint in the last 90 days"),
    ("service", LOWERING, {"n_complaints_90d": 0}, "Speaks for staying: no complaint in the last 90 days"),
    ("service", PLAIN, {"n_contacts_90d": 2}, "Observed: 2 contacts by us in the last 90 days"),
])
def test_other_families(family, direction, values, words):
    assert reasons.state(_customer(**values), family, direction) == words


numbers = st.one_of(st.just(math.nan), st.floats(-1e6, 1e6), st.sampled_from([0.0, -0.0, 1.0, 0.04, 99.96, 999.7]))


@given(st.lists(numbers, min_size=len(FEATURES), max_size=len(FEATURES)),
       st.lists(numbers, min_size=len(FEATURES), max_size=len(FEATURES)),
       st.sampled_from(list(FAMILIES)), st.sampled_from([RAISING, LOWERING, PLAIN]))
@settings(max_examples=300)
def test_whatever_the_numbers_the_words_are_whole(values, usual, family, direction):
    customer = reasons.Customer(
        FEATURES, values, {f: (None if u != u else u) for f, u in zip(FEATURES, usual, strict=True)}
    )
    text = reasons.state(customer, family, direction)
    assert not re.search(r"None|nan|inf|-0(\.00)?(?![.\d])|\{|\}|  ", text)
    assert not re.search(r"(?<![\d.,-])1 (days|orders|lines|complaints)\b", text)
    facts = {s.text.lower(): s.direction for s in reasons.STATEMENTS[family](customer)}
    plain = text.removeprefix(reasons.LOWERS).removeprefix(reasons.NEUTRAL).lower()
    directions = {s.direction for s in reasons.STATEMENTS[family](customer) if s.text.lower() == plain}
    assert plain in facts
    assert directions & {direction, PLAIN}
    assert text.startswith(reasons.LOWERS) == (direction == LOWERING)


@pytest.mark.parametrize("value, words", [
    (0.874, "87 %"), (-0.001, "0 %"), (-0.0, "0 %"), (1.0, "100 %"), (0.005, "0 %"),
])
def test_share(value, words):
    assert reasons.share(value) == words


@pytest.mark.parametrize("value, words", [
    (1, "1 day"), (1.04, "1 day"), (0, "0 days"), (-0.01, "0 days"), (2.5, "2.5 days"), (99.96, "100 days"),
    (1234.4, "1,234 days"),
])
def test_days(value, words):
    assert reasons.days(value) == words


def _reasons(found) -> list[list[str]]:
    return [[reason.text for reason in why] for why in found]


def test_by_model_raising_first_then_lowering(world, trained):
    model = RetentionModel(trained.card, trained.churn, trained.margin)
    matrix = world.matrix(200, np.random.default_rng(1))
    log_odds = model.log_odds(matrix)
    effects = reasons.family_effects(model, matrix, log_odds)
    found = reasons.explain_by_model(model, matrix, log_odds)
    assert "service" not in effects  # no data, so it explains nothing
    for row, why in enumerate(found):
        assert len({reason.family for reason in why}) == 3
        sizes = [effects[reason.family][row] for reason in why]
        raising = [size for size in sizes if size >= reasons.MIN_EFFECT]
        lowering = [size for size in sizes if size <= -reasons.MIN_EFFECT]
        assert sizes == raising + lowering + [s for s in sizes if abs(s) < reasons.MIN_EFFECT]
        assert raising == sorted(raising, reverse=True)
        assert lowering == sorted(lowering)
        assert [reason.text.startswith(reasons.LOWERS) for reason in why] == [
            size <= -reasons.MIN_EFFECT for size in sizes
        ]
        if len(raising) < 3:
            assert len(raising) == sum(column[row] >= reasons.MIN_EFFECT for column in effects.values())


def test_an_effect_is_what_the_usual_values_would_change(world, trained):
    model = RetentionModel(trained.card, trained.churn, trained.margin)
    usual = model.typical[None, :].copy()
    assert all(effect[0] == 0 for effect in reasons.family_effects(model, usual, model.log_odds(usual)).values())
    silent = usual.copy()
    silent[:, FEATURES.index("days_since_last_order")] *= 20
    silent[:, FEATURES.index("recency_over_gap_median")] *= 20
    effects = reasons.family_effects(model, silent, model.log_odds(silent))
    assert effects["silence"][0] == pytest.approx(
        (model.log_odds(silent) - model.log_odds(usual))[0], abs=1e-5
    )
    assert all(effect[0] == 0 for family, effect in effects.items() if family != "silence")


def test_by_rule_the_first_reason_is_the_rule_and_the_rest_observations(world, trained_by_rule):
    model = RetentionModel(trained_by_rule.card)
    for why in reasons.explain_by_rule(model, world.matrix(50, np.random.default_rng(1))):
        assert re.match(r"No purchase for [\d,.]+ days?; customers silent for", why[0].text)
        assert all(reason.text.startswith("Observed: ") for reason in why[1:])
        assert len({reason.family for reason in why}) == 3


@pytest.mark.parametrize("case, words", [
    (("never_purchased", None, None), "Not scored: has never purchased"),
    (("lost", 300.0, 400.0), "Not scored: already counted as lost, no purchase for 300 days"),
    (("too_little_history", 1.0, 1.0), "Not scored: first purchase 1 day ago, 14 days of history are needed"),
    (("too_little_history", None, None), "Not scored: 14 days of history are needed"),
    ((None, None, None), "Not scored: not eligible"),
])
def test_not_scored(case, words):
    why = reasons.explain_not_scored(*case, min_tenure_days=14)
    assert why[0] == (words, "not_scored")
    assert why[1:] == (reasons.NO_REASON,) * 2
