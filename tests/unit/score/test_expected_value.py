"""The table of expected values: who gets money, who gets a date, and that the date moves with the night."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from assets.model.churn_features import FEATURES
from assets.model.value_model import ValueModel
from assets.score.expected_value import VALUE_SCHEMA, value_columns
from tests.unit.scored_world import CURVE

AS_OF = date(2024, 5, 1)
CARD = {
    "basis": "labels",
    "label_days": 365,
    "horizon_days": 30,
    "value_horizon_days": 365,
    "margin_share": 0.25,
    "window": {"name": "year", "days": 365, "candidate_model": "average_spend", "level": 1.0},
    "extrapolation_factor": 1.0,
    "gamma_gamma": None,
    "intervals": {"horizon": None, "window": None},
    "return_curve": CURVE.to_dict(),
}


def written(*customers, as_of=AS_OF, card=CARD, model=None):
    """Columns of customers by name, None where not defined. customers: name, probability and margin (None: not scored),
    features. model: instead of one that is a card alone."""
    matrix = np.array([[features.get(name, np.nan) for name in FEATURES] for *_, features in customers], dtype=float)
    churn, retained = (np.array([np.nan if c[i] is None else c[i] for c in customers], dtype=float) for i in (1, 2))
    found = value_columns(matrix, churn, retained, as_of, model or ValueModel(card))
    assert list(found) == [name for name, _ in VALUE_SCHEMA]
    table = pa.table({n: pa.array(found[n], kind, from_pandas=True) for n, kind in VALUE_SCHEMA}).to_pylist()
    return {name: row for (name, *_), row in zip(customers, table, strict=True)}


STEADY = {
    "frequency": 10,
    "recency_days": 100,
    "n_orders": 11,
    "average_order_value": 20,
    "tenure_days": 110,
    "days_since_last_order": 10,
}


def test_income_on_balances_is_for_as_long_as_the_customer_stays():
    """2 a day: 60 of a horizon, four fifths of it expected; a year as the model divides it, here all of it expected;
    where it expects nothing of a year at all, as the horizon is divided."""
    matrix = np.array([[row.get(name, np.nan) for name in FEATURES] for row in (STEADY, {}, STEADY)], dtype=float)
    churn, retained = np.array([0.2, 0.2, np.nan]), np.array([30.0, 0.0, np.nan])
    bank = value_columns(matrix, churn, retained, AS_OF, ValueModel(CARD), np.array([2.0, 2.0, 2.0]))
    shop = value_columns(matrix, churn, retained, AS_OF, ValueModel(CARD))
    added = {name: (bank[name] - np.nan_to_num(shop[name]))[:2].tolist() for name in bank if "margin" in name}
    assert added["expected_margin_horizon"] == pytest.approx([48, 48])
    assert added["expected_margin_year"] == pytest.approx([730, 0.8 * 730])
    assert bank["value_at_risk_year"][:2] - shop["value_at_risk_year"][:2] == pytest.approx([0, 0.2 * 730])
    assert np.isnan(bank["expected_margin_year"][2]), "who is not scored has no money"


def test_money_and_a_date_for_the_scored_and_a_gap_for_whoever_purchased():
    found = written(
        ("scored", 0.2, 30, STEADY),
        ("lost", None, None, STEADY | {"days_since_last_order": 400}),
        ("never", None, None, {}),
    )
    scored = found["scored"]
    assert scored["expected_margin_horizon"] == pytest.approx(24)
    assert scored["expected_margin_year"] == pytest.approx(0.25 * 20 * 11 / 110 * 365)
    assert scored["value_at_risk_year"] == 0, "nobody is known to have left"
    assert scored["expected_margin_year_low"] is None
    assert found["lost"]["expected_margin_year"] is None
    assert AS_OF <= scored["expected_next_order_low_on"] < scored["expected_next_order_on"]
    assert scored["expected_next_order_on"] < scored["expected_next_order_high_on"] < AS_OF + timedelta(30)
    assert found["lost"]["expected_next_order_on"] is None and found["lost"]["overdue_ratio"] > 10
    assert {found["never"][name] for name in ("expected_gap_days", "overdue_ratio", "expected_next_order_on")} == {None}


def test_the_curve_of_whoever_is_scored_meets_the_churn_probability():
    found = written(("scored", 0.2, 30, STEADY), ("lost", None, None, STEADY), ("never", None, None, {}))
    curve = [found["scored"][f"no_order_within_{days}d"] for days in (7, 30, 90, 180, 365)]
    assert curve == sorted(curve, reverse=True) and len(set(curve)) == 5 and curve[1] == 0.2
    for other in ("lost", "never"):
        assert {found[other][f"no_order_within_{days}d"] for days in (7, 30, 90, 180, 365)} == {None}


def test_where_churn_is_the_end_of_a_contract_the_date_does_not_depend_on_how_likely_that_is():
    """The churn probability then says nothing of orders: there is no curve through it."""
    customers = [(str(p), p, 30, STEADY) for p in (0.05, 0.45, 0.5)]
    soon, late, gone = written(*customers, card=CARD | {"churners_pay": 1.0}).values()
    assert soon["expected_next_order_on"] == late["expected_next_order_on"] is not None
    assert gone["expected_next_order_on"] is None
    assert soon["no_order_within_30d"] is None
    by_purchase = written(*customers).values()
    assert len({row["expected_next_order_on"] for row in by_purchase}) == 3


class Said:
    """A fitted pipeline that says the same of everybody."""

    def __init__(self, value: float):
        self.value = value

    def predict(self, matrix):
        return np.full(len(matrix), self.value)

    def predict_proba(self, matrix):
        return np.column_stack([np.full(len(matrix), 1 - self.value), np.full(len(matrix), self.value)])


@pytest.mark.parametrize(
    ("candidate_model", "if_stays"), [("two_part", 100.0), ("average_spend", 0.25 * 20 * 11 / 110 * 90)]
)
def test_what_leaves_in_a_year_is_of_one_window(candidate_model, if_stays):
    """Three in ten leave within the window of 90 days; the year holds four of it."""
    window = {"name": "quarter", "days": 90, "candidate_model": candidate_model, "level": 1.0}
    model = ValueModel(CARD | {"window": window, "extrapolation_factor": 4.0}, Said(0.7), Said(100.0))
    row = written(("one", 0.2, 30, STEADY), model=model)["one"]
    assert row["value_at_risk_year"] == pytest.approx(0.3 * if_stays * 4)


def test_without_a_window_of_its_own_the_year_is_the_horizon_extrapolated():
    card = CARD | {"window": None, "extrapolation_factor": 5.0}
    row = written(("one", 0.2, 30, STEADY), card=card)["one"]
    assert row["expected_margin_year"] == pytest.approx(0.8 * 30 * 5)
    assert row["value_at_risk_year"] == pytest.approx(0.2 * 30 * 5)


def test_the_expected_day_moves_on_with_every_silent_night():
    """Early on the date hardly moves, because waiting was expected; overdue it moves on with every night."""
    days = []
    for night in range(60):
        customer = ("quiet", 0.2, 30.0, STEADY | {"days_since_last_order": 1 + night})
        row = written(customer, as_of=AS_OF + timedelta(night))["quiet"]
        assert AS_OF + timedelta(night) <= row["expected_next_order_on"] < AS_OF + timedelta(night + 30)
        days.append((row["expected_next_order_on"], row["overdue_ratio"]))
    dates, overdue = zip(*days, strict=True)
    assert all(a <= b for a, b in zip(dates, dates[1:], strict=False))
    assert dates[3] - dates[0] <= timedelta(2) and dates[-1] - dates[-11] >= timedelta(9)
    assert all(a < b for a, b in zip(overdue, overdue[1:], strict=False)) and overdue[0] < 0.2 < 1 < overdue[-1]


def test_the_batch_does_not_matter():
    rng = np.random.default_rng(1)
    customers = [
        (
            f"c{i}",
            float(rng.random()),
            float(rng.gamma(2, 10)),
            {name: float(value * rng.uniform(0.5, 2)) for name, value in STEADY.items()},
        )
        for i in range(40)
    ]
    together = written(*customers)
    for i in (3, 17):
        assert written(customers[i])[f"c{i}"] == together[f"c{i}"]


def test_a_churner_pays_until_the_contract_ends():
    """p = 0.4, 30 a horizon for whoever stays: 18, and of the 12 of a churner the share that the contract covers."""
    customers = [
        (name, 0.4, 30, STEADY | ({"contract_days_left": left} if left else {}))
        for name, left in (("third", 10), ("far", 60), ("open", None))
    ]
    even = written(*customers, card=CARD | {"churners_pay": 1.0})
    found = {name: row["expected_margin_horizon"] for name, row in even.items()}
    assert found == pytest.approx({"third": 18 + 12 / 3, "far": 18 + 6, "open": 18 + 6})
    prepaid = written(*customers, card=CARD | {"churners_pay": 0.0})
    assert {row["expected_margin_horizon"] for row in prepaid.values()} == {18}
    # Never more than somebody who stays; and where leaving is not buying, nothing.
    assert {r["expected_margin_horizon"] for r in written(*customers, card=CARD | {"churners_pay": 9.0}).values()} == {
        30
    }
    assert {r["expected_margin_horizon"] for r in written(*customers, card=CARD | {"churners_pay": None}).values()} == {
        18
    }
