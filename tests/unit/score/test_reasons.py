"""Reasons in words: true, readable, never pointing the wrong way."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.score import reasons
from assets.score.reasons import EITHER, LOWERING, PLAIN, RAISING
from assets.shared.churn_features import FAMILIES, FEATURES
from assets.shared.retention_model import RetentionModel

USUAL = dict.fromkeys(FEATURES, 10.0)


def _customer(**values) -> reasons.Customer:
    row = [values.get(name, math.nan) for name in FEATURES]
    return reasons.Customer(FEATURES, row, {**USUAL, "gap_median_days": 7.0, "n_orders_30d": 4.0})


def _words(customer: reasons.Customer, family: str, direction: int) -> str | None:
    return reasons.observation(customer, family) if direction == PLAIN else reasons.reason(customer, family, direction)


@pytest.mark.parametrize("direction, values, words", [
    (RAISING, {"days_since_last_order": 23, "gap_median_days": 4, "gap_max_days": 30},
     "No purchase for 23 days; usually buys every 4 days"),
    (RAISING, {"days_since_last_order": 23, "gap_median_days": 4, "gap_max_days": 12},
     "No purchase for 23 days, longer than ever before; usually buys every 4 days"),
    (LOWERING, {"days_since_last_order": 1, "gap_median_days": 1, "gap_max_days": 3},
     "Last purchase 1 day ago; usually buys every day"),
    (PLAIN, {"days_since_last_order": 2, "gap_median_days": 4.5, "gap_max_days": 9},
     "Last purchase 2 days ago; usually buys every 4.5 days"),
    # A fact that says the opposite is no reason.
    (RAISING, {"days_since_last_order": 2, "gap_median_days": 4.5, "gap_max_days": 9}, None),
    (RAISING, {"days_since_last_order": 40},
     "Bought on one day only, 40 days ago; usual time since the last purchase: 10 days"),
    (LOWERING, {"days_since_last_order": 40}, None),
    (PLAIN, {}, "No purchase yet"),
])
def test_silence(direction, values, words):
    assert _words(_customer(**values), "silence", direction) == words


@pytest.mark.parametrize("direction, values, words", [
    (RAISING, {"tenure_days": 300, "n_orders_30d": 3, "n_orders_90d": 1, "n_orders_prev_90d": 9},
     "1 order in the last 90 days, after 9 orders in the 90 days before"),
    (LOWERING, {"tenure_days": 300, "n_orders_30d": 3, "n_orders_90d": 9, "n_orders_prev_90d": 0},
     "9 orders in the last 90 days, after no order in the 90 days before"),
    # A quarter that the customer did not live through as a customer is not compared with.
    (RAISING, {"tenure_days": 100, "n_orders_30d": 0, "n_orders_90d": 9, "n_orders_prev_90d": 20},
     "No order in the last 30 days; usual for customers: 4"),
    # Rising orders are never given as a reason to leave.
    (RAISING, {"tenure_days": 300, "n_orders_30d": 6, "n_orders_90d": 20, "n_orders_prev_90d": 5}, None),
    (PLAIN, {"tenure_days": 300, "n_orders_30d": 6, "n_orders_90d": 20, "n_orders_prev_90d": 5},
     "6 orders in the last 30 days; usual for customers: 4"),
])
def test_trend(direction, values, words):
    assert _words(_customer(**values), "trend", direction) == words


@pytest.mark.parametrize("family, direction, values, words", [
    ("regularity", RAISING, {"gap_median_days": 21, "gap_max_days": 40},
     "Usually buys every 21 days; usual for customers: every 7 days"),
    ("regularity", PLAIN, {}, "No rhythm yet: bought on one day only"),
    ("money", RAISING, {"average_order_value": 2.5, "net_sales_total": 30},
     "Spends 2.50 an order; usual for customers: 10.00"),
    ("money", LOWERING, {"average_order_value": 2.5, "net_sales_total": 1234.56},
     "Spent 1,235 in all; usual for customers: 10.00"),
    # Much money is no risk, whatever the model makes of it; and no amount stands alone.
    ("money", RAISING, {"average_order_value": 25, "net_sales_total": 4018}, None),
    ("money", PLAIN, {"net_sales_total": 4018}, "Spent 4,018 in all; usual for customers: 10.00"),
    ("basket", RAISING, {"lines_per_order": 1}, "1 line an order; usual for customers: 10"),
    ("basket", PLAIN, {}, "Basket not known"),
    ("first_purchase", RAISING, {"first_order_amount": 9.9}, "Has not come back after the first purchase day"),
    ("first_purchase", LOWERING, {"second_gap_days": 1}, 
     "Came back 1 day after the first purchase; usual for customers: 10 days"),
    ("tenure", RAISING, {"tenure_days": 1, "n_orders": 1}, "1 order so far; usual for customers: 10"),
    ("tenure", PLAIN, {}, "No purchase yet"),
    ("service", RAISING, {"n_complaints_90d": 1}, "1 complaint in the last 90 days"),
    ("service", LOWERING, {"n_complaints_90d": 0}, "No complaint in the last 90 days"),
    # What we did to a customer is no reason.
    ("service", PLAIN, {"n_contacts_90d": 2}, "No record of complaints"),
    ("service", LOWERING, {"n_contacts_90d": 2}, None),
    ("service", RAISING, {"n_contacts_90d": 0}, None),
    ("basket", RAISING, {"discount_order_share": 11.0},
     "Buys 1100 % of orders on discount; usual for customers: 1000 %"),
    ("basket", LOWERING, {"discount_order_share": 10.05}, None),
    ("basket", PLAIN, {"lines_per_order": 2}, "2 lines an order; usual for customers: 10"),
    ("first_purchase", PLAIN, {"first_order_amount": 9.9}, "First purchase of 9.90; usual for customers: 10.00"),
    ("tenure", PLAIN, {"tenure_days": 90, "n_orders": 1},
     "Customer for 90 days, 1 order so far; usual for customers: 10 orders"),
])
def test_other_families(family, direction, values, words):
    assert _words(_customer(**values), family, direction) == words


numbers = st.one_of(st.just(math.nan), st.floats(-1e6, 1e6), st.sampled_from([0.0, -0.0, 1.0, 0.04, 99.96, 999.7]))


@given(st.lists(numbers, min_size=len(FEATURES), max_size=len(FEATURES)),
       st.lists(numbers, min_size=len(FEATURES), max_size=len(FEATURES)),
       st.sampled_from(list(FAMILIES)), st.sampled_from([RAISING, LOWERING, PLAIN]))
@settings(max_examples=300)
def test_whatever_the_numbers_the_words_are_whole(values, usual, family, direction):
    customer = reasons.Customer(
        FEATURES, values, {f: (None if u != u else u) for f, u in zip(FEATURES, usual, strict=True)}
    )
    text = _words(customer, family, direction)
    facts = reasons.STATEMENTS[family](customer)
    if text is None:
        assert not [s for s in facts if s.direction in (direction, EITHER) and s.strength >= reasons.MIN_STRENGTH]
        return
    assert not re.search(r"None|nan|inf|-0(\.00)?(?![.\d])|\{|\}|  ", text)
    assert not re.search(r"(?<![\d.,-])1 (days|orders|lines|complaints)\b", text)
    assert {s.direction for s in facts if s.text == text} & {direction, EITHER}
    assert not re.search("contact", text)


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


@pytest.mark.parametrize("low", [False, True])
def test_by_model_what_fits_the_risk_first_then_what_speaks_against_it(world, trained, low):
    model = RetentionModel(trained.card, trained.churn, trained.margin)
    matrix = world.matrix(200, np.random.default_rng(1))
    log_odds = model.log_odds(matrix)
    effects = reasons.family_effects(model, matrix, log_odds)
    found = reasons.explain_by_model(model, matrix, log_odds, np.full(len(matrix), low))
    assert "service" not in effects  # no data, so it explains nothing
    kinds = set()
    for row, why in enumerate(found):
        assert len({given.family for given in why}) == 3
        given = []
        for text, family in why:
            effect = effects[family][row]
            if text.startswith(reasons.LOWERS):
                assert effect <= -reasons.MIN_EFFECT
                given.append(("lowers", -abs(effect)))
            elif text.startswith(reasons.NEUTRAL):
                given.append(("observed", 0))
            else:
                assert effect >= reasons.MIN_EFFECT
                assert text.startswith(reasons.RAISES) == low
                given.append(("raises", -abs(effect)))
        places = ("lowers", "raises", "observed") if low else ("raises", "lowers", "observed")
        assert given == sorted(given, key=lambda kind: (places.index(kind[0]), kind[1]))
        kinds |= {kind for kind, _ in given}
    assert {"raises", "lowers"} <= kinds


def test_what_we_did_to_a_customer_has_no_effect_to_explain(world, trained):
    class Told(RetentionModel):
        """A model that looks at contacts and nothing else."""

        kept_features = frozenset({"n_contacts_90d", "days_since_last_order"})

        def log_odds(self, matrix):
            return self.column(np.nan_to_num(matrix), "n_contacts_90d")

    model = Told(trained.card)
    matrix = world.matrix(5, np.random.default_rng(1))
    matrix[:, FEATURES.index("n_contacts_90d")] = 7
    effects = reasons.family_effects(model, matrix, model.log_odds(matrix))
    assert set(effects) == {"silence"}
    assert (effects["silence"] == 0).all()


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
    for why in reasons.explain_by_rule(model, world.matrix(50, np.random.default_rng(1)), np.zeros(50, dtype=bool)):
        assert re.match(r"No purchase for [\d,.]+ days?; customers silent for", why[0].text)
        assert all(reason.text.startswith("Observed: ") for reason in why[1:])
        assert len({reason.family for reason in why}) == 3


def test_by_rule_the_observations_point_as_the_score_goes(world, trained_by_rule):
    model = RetentionModel(trained_by_rule.card)
    matrix = np.tile(model.typical, (2, 1))
    matrix[:, FEATURES.index("average_order_value")] *= 3
    matrix[:, FEATURES.index("lines_per_order")] /= 3
    matrix[:, FEATURES.index("return_share")] = 0
    risky, safe = reasons.explain_by_rule(model, matrix, np.array([False, True]))
    assert risky[1].family == "basket"
    assert safe[1].family == "money"


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
