"""Survival by months of tenure, beside the estimate of Kaplan and Meier (1958) customer by customer."""

import json
from datetime import date, timedelta
from random import Random

import duckdb
import pytest

from assets.dbt.runner import invoke_dbt
from assets.shared.settings import Settings, prepare_home

AS_OF = date(2020, 6, 1)
LOST_DAYS = 60
FIRST_DAY = date(2017, 1, 1)
DAYS_OF_MONTH = 30.4375


@pytest.fixture(scope="module")
def tenure_sql(tmp_path_factory, project) -> str:
    settings = Settings(home=tmp_path_factory.mktemp("tenure"), sources=("toy",))
    prepare_home(settings)
    arguments = ["compile", "--select", "tenure_hazard", "--vars", json.dumps({"as_of_date": AS_OF.isoformat()})]
    found = invoke_dbt(settings, arguments, manifest=project.manifest).result.results
    return next(each.node.compiled_code for each in found if each.node.name == "tenure_hazard")


def spans(hazards: tuple[float, float], seed: int, n: int = 1500) -> list[tuple[date, date]]:
    """First and last order as seen on AS_OF of customers who order daily and leave at the first hazard a month for six
    months, at the second after it."""
    random, found = Random(seed), []
    for _ in range(n):
        first = FIRST_DAY + timedelta(31 + random.randrange(1100))
        months = 0
        while random.random() > hazards[months >= 6]:
            months += 1
        last = first + timedelta(int((months + random.random()) * DAYS_OF_MONTH))
        found.append((first, min(last, AS_OF - timedelta(1))))
    return found


def computed(sql: str, customers: list[tuple[date, date]]) -> list[tuple]:
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as warehouse; use warehouse; create schema features; create schema ingest")
        con.execute("create table ingest.business_days (day date, closed_days_before int, open_day date)")
        con.execute(
            "create table features.lifecycle_nodes as select ?::date as cutoff_date, ? as lost_days", [AS_OF, LOST_DAYS]
        )
        con.execute("create table features.customer_day as select ?::date as day", [FIRST_DAY])
        con.execute(
            "create table features.customer_features"
            " (first_order_on date, last_order_on date, outlier_account_reason text)"
        )
        con.executemany("insert into features.customer_features values (?, ?, null)", customers)
        return con.execute(
            "select tenure_month, n_at_risk, n_left, n_censored, survival, is_turning_month, is_right_censored,"
            f" hazard_before, hazard_after from ({sql}) order by tenure_month"
        ).fetchall()


def by_hand(customers: list[tuple[date, date]]) -> list[tuple]:
    """(month, at risk, left, censored, survival), each customer on their own."""
    end = AS_OF - timedelta(LOST_DAYS)
    seen = [
        (int((min(last, end) - first).days / DAYS_OF_MONTH), last <= end)
        if last <= end
        else (int((end - first).days / DAYS_OF_MONTH), False)
        for first, last in customers
        if first <= end
    ]
    rows, survival = [], 1.0
    for month in range(max(m for m, _ in seen) + 1):
        at_risk = sum(m >= month for m, _ in seen)
        left = sum(m == month and gone for m, gone in seen)
        survival *= 1 - left / at_risk
        rows.append((month, at_risk, left, sum(m == month and not gone for m, gone in seen), survival))
    return rows


@pytest.mark.parametrize(("hazards", "turns"), [((0.15, 0.03), True), ((0.03, 0.15), True), ((0.08, 0.08), False)])
def test_survival_is_that_of_kaplan_and_meier_and_the_turn_is_found(tenure_sql, hazards, turns):
    customers = spans(hazards, seed=11)
    rows = computed(tenure_sql, customers)
    expected = by_hand(customers)
    assert [row[:4] for row in rows] == [row[:4] for row in expected]
    assert [row[4] for row in rows] == pytest.approx([row[4] for row in expected], abs=1e-9)
    turning = [(row[0], row[7], row[8]) for row in rows if row[5]]
    assert len(turning) == turns
    if turns:
        month, before, after = turning[0]
        assert abs(month - 6) <= 1 and before == pytest.approx(hazards[0], abs=0.02)
        assert after == pytest.approx(hazards[1], abs=0.02)
    assert rows[-1][6] and not rows[0][6], "the last month rests on few, the first on many"
