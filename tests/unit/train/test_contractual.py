"""What leaving means where no outcome is known yet: asked of the contracts, as the SQL does."""

from datetime import date

import duckdb
import pytest

from assets.shared.params import load_params
from assets.train.cutoffs import plan_cutoffs
from assets.train.training import is_contractual


@pytest.mark.parametrize(
    "kind, label, started_on, expected",
    [
        ("auto", None, "2020-02-29", True),
        ("auto", None, "2020-03-01", False),
        ("auto", None, None, False),
        ("contract", None, None, True),
        ("purchase", None, "2020-01-01", False),
        ("auto", "purchase", "2020-01-01", False),
        ("auto", "contract", None, True),
    ],
)
def test_a_young_business_with_contracts_asks_about_contracts(kind, label, started_on, expected):
    params = load_params({"churn_kind": kind})
    plan = plan_cutoffs(date(2020, 3, 1), date(2019, 1, 1), params)
    with duckdb.connect() as con:
        con.execute("create schema features; create schema staging")
        con.execute("create table features.training_snapshots (cutoff_date date, horizon_days int, label_kind varchar)")
        con.execute("create table staging.stg_contracts (started_on date)")
        if label:
            con.execute(
                "insert into features.training_snapshots values (?, ?, ?)", [plan.cutoffs[0], plan.horizon_days, label]
            )
        if started_on:
            con.execute("insert into staging.stg_contracts values (?)", [started_on])
        assert is_contractual(con, plan, params) is expected
