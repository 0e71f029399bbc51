"""The night's drift: what moved is named, what did not is stable, nothing without a reference."""

from datetime import date
from types import SimpleNamespace

import duckdb
import numpy as np
import pytest

from assets.model.drift import reference
from assets.score.drift_table import write_drift
from assets.score.quality_plots import draw_drift

DAY = date(2020, 1, 1)


@pytest.fixture
def con():
    """Two thousand customers: silence as at training, gaps three times as long, a tenth not eligible."""
    rng = np.random.default_rng(1)
    con = duckdb.connect()
    con.execute("create schema features; create schema score")
    rows = zip(range(2000), rng.gamma(2, 10, 2000), rng.gamma(2, 30, 2000), rng.beta(1, 4, 2000), strict=True)
    con.execute("create table drawn (i bigint, silence double, gap double, p double)")
    con.executemany("insert into drawn values (?, ?, ?, ?)", [[int(i), *map(float, rest)] for i, *rest in rows])
    con.execute(
        """create table features.customer_features as
        select $day::date as as_of_date, 'c' || i as customer_id, silence as days_since_last_order, gap as gap_mean_days
        from drawn""",
        {"day": DAY},
    )
    con.execute(
        """create table score.churn_scores as
        select 'c' || i as customer_id, i % 10 > 0 as is_eligible, if(i % 10 > 0, p, null) as churn_probability
        from drawn"""
    )
    return con


def _model(**card):
    return SimpleNamespace(card=card, model_id="m-1")


def _reference():
    rng = np.random.default_rng(2)
    return {
        "days_since_last_order": reference(rng.gamma(2, 10, 3000)),
        "gap_mean_days": reference(rng.gamma(2, 10, 3000)),
        "churn_probability": reference(rng.beta(1, 4, 3000)),
    }


def test_what_moved_is_named(con):
    assert write_drift(con, DAY, _model(reference=_reference())) == 3
    found = dict(con.execute("select name, verdict from score.model_drift").fetchall())
    assert found == {"days_since_last_order": "stable", "gap_mean_days": "drifted", "churn_probability": "stable"}
    assert con.execute("select distinct n_now, n_reference from score.model_drift").fetchall() == [(1800, 3000)]
    kinds = con.execute("select kind, family from score.model_drift where name = 'churn_probability'").fetchall()
    assert kinds == [("score", "score")]
    assert draw_drift(con).startswith(b"\x89PNG")


def test_without_a_reference_nothing_is_said(con):
    assert write_drift(con, DAY, _model()) == 0
    assert draw_drift(con) is None


def test_nobody_scored_is_unknown_and_not_stable(con):
    con.execute("update score.churn_scores set is_eligible = false")
    write_drift(con, DAY, _model(reference=_reference()))
    assert con.execute("select distinct verdict, psi from score.model_drift").fetchall() == [("unknown", None)]


def test_what_ages_with_the_calendar_is_shown_and_no_alarm(con):
    con.execute("alter table features.customer_features rename column gap_mean_days to tenure_days")
    before = _reference()
    before["tenure_days"] = before.pop("gap_mean_days")
    write_drift(con, DAY, _model(reference=before))
    found = dict(con.execute("select name, verdict from score.model_drift").fetchall())
    assert found["tenure_days"] == "ages" and found["days_since_last_order"] == "stable"


def test_a_hundred_thousand_customers_are_looked_at_and_no_more(con):
    con.execute("delete from drawn")
    con.execute("insert into drawn select i, 20, 20, 0.2 from range(100001) as ids(i)")
    con.execute(
        "create or replace table features.customer_features as"
        " select $day::date as as_of_date, 'c' || i as customer_id, silence as days_since_last_order,"
        " gap as gap_mean_days from drawn",
        {"day": DAY},
    )
    con.execute(
        "create or replace table score.churn_scores as select 'c' || i as customer_id, i < $n as is_eligible,"
        " p as churn_probability from drawn",
        {"n": 100_000},
    )
    for _ in range(2):  # exactly so many, then one more
        write_drift(con, DAY, _model(reference=_reference()))
        assert con.execute("select distinct n_now from score.model_drift").fetchall() == [(100_000,)]
        con.execute("update score.churn_scores set is_eligible = true")


def test_the_fifteen_inputs_that_moved_most_are_drawn():
    def drawn(n: int) -> bytes | None:
        con = duckdb.connect()
        con.execute("create schema score")
        con.execute("create table score.model_drift (name varchar, kind varchar, psi double, verdict varchar)")
        rows = [(f"input {i:02}", "feature", 0.5 - i / 100, "drifted") for i in range(n)]
        con.executemany("insert into score.model_drift values (?, ?, ?, ?)", rows)
        return draw_drift(con)

    assert drawn(16) == drawn(15) != drawn(14)
