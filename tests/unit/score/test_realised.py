"""Realised quality: only closed horizons, the label of what happened, the same numbers as the back-test's metrics."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from assets.score.realised import due_dates, write_realised
from assets.shared.params import load_params
from assets.shared.settings import Settings
from assets.train.metrics import METRICS, measure_scores
from tests.published_set import publish_tables

PARAMS = load_params({"churn_horizon_days": 30, "measure_realised_spacing_days": 7, "measure_realised_dates": 3})
NIGHT = date(2020, 3, 1)


def test_dates_are_closed_spaced_and_few():
    nights = [NIGHT + timedelta(days=n) for n in range(40)]
    as_of = NIGHT + timedelta(days=60)
    found = due_dates(nights, as_of, 30, PARAMS)
    assert found == [NIGHT + timedelta(days=n) for n in (30, 23, 16)]
    assert due_dates(nights, NIGHT + timedelta(days=29), 30, PARAMS) == []
    assert due_dates(nights, NIGHT + timedelta(days=30), 30, PARAMS) == [NIGHT]


@pytest.fixture
def published(tmp_path):
    """A published set of one night with 400 customers, and a warehouse where those with an even draw bought."""
    rng = np.random.default_rng(3)
    n = 400
    probability = rng.beta(1, 3, n).round(4)
    churned = rng.random(n) < probability
    settings = Settings(home=tmp_path, sources=("toy",))
    con = duckdb.connect()
    con.execute(
        """create table scores as
        select date '2020-03-01' as as_of_date, 'c' || i as customer_id, p[i + 1] as churn_probability,
            0.25 as baseline_probability, 'model' as scored_by, 'm-1' as model_version, i % 4 > 0 as is_active,
            30 as horizon_days
        from range(400) as r(i), (select $p as p)""",
        {"p": probability.tolist()},
    )
    con.execute(
        """create table customers as
        select date '2020-03-01' as as_of_date, 'c' || i as customer_id, if(i < 390, 'A', 'C') as value_class,
            'north' as region, date '2019-01-01' as first_order_on from range(400) as r(i)"""
    )
    publish_tables(settings, NIGHT, {"churn_scores": "from scores", "customer_360": "from customers"}, con)
    con.execute("create schema identity; create table identity.id_changes (old_customer_id text, customer_id text)")
    con.execute("create schema ingest; create table ingest.business_days (day date, is_closed boolean)")
    con.execute("create schema features")
    con.execute("create table features.customer_day (customer_id varchar, day date, n_orders bigint)")
    con.execute("create table features.profiling_refusals (customer_id varchar)")
    con.execute("create schema staging")
    con.execute(
        "create table staging.stg_contracts (customer_id varchar, started_on date, ends_on date, ended_on date)"
    )
    for i in np.flatnonzero(~churned):
        bought_on = NIGHT + timedelta(days=int(i) % 30)
        con.execute("insert into features.customer_day values (?, ?, 1)", [f"c{i}", bought_on])
    for i in np.flatnonzero(churned):  # the day before, the day after the window, and a day of returns only
        con.executemany(
            "insert into features.customer_day values (?, ?, ?)",
            [
                [f"c{i}", NIGHT - timedelta(days=1), 1],
                [f"c{i}", NIGHT + timedelta(days=30), 1],
                [f"c{i}", NIGHT + timedelta(days=3), 0],
            ],
        )
    return settings, con, probability, churned


def test_the_same_numbers_as_the_back_test(published):
    settings, con, probability, churned = published
    assert write_realised(con, settings, date(2020, 4, 1), PARAMS) > 0
    active = np.arange(400) % 4 > 0
    for population, inside in (("all", np.ones(400, bool)), ("active", active)):
        for candidate_model, p in (("model", probability), ("rule", np.full(400, 0.25))):
            rows = con.execute(
                "select metric, value, low, high, n_rows, n_churned from score.realised_quality "
                "where population = ? and candidate_model = ? and slice_kind = 'all'",
                [population, candidate_model],
            ).fetchall()
            found = {metric: rest for metric, *rest in rows}
            expected = dict(zip(METRICS, measure_scores(churned[inside], p[inside]), strict=True))
            for metric, value in expected.items():
                assert found[metric][0] == pytest.approx(value, abs=1e-9), (population, candidate_model, metric)
            assert found["observed_share"][0] == pytest.approx(churned[inside].mean())
            assert found["auc"][3:] == [inside.sum(), churned[inside].sum()]
            low, high = found["auc"][1:3]
            assert low < found["auc"][0] < high or candidate_model == "rule"


def test_a_customer_with_a_new_id_is_judged_by_what_the_new_one_did(published):
    settings, con, *_ = published
    write_realised(con, settings, date(2020, 4, 1), PARAMS)
    before = con.execute("from score.realised_quality order by all").fetchall()
    con.execute("insert into identity.id_changes select 'c' || i, 'n' || i from range(400) as r(i)")
    con.execute("update features.customer_day set customer_id = replace(customer_id, 'c', 'n')")
    write_realised(con, settings, date(2020, 4, 1), PARAMS)
    assert con.execute("from score.realised_quality order by all").fetchall() == before


def test_nothing_is_learned_from_who_refuses_profiling_now(published):
    settings, con, *_ = published
    con.execute("insert into features.profiling_refusals select 'c' || i from range(40) as r(i)")
    write_realised(con, settings, date(2020, 4, 1), PARAMS)
    asked = "select n_rows from score.realised_quality where population = 'all' and slice_kind = 'all'"
    assert {n for (n,) in con.execute(f"{asked} and metric = 'auc'").fetchall()} == {360}


def test_a_metric_without_a_known_error_has_no_interval(published):
    """It would otherwise reach from 0 to 1, and say that nothing is known."""
    settings, con, *_ = published
    write_realised(con, settings, date(2020, 4, 1), PARAMS)
    known = con.execute(
        "select metric, bool_and(low is not null), bool_and(high is not null), bool_or(low is not null) "
        "from score.realised_quality where value is not null and slice_kind = 'all' group by metric"
    ).fetchall()
    with_interval = {metric for metric, *rest in known if any(rest)}
    assert with_interval == {"auc", "brier", "log_loss", "observed_share"}
    assert all(set(rest) == {metric in with_interval} for metric, *rest in known)


def test_the_order_of_the_rows_changes_no_digit(published):
    """A rerun must leave the same tables, and threads bring rows in any order."""
    settings, con, *_ = published
    con.execute(  # many digits, so that sums of doubles would differ
        "update scores set churn_probability ="
        " (churn_probability + md5_number_lower(customer_id) % 1000003 / 1000003.0) / 2"
    )
    seen = []
    for order in ("customer_id", "customer_id desc", "md5(customer_id)"):
        publish_tables(settings, NIGHT, {"churn_scores": f"from scores order by {order}"}, con)
        write_realised(con, settings, date(2020, 4, 1), PARAMS)
        seen.append(con.execute("from score.realised_quality order by all").fetchall())
    assert seen[0] == seen[1] == seen[2]


def test_a_closure_belongs_to_no_horizon(published):
    """Nobody could buy on a closed day: the same customers come so many days later."""
    settings, con, *_ = published
    write_realised(con, settings, date(2020, 4, 1), PARAMS)
    before = con.execute("from score.realised_quality order by all").fetchall()
    con.execute(
        "insert into ingest.business_days select date '2020-03-10' + cast(n as int), true from range(21) as r(n)"
    )
    con.execute("update features.customer_day set day = day + 21 where day >= date '2020-03-10'")
    assert write_realised(con, settings, date(2020, 4, 20), PARAMS) == 0, "its horizon has not closed"
    write_realised(con, settings, date(2020, 4, 22), PARAMS)
    assert con.execute("from score.realised_quality order by all").fetchall() == before


def test_small_slices_are_left_out_and_large_ones_are_there(published):
    settings, con, *_ = published
    write_realised(con, settings, date(2020, 4, 1), PARAMS)
    found = con.execute("select distinct slice_kind, slice_value from score.realised_quality order by all").fetchall()
    assert found == [("all", "all"), ("region", "north"), ("tenure", "over a year"), ("value_class", "A")]


def test_an_open_horizon_is_not_judged(published):
    settings, con, *_ = published
    assert write_realised(con, settings, date(2020, 3, 30), PARAMS) == 0


def test_without_anything_published_the_table_is_empty(tmp_path):
    con = duckdb.connect()
    assert write_realised(con, Settings(home=tmp_path, sources=("toy",)), NIGHT, PARAMS) == 0
    assert con.execute("select count(*) from score.realised_quality").fetchone() == (0,)


def test_another_horizon_was_another_question(published):
    settings, con, *_ = published
    params = load_params({"churn_horizon_days": 25, "measure_realised_spacing_days": 7, "measure_realised_dates": 3})
    assert write_realised(con, settings, date(2020, 4, 1), params) == 0


@pytest.mark.parametrize("kind", ["auto", "contract", "purchase"])
def test_leaving_is_what_churn_kind_says(published, kind):
    """Everybody has a contract; every third has none left on the last day of the horizon, whoever bought."""
    settings, con, probability, churned = published
    last = NIGHT + timedelta(days=29)
    left = np.arange(400) % 3 == 0
    for i in range(400):
        start = NIGHT - timedelta(days=50)
        if not left[i]:  # ends on the very last day, goes on as a renewal, or has no end
            terms = [
                [(start, last, None)],
                [(start, NIGHT, None), (NIGHT + timedelta(1), NIGHT + timedelta(99), None)],
                [(start, None, None)],
            ][i // 3 % 3]
        else:  # ends the day before, ended early, or was renewed too late
            terms = [
                [(start, last - timedelta(1), None)],
                [(start, NIGHT + timedelta(99), last - timedelta(1))],
                [(start, NIGHT, None), (last + timedelta(1), None, None)],
            ][i // 3 % 3]
        con.executemany("insert into staging.stg_contracts values (?, ?, ?, ?)", [[f"c{i}", *term] for term in terms])
    write_realised(con, settings, date(2020, 4, 1), PARAMS.model_copy(update={"churn_kind": kind}))
    expected = churned if kind == "purchase" else left
    found = con.execute(
        "select value, n_churned from score.realised_quality where candidate_model = 'model' and population = 'all' "
        "and slice_kind = 'all' and metric = 'auc'"
    ).fetchone()
    assert found[1] == expected.sum()
    assert found[0] == pytest.approx(dict(zip(METRICS, measure_scores(expected, probability), strict=True))["auc"])


def test_contracts_that_began_later_change_no_earlier_question(published):
    settings, con, _, churned = published
    con.execute("insert into staging.stg_contracts values ('c1', ?, null, null)", [NIGHT])
    write_realised(con, settings, date(2020, 4, 1), PARAMS)
    found = con.execute(
        "select distinct n_churned from score.realised_quality where population = 'all' and slice_kind = 'all'"
    ).fetchall()
    assert found == [(churned.sum(),)]


def test_a_slice_needs_fifty_customers_and_tenure_goes_by_90_and_365_days(published):
    settings, con, *_ = published
    con.execute("update scores set is_active = true")
    con.execute(
        """update customers set
            region = case when customer_id in (select 'c' || i from range(49) as t(i)) then 'small'
                when customer_id in (select 'c' || i from range(49, 99) as t(i)) then 'enough' else 'large' end,
            first_order_on = as_of_date - case cast(substr(customer_id, 2) as int) % 4
                when 0 then 89 when 1 then 90 when 2 then 364 else 365 end"""
    )
    publish_tables(settings, NIGHT, {"churn_scores": "from scores", "customer_360": "from customers"}, con)
    write_realised(con, settings, date(2020, 4, 1), PARAMS)
    found = con.execute(
        "select slice_kind, slice_value, max(n_rows) from score.realised_quality"
        " where slice_kind in ('region', 'tenure') group by all order by all"
    ).fetchall()
    assert found == [
        ("region", "enough", 50),
        ("region", "large", 301),
        ("tenure", "first 3 months", 100),
        ("tenure", "first year", 200),
        ("tenure", "over a year", 100),
    ]
