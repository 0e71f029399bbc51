"""What value and rhythm are learned from: the right cutoffs, closed windows only, nothing on or after a day, any
order."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from assets.model.churn_features import FEATURES
from assets.shared.params import load_params
from assets.shared.quoting import quoted
from assets.train.value import rows as value_rows
from assets.train.value.rows import enough_customers_on, later_margins, read_gaps, read_value_rows
from assets.train.value.tables import headline_numbers, write_value_tables

CUTOFF = date(2023, 3, 1)


@pytest.fixture
def con():
    with duckdb.connect() as con:
        con.execute("create schema features; create schema train")
        con.execute(
            "create table features.customer_day (customer_id varchar, day date, n_orders int, net_sales double)"
        )
        con.execute("create table features.profiling_refusals (customer_id varchar)")
        columns = ", ".join(f"{quoted(name)} double" for name in FEATURES)
        con.execute(
            "create table features.training_snapshots (cutoff_date date, customer_id varchar, horizon_days int, "
            f"label_next_order_on date, label_n_orders_year double, label_margin_year double, {columns})"
        )
        yield con


def snapshot(con, customer, cutoff=CUTOFF, orders=1.0, margin=5.0, next_order=None, **features):
    row = [cutoff, customer, 30, next_order, orders, margin, *(features.get(f) for f in FEATURES)]
    con.execute(f"insert into features.training_snapshots values ({', '.join('?' * len(row))})", row)


def bought(con, customer, *days, sales=10.0):
    for day in days:
        con.execute("insert into features.customer_day values (?, ?, 1, ?)", [customer, day, sales])


def test_rows_are_those_of_the_cutoffs_whose_window_has_closed_in_an_order_of_their_own(con):
    for i in range(6):
        snapshot(con, f"c{i}", orders=float(i % 2), margin=float(i), tenure_days=float(10 - i))
    snapshot(con, "open", orders=None, margin=None, tenure_days=1.0)
    snapshot(con, "other_cutoff", cutoff=CUTOFF + timedelta(1), tenure_days=1.0)
    rows = read_value_rows(con, [CUTOFF], "year")
    assert len(rows) == 6 and rows.bought.sum() == 3
    assert np.isnan(rows.matrix[:, FEATURES.index("n_orders")]).all()
    con.execute(
        "update features.training_snapshots set customer_id = 'x' || (9 - substr(customer_id, 2)::int) "
        "where customer_id like 'c%'"
    )
    renamed = read_value_rows(con, [CUTOFF], "year")
    assert (renamed.margin == rows.margin).all() and (renamed.bought == rows.bought).all()


def test_above_the_most_customers_are_sampled_the_same_way_each_time(con, monkeypatch):
    monkeypatch.setattr(value_rows, "MAX_ROWS", 60)
    for i in range(300):
        snapshot(con, f"c{i}", margin=float(i), tenure_days=float(i))
    first, second = (read_value_rows(con, [CUTOFF], "year") for _ in range(2))
    assert 30 < len(first) < 100 and (first.margin == second.margin).all()


def test_gaps_end_before_the_day_and_leave_out_the_lost(con):
    bought(con, "regular", *(CUTOFF - timedelta(d) for d in (31, 21, 11, 1)))
    bought(con, "once", CUTOFF - timedelta(5))
    bought(con, "lost", *(CUTOFF - timedelta(d) for d in (400, 390)))
    bought(con, "regular", CUTOFF)
    con.execute("insert into features.customer_day values ('regular', ?, 0, -5)", [CUTOFF - timedelta(6)])
    bought(con, "refuses", *(CUTOFF - timedelta(d) for d in (30, 20, 10)))
    con.execute("insert into features.profiling_refusals values ('refuses')")
    gaps = read_gaps(con, CUTOFF, 270)
    found = sorted(zip(gaps.n, gaps.total, gaps.silent, strict=True))
    assert found == [(0.0, 0.0, 5.0), (3.0, 30.0, 1.0)]
    assert gaps.logs[gaps.n == 3] == pytest.approx(3 * np.log(10))


def test_later_margins_are_of_the_cohort_in_whole_windows_only(con):
    snapshot(con, "a")
    bought(con, "a", CUTOFF, CUTOFF + timedelta(9), sales=10)
    bought(con, "a", CUTOFF + timedelta(10), sales=7)
    bought(con, "a", CUTOFF + timedelta(20), sales=99)
    bought(con, "stranger", CUTOFF, sales=1000)
    assert later_margins(con, CUTOFF, 10, CUTOFF + timedelta(29)).tolist() == [20.0, 7.0]
    assert later_margins(con, CUTOFF, 10, CUTOFF + timedelta(9)).tolist() == []


def test_without_a_judged_model_the_tables_are_empty_but_there(con, tmp_path):
    write_value_tables(con, tmp_path, "2023-03-01-00000000", load_params())
    for table in ("value_performance", "profit_curve"):
        assert con.execute(f"select count(*) from train.{table}").fetchone() == (0,)
        assert headline_numbers(con, table) == {}


@pytest.fixture
def landed():
    """Landed lines of six customers, of whom the second came on day 2 and the last two a year later."""
    came = {"a": 1, "b": 2, "c": 9, "d": 60, "e": 366, "f": 366}
    con = duckdb.connect()
    con.execute("create schema ingest; create table ingest.batch_days (day date)")
    con.execute("create table ingest.transactions (customer_id varchar, occurred_at timestamp)")
    for customer, day in came.items():
        for later in (0, 40):
            con.execute(
                "insert into ingest.transactions values (?, '2020-01-01'::timestamp + interval 9 hour + to_days(?))",
                [customer, day + later],
            )
            con.execute("insert into ingest.batch_days values ('2020-01-01'::date + ?::integer)", [day + later])
    return con


@pytest.mark.parametrize("n, day", [(1, 1), (2, 2), (3, 9), (4, 60), (6, 366), (7, None)])
def test_the_day_on_which_enough_customers_had_come(landed, n, day):
    expected = None if day is None else date(2020, 1, 1) + timedelta(day)
    assert enough_customers_on(landed, n, date(2022, 1, 1)) == expected


def test_customers_of_later_days_are_not_known_yet(landed):
    assert enough_customers_on(landed, 4, date(2020, 3, 1)) is None  # the fourth comes on that day
    assert enough_customers_on(landed, 4, date(2020, 3, 2)) == date(2020, 3, 1)
    assert enough_customers_on(landed, 1, date(2019, 1, 1)) is None
