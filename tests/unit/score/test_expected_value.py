"""The table of expected values: who gets money, who gets a date, and that the date moves with the night."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from assets.score.expected_value import write_expected_value
from assets.shared.churn_features import FEATURES
from assets.shared.quoting import quoted
from assets.shared.value_model import ValueModel

AS_OF = date(2024, 5, 1)
CARD = {
    "basis": "labels",
    "label_days": 365,
    "horizon_days": 30,
    "value_horizon_days": 365,
    "margin_share": 0.25,
    "window": {"name": "year", "days": 365, "candidate_model": "average_spend"},
    "extrapolation_factor": 1.0,
    "gamma_gamma": None,
    "intervals": {"horizon": None, "window": None},
    "rhythm": {"p": 2.0, "q": 3.0, "gamma": 20.0, "n_customers": 500},
}


@pytest.fixture
def con():
    with duckdb.connect() as con:
        con.execute("create schema features; create schema score")
        columns = ", ".join(f"{quoted(name)} double" for name in FEATURES)
        con.execute(f"create table features.customer_features (as_of_date date, customer_id varchar, {columns})")
        con.execute(
            "create table score.churn_scores (as_of_date date, customer_id varchar, churn_probability double, "
            "margin_if_retained double)"
        )
        yield con


def add(con, name, as_of=AS_OF, churn=None, retained=None, **features):
    con.execute("insert into score.churn_scores values (?, ?, ?, ?)", [as_of, name, churn, retained])
    values = [features.get(feature) for feature in FEATURES]
    con.execute(f"insert into features.customer_features values (?, ?{', ?' * len(FEATURES)})", [as_of, name, *values])


def written(con, as_of=AS_OF, card=CARD):
    write_expected_value(con, as_of, ValueModel(card))
    rows = con.execute("select * from score.expected_value").fetchall()
    names = [column[0] for column in con.description]
    return {row[1]: dict(zip(names, row, strict=True)) for row in rows}


STEADY = {
    "frequency": 10,
    "recency_days": 100,
    "n_orders": 11,
    "average_order_value": 20,
    "tenure_days": 110,
    "days_since_last_order": 10,
}


def test_money_for_the_scored_and_a_date_for_whoever_purchased(con):
    add(con, "scored", churn=0.2, retained=30, **STEADY)
    add(con, "lost", **STEADY | {"days_since_last_order": 400})
    add(con, "never")
    found = written(con)
    scored = found["scored"]
    assert scored["expected_margin_horizon"] == pytest.approx(24)
    assert scored["expected_margin_year"] == pytest.approx(0.25 * 20 * 11 / 110 * 365)
    assert scored["value_at_risk_year"] == pytest.approx(0.2 * scored["expected_margin_year"])
    assert (scored["value_basis"], scored["value_label_days"]) == ("labels", 365)
    assert scored["expected_margin_year_low"] is None
    assert found["lost"]["expected_margin_year"] is None and found["lost"]["value_basis"] is None
    assert found["lost"]["expected_next_order_on"] > AS_OF and found["lost"]["overdue_ratio"] > 10
    assert {found["never"][name] for name in ("expected_gap_days", "overdue_ratio", "expected_next_order_on")} == {None}


def test_the_expected_day_moves_on_with_every_silent_night(con):
    """Early on the date hardly moves, because waiting was expected; overdue it moves on with every night."""
    days = []
    for night in range(60):
        add(con, "quiet", AS_OF + timedelta(night), 0.2, 30.0, **STEADY | {"days_since_last_order": 1 + night})
        row = written(con, AS_OF + timedelta(night))["quiet"]
        assert row["expected_next_order_on"] >= AS_OF + timedelta(night)
        days.append((row["expected_next_order_on"], row["overdue_ratio"]))
    dates, overdue = zip(*days, strict=True)
    assert all(a <= b for a, b in zip(dates, dates[1:], strict=False))
    assert dates[3] - dates[0] <= timedelta(2) and dates[-1] - dates[-11] >= timedelta(9)
    assert all(a < b for a, b in zip(overdue, overdue[1:], strict=False)) and overdue[0] < 0.2 < 1 < overdue[-1]


def test_only_rows_of_the_date_enter_and_a_second_run_replaces(con):
    add(con, "a", churn=0.2, retained=30, **STEADY)
    add(con, "other", AS_OF - timedelta(1), 0.2, 30.0, **STEADY)
    assert set(written(con)) == {"a"} == set(written(con))


def test_the_batch_does_not_matter(con):
    rng = np.random.default_rng(1)
    for i in range(40):
        add(
            con,
            f"c{i}",
            churn=float(rng.random()),
            retained=float(rng.gamma(2, 10)),
            **{name: float(value * rng.uniform(0.5, 2)) for name, value in STEADY.items()},
        )
    together = written(con)
    for name in ("c3", "c17"):
        con.execute("create or replace temp table kept as from score.churn_scores")
        con.execute("delete from score.churn_scores where customer_id <> ?", [name])
        assert written(con)[name] == together[name]
        con.execute("create or replace table score.churn_scores as from kept")


def test_a_churner_pays_until_the_contract_ends(con):
    """p = 0.4, 30 a horizon for whoever stays: 18, and of the 12 of a churner the share that the contract covers."""
    for name, left in (("third", 10), ("far", 60), ("open", None)):
        add(con, name, churn=0.4, retained=30, **STEADY, contract_days_left=left)
    even = written(con, card=CARD | {"churners_pay": 1.0})
    found = {name: row["expected_margin_horizon"] for name, row in even.items()}
    assert found == pytest.approx({"third": 18 + 12 / 3, "far": 18 + 6, "open": 18 + 6})
    prepaid = written(con, card=CARD | {"churners_pay": 0.0})
    assert {row["expected_margin_horizon"] for row in prepaid.values()} == {18}
    # Never more than somebody who stays; and where leaving is not buying, nothing.
    assert {r["expected_margin_horizon"] for r in written(con, card=CARD | {"churners_pay": 9.0}).values()} == {30}
    assert {r["expected_margin_horizon"] for r in written(con, card=CARD | {"churners_pay": None}).values()} == {18}
