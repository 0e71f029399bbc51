"""The truth is true: simulated outcomes agree with it, and nobody who knows less predicts better."""

from dataclasses import replace

import duckdb
import numpy as np
import pytest

from simulation.business import simulate
from simulation.population import Population


@pytest.fixture(scope="module")
def outlooks(business):
    """Columns of the truth of all dates with the outcome, where the best possible prediction is known too."""
    request, _ = business
    with duckdb.connect() as con:
        return con.execute(
            "select as_of_date, horizon_days, customer_id, p_no_purchase as own, p_no_purchase_knowable as knowable, "
            "(not has_purchased)::integer as y "
            f"from '{request.out}/truth/churn/*.parquet' order by all"
        ).fetchnumpy()


def chi_square(p: np.ndarray, y: np.ndarray, n_bins: int = 10) -> float:
    """Hosmer and Lemeshow's statistic over bins of equal size."""
    order = np.argsort(p, kind="stable")
    total = 0.0
    for rows in np.array_split(order, n_bins):
        spread = (p[rows] * (1 - p[rows])).sum()
        total += (y[rows].sum() - p[rows].sum()) ** 2 / max(spread, 1e-9)
    return total


def at(outlooks, horizon: int):
    """Rows of the earliest date (the newer ones look at nearly the same outcomes)."""
    return (outlooks["horizon_days"] == horizon) & (outlooks["as_of_date"] == outlooks["as_of_date"].min())


@pytest.mark.parametrize("horizon", [30, 90])
@pytest.mark.parametrize("kind", ["own", "knowable"])
def test_outcomes_agree_with_the_probabilities_in_every_decile(outlooks, horizon, kind):
    p = np.ma.filled(np.ma.asarray(outlooks[kind]).astype(float), np.nan)
    rows = at(outlooks, horizon) & np.isfinite(p)
    # 29.6 is the 99.9 % point of chi-square with 10 degrees of freedom; the seed is fixed.
    assert rows.sum() > 200
    assert chi_square(p[rows], outlooks["y"][rows]) < 29.6


def test_probabilities_shifted_by_a_little_are_found_out(outlooks):
    rows = at(outlooks, 90)
    shifted = np.clip(outlooks["own"][rows] * 0.9, 0, 1)
    assert chi_square(shifted, outlooks["y"][rows]) > 40


def test_who_knows_more_predicts_better(outlooks):
    known = np.isfinite(np.ma.filled(np.ma.asarray(outlooks["knowable"]).astype(float), np.nan))
    for horizon in (30, 90):
        rows = known & (outlooks["horizon_days"] == horizon)
        y = outlooks["y"][rows]
        own, knowable = (np.asarray(outlooks[k][rows], dtype=float) for k in ("own", "knowable"))
        assert ((own - y) ** 2).mean() < ((knowable - y) ** 2).mean() < y.mean() * (1 - y.mean())


def test_expected_purchases_add_up_to_those_that_came(business):
    request, population = business
    first = min(p.stem for p in (request.out / "truth" / "churn").iterdir())
    with duckdb.connect() as con:
        for horizon in (30,):
            expected, margin = con.execute(
                f"select sum(expected_orders), sum(expected_margin) from '{request.out}/truth/churn/{first}.parquet' "
                f"where horizon_days = {horizon}"
            ).fetchone()
            came, money = con.execute(f"""
                select count(distinct order_id) filter (where quantity > 0),
                    {population.margin_share} * sum(amount)::double
                from '{request.out}/landing/transactions_*.parquet' as l
                semi join (select customer_id from '{request.out}/truth/churn/{first}.parquet') as c
                    on l.customer_id::varchar = c.customer_id
                where occurred_at >= '{first}'::date and occurred_at < '{first}'::date + {horizon}
            """).fetchone()
    assert expected == pytest.approx(came, rel=0.15)
    assert margin == pytest.approx(money, rel=0.2)


def test_with_one_class_of_each_kind_the_knowable_truth_is_the_truth(make_request):
    alike = Population(
        n_rate_classes=1,
        leave_hazards=(1 / 300,),
        leave_weights=(1.0,),
        rhythm_weights=(0.0, 1.0, 0.0),
        fade_onsets=(60.0,),
        fade_lengths=(200.0,),
        fade_weights=(1.0,),
        persuadable_share=0.999999,
        sleeping_dog_share=5e-7,
        mean_lines=2.0,
    )
    request = make_request(lines=4_000, customers=300, cutoffs=1, knowable_customers=300)
    simulate(request, population=alike)
    with duckdb.connect() as con:
        n, worst, worst_count = con.execute(
            "select count(p_no_purchase_knowable), max(abs(p_no_purchase - p_no_purchase_knowable)), "
            f"max(abs(expected_orders - expected_orders_knowable)) from '{request.out}/truth/churn/*.parquet'"
        ).fetchone()
    assert n > 500
    # the two agree but for the sliver of the other responses
    assert worst < 1e-4 and worst_count < 1e-3


def test_contacts_change_purchases_as_the_kinds_of_response_say(make_request):
    strong = Population(mean_lines=2.0, persuadable_share=0.5, sleeping_dog_share=0.3, campaign_share=0.9)
    strong = replace(strong, actions=tuple(replace(a, persuadable=6.0, sleeping_dog=0.05) for a in strong.actions))
    request = make_request(lines=12_000, customers=1_500, cutoffs=0, knowable_customers=0)
    simulate(request, population=strong)
    with duckdb.connect() as con:
        bought = {
            (response, arm): share
            for response, arm, share in con.execute(f"""
                select t.response, c.outcome = 'held_out', avg((exists (
                    select 1 from '{request.out}/landing/transactions_*.parquet' as l
                    where l.customer_id = c.customer_id and l.quantity > 0 and l.occurred_at >= c.sent_at
                        and l.occurred_at < c.sent_at + interval 28 day))::integer)
                from '{request.out}/landing/contacts.parquet' as c
                inner join '{request.out}/truth/customers.parquet' as t on c.customer_id::varchar = t.customer_id
                where c.sent_at < '{request.last_date}'::date - 28
                group by all
            """).fetchall()
        }
        effects = dict(
            con.execute(
                f"select kind, avg(effect) from '{request.out}/truth/effects/*.parquet' "
                "where horizon_days = 30 group by all"
            ).fetchall()
        )
    assert bought["persuadable", False] > bought["persuadable", True] + 0.1
    assert bought["sleeping_dog", False] < bought["sleeping_dog", True] - 0.1
    assert abs(bought["none", False] - bought["none", True]) < 0.1
    assert effects["persuadable"] > 0.1 > -0.1 > effects["sleeping_dog"]
    assert effects["sure_thing"] == effects["lost_cause"] == 0


def test_complaints_come_before_leaving_and_most_failures_stay_silent(business, read):
    _, population = business
    complaint, total = read("""
        select count(*) filter (where kind = 'complaint'), count(*) from '{out}/landing/interactions.parquet'
    """)[0]
    orders = read("select count(distinct order_id) from '{out}/landing/transactions_*.parquet'")[0][0]
    assert 0 < complaint < total
    assert complaint < 0.5 * population.failure_share * orders
    after = dict(
        read("""
        with last_word as (
            select customer_id, max(occurred_at) as said_at from '{out}/landing/interactions.parquet'
            where kind = 'complaint' group by all
        )
        select l.customer_id is not null, avg(has_left::integer)
        from '{out}/truth/churn/2022-03-01.parquet' as t
        left join last_word as l on t.customer_id = l.customer_id::varchar
        where horizon_days = 30 group by all
    """)
    )
    assert after[True] > after[False]


def test_many_who_leave_said_that_they_are_satisfied(business, read):
    """Answers show what happened at the purchase and no more; every answer lies on its scale."""
    said = "'{out}/landing/surveys.parquet'"
    scales = "recommendation not between 0 and 10" + "".join(
        f" or {name} not between 1 and 5" for name in ("repurchase_intention", "trust", "satisfaction", "importance")
    )
    assert read(f"select count(*) from {said} where {scales}") == [(0,)]
    asked, kinds = read(f"select count(*) filter (where attribute is null), count(distinct attribute) from {said}")[0]
    assert read("select count(*) from '{out}/landing/interactions.parquet' where kind = 'survey'") == [(asked,)]
    assert asked > 100 and kinds == 4
    stayed = dict(
        read(f"""
        with last_word as (
            select customer_id, max_by(satisfaction, answered_at) >= 4 as is_satisfied from {said}
            where attribute is null group by all
        )
        select l.is_satisfied, avg(has_left::integer)
        from '{{out}}/truth/churn/2022-03-01.parquet' as t
        inner join last_word as l on t.customer_id = l.customer_id::varchar
        where horizon_days = 30 group by all
    """)
    )
    assert 0.1 < stayed[True] < stayed[False]


def test_who_is_brought_joined_after_who_brought_them(read):
    n, early, own = read("""
        select count(*), count(*) filter (where b.joined_on < a.joined_on),
            count(*) filter (where a.customer_id = b.customer_id)
        from '{out}/landing/referrals.parquet' as r
        inner join '{out}/landing/customers.parquet' as b on r.customer_id = b.customer_id
        inner join '{out}/landing/customers.parquet' as a on r.referrer_customer_id = a.customer_id
    """)[0]
    assert n > 10 and early == own == 0
