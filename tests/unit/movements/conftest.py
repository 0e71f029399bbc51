"""A business of known customers in a warehouse of its own."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pytest

FIRST = date(2024, 1, 1)


@pytest.fixture
def con():
    with duckdb.connect() as con:
        con.execute("create schema features; create schema segments; create schema movements")
        con.execute(
            "create table features.customer_day"
            " (customer_id varchar, day date, n_orders bigint, net_sales decimal(28, 4))"
        )
        con.execute(
            "create table features.balance_spans (source varchar, customer_id varchar, account_id varchar,"
            " from_day date, until_day date, balance decimal(18, 4))"
        )
        con.execute("create table segments.customer_value (customer_id varchar, value_class varchar)")
        con.execute("create table features.outlier_accounts (customer_id varchar)")
        con.execute("create table features.profiling_refusals (customer_id varchar)")
        yield con


def add_days(con, customer_id: str, days, amount: float = 20.0, n_orders: int = 1) -> None:
    """Purchases of one customer on days counted from `FIRST`."""
    insert(con, [(customer_id, int(day), n_orders, amount) for day in days])


def insert(con, rows: list[tuple[str, int, int, float]]) -> None:
    customers, days, orders, amounts = zip(*rows, strict=True)
    table = pa.table({"customer_id": customers, "day": days, "n_orders": orders, "amount": amounts})
    with con.cursor() as cursor:
        cursor.register("added", table)
        cursor.execute(
            "insert into features.customer_day"
            f" select customer_id, date '{FIRST}' + cast(day as integer), n_orders, amount from added"
        )


def insert_balances(con, rows: list[tuple[str, int, float]]) -> None:
    """Balances of one customer's account at the end of days counted from `FIRST`, each until the next."""
    rows = sorted(rows, key=lambda row: row[1])
    customers, days, balances = zip(*rows, strict=True)
    until = pa.array([*days[1:], None], pa.int32())
    table = pa.table({"customer_id": customers, "day": days, "until": until, "balance": balances})
    with con.cursor() as cursor:
        cursor.register("added", table)
        cursor.execute(
            f"insert into features.balance_spans select 'bank', customer_id, '', date '{FIRST}' + cast(day as integer),"
            f" date '{FIRST}' + until, balance from added"
        )


def add_business(con, n_customers: int = 60, n_days: int = 400, seed: int = 1) -> None:
    """Customers who come at random, about weekly, with amounts that vary; every third is joined later."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n_customers):
        day = float(rng.integers(0, 200 if number % 3 == 0 else 10))
        seen = set()
        while day < n_days:
            seen.add(int(day))
            day += rng.gamma(1.5, 7 / 1.5)
        rows += [(f"b{number:03}", day, 1, float(np.exp(rng.normal(3, 0.5)))) for day in sorted(seen)]
    insert(con, rows)


def night(n: int) -> date:
    return FIRST + timedelta(days=n)
