"""Reading training rows: only what was asked for, only what is matured, whole customers when sampled."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from assets.model.churn_features import FEATURES
from assets.train.snapshot_rows import data_span, read_snapshots

CUTOFFS = [date(2020, 1, 1), date(2020, 2, 1), date(2020, 3, 1)]


@pytest.fixture
def con():
    con = duckdb.connect()
    con.execute("create schema features")
    features = ", ".join(f"(hash(c || '{name}') % 100)::double as {name}" for name in FEATURES)
    cutoffs = ", ".join(f"(date '{cutoff}')" for cutoff in CUTOFFS)
    con.execute(f"""
        create table features.training_snapshots as
        select
            cutoff_date, 'c' || c as customer_id, {features}, c % 2 = 0 as is_active, c % 3 = 0 as label_is_churned,
            c::double as label_margin, cutoff_date + horizon_days as label_available_on, horizon_days,
            case when c % 3 > 0 then cutoff_date + c::integer % 29 end as label_next_order_on
        from range(300) as customers (c),
            (values {cutoffs}) as cutoffs (cutoff_date), (values (30), (60)) as h (horizon_days)
    """)
    con.execute("update features.training_snapshots set gap_cv = null where label_margin = 7")
    con.execute("update features.training_snapshots set gap_cv = 'inf'::double where label_margin = 8")
    return con


def test_only_the_cutoffs_and_the_horizon_asked_for(con):
    rows = read_snapshots(con, CUTOFFS[:2], 30, 10**6, date(2021, 1, 1))
    assert len(rows) == 600
    assert set(rows.cutoff.astype(object)) == set(CUTOFFS[:2])
    assert rows.matrix.shape == (600, len(FEATURES))
    assert rows.is_churned.sum() == 200


def test_labels_not_closed_at_the_anchor_are_never_read(con):
    rows = read_snapshots(con, CUTOFFS, 30, 10**6, CUTOFFS[1] + timedelta(30))
    assert set(rows.cutoff.astype(object)) == set(CUTOFFS[:2])
    assert len(read_snapshots(con, CUTOFFS, 30, 10**6, CUTOFFS[0])) == 0


def test_columns_keep_their_meaning_and_undefined_is_nan(con):
    rows = read_snapshots(con, CUTOFFS[:1], 30, 10**6, date(2021, 1, 1))
    expected = dict(
        con.execute(
            "select label_margin, recency_gap_z from features.training_snapshots"
            " where horizon_days = 30 and cutoff_date = ?",
            [CUTOFFS[0]],
        ).fetchall()
    )
    assert [expected[m] for m in rows.margin] == rows.column("recency_gap_z").tolist()
    assert set(rows.margin[np.isnan(rows.column("gap_cv"))]) == {7.0, 8.0}
    waits = np.where(rows.margin % 3 > 0, rows.margin % 29, np.nan)
    assert np.array_equal(rows.wait_days, waits, equal_nan=True)


def test_names_and_storage_order_do_not_matter(con):
    before = read_snapshots(con, CUTOFFS, 30, 10**6, date(2021, 1, 1))
    con.execute("update features.training_snapshots set customer_id = md5(customer_id)")
    con.execute(
        "create or replace table features.training_snapshots as select * from features.training_snapshots "
        "order by customer_id, cutoff_date desc"
    )
    after = read_snapshots(con, CUTOFFS, 30, 10**6, date(2021, 1, 1))
    assert np.array_equal(before.matrix, after.matrix, equal_nan=True)
    assert np.array_equal(before.margin, after.margin)


def test_above_the_limit_whole_customers_are_sampled_the_same_each_time(con):
    rows = read_snapshots(con, CUTOFFS, 30, 450, date(2021, 1, 1))
    assert 300 < len(rows) < 600
    kept, n_cutoffs = np.unique(rows.margin, return_counts=True)
    assert (n_cutoffs == 3).all()
    assert np.array_equal(read_snapshots(con, CUTOFFS, 30, 450, date(2021, 1, 1)).margin, rows.margin)


def test_data_span_ends_before_the_day_asked_for(con):
    con.execute("create table features.customer_day as select unnest([date '2020-01-05', date '2020-02-01']) as day")
    assert data_span(con, date(2020, 2, 1)) == (date(2020, 1, 5), date(2020, 1, 5))
    assert data_span(con, date(2020, 1, 5)) == (None, None)
