"""The floor of a night: a hand-written DuckDB script from landed Parquet to features, segments and scores.

    python -m benchmarks.floor LANDING AS_OF MODELS OUT

No Dagster, no dbt, no typing or deduplication of lines, no quarantine, ledger, training, reasons, plan, KPIs, checks,
history or publish: the least that these tables can cost with this engine and this model. MODELS is the store of a home
whose newest model scores. Writes `OUT/floor.duckdb`. Business parameters are those of the project. Seconds by table go
to standard output as JSON.
"""

import json
import sys
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from assets.model import model_store
from assets.shared.params import load_params
from benchmarks.peers import floor, program

BATCH_ROWS = 100_000


def service(con: duckdb.DuckDBPyConnection, landing: Path, as_of: date) -> None:
    """What the model reads beyond purchases: complaints and contacts of 90 days, share of lines returned, margin."""
    for name in ("interactions", "contacts"):
        con.read_parquet(str(landing / f"{name}*.parquet")).create_view(name)
    con.execute(
        """
        create table model_features as
        with
        complaints as (
            select cast(customer_id as varchar) as customer_id, count(*) as n
            from interactions
            where kind = 'complaint' and occurred_at < $as_of and occurred_at >= $as_of - interval 90 day
            group by all
        ),
        touches as (
            select cast(customer_id as varchar) as customer_id, count(*) as n
            from contacts
            where outcome <> 'held_out' and sent_at < $as_of and sent_at >= $as_of - interval 90 day
            group by all
        ),
        returned as (
            select customer_id, sum(n_return_lines) / sum(n_lines) as return_share
            from customer_day
            where day < $as_of
            group by all
        )
        select
            features.*,
            features.net_sales_365d * $margin_share::double as margin_365d,
            returned.return_share,
            coalesce(complaints.n, 0)::double as n_complaints_90d,
            coalesce(touches.n, 0)::double as n_contacts_90d
        from customer_features as features
        inner join returned on features.customer_id = returned.customer_id
        left join complaints on features.customer_id::varchar = complaints.customer_id
        left join touches on features.customer_id::varchar = touches.customer_id
        """,
        {"as_of": as_of, "margin_share": load_params().value_margin_share},
    )


def segments(con: duckdb.DuckDBPyConnection) -> None:
    """Table segments: RFM scores by quintiles, value class by cumulative margin, lifecycle stage."""
    params = load_params()
    con.execute(
        """
        create table segments as
        with
        bounds as (
            select
                quantile_disc(days_since_last_order, [0.2, 0.4, 0.6, 0.8]) as r,
                quantile_disc(n_orders_365d, [0.2, 0.4, 0.6, 0.8]) as f,
                quantile_disc(net_sales_365d, [0.2, 0.4, 0.6, 0.8]) as m
            from model_features
            where n_orders > 0
        ),
        margins as (
            select
                customer_id,
                margin_365d,
                sum(greatest(margin_365d, 0)) over (order by margin_365d desc range unbounded preceding)
                    - sum(greatest(margin_365d, 0)) over (partition by margin_365d) as above,
                sum(greatest(margin_365d, 0)) over () as total
            from model_features
        )
        select
            features.customer_id,
            5 - len(list_filter(bounds.r, lambda x: features.days_since_last_order > x)) as r_score,
            1 + len(list_filter(bounds.f, lambda x: features.n_orders_365d > x)) as f_score,
            1 + len(list_filter(bounds.m, lambda x: features.net_sales_365d > x)) as m_score,
            case
                when margins.margin_365d > 0 and above / total < $a then 'A'
                when margins.margin_365d > 0 and above / total < $b then 'B'
                else 'C'
            end as value_class,
            case
                when features.n_orders = 0 then 'never_purchased'
                when days_since_last_order >= $lost then 'lost'
                when days_since_last_order >= $dormant then 'dormant'
                when days_since_last_order >= $silent then 'silent'
                when features.n_orders = 1 then 'new'
                else 'active'
            end as lifecycle_stage
        from model_features as features
        inner join margins on features.customer_id = margins.customer_id
        cross join bounds
        """,
        {
            "a": params.value_a_share,
            "b": params.value_b_share,
            "lost": params.lifecycle_lost_days,
            "dormant": params.lifecycle_dormant_days,
            "silent": params.lifecycle_silent_days,
        },
    )


def scores(con: duckdb.DuckDBPyConnection, store: Path, as_of: date) -> None:
    """Table scores: churn probability of everybody eligible by the newest model of `store`, in the season of `as_of`,
    streamed in batches."""
    params = load_params()
    model = model_store.load_model(store, model_store.list_models(store)[-1], as_of)
    con.execute("create table scores (customer_id varchar, churn_probability double)")
    # A shop without contracts has none of their features.
    columns = ", ".join("null::double" if "contract" in name else f"{name}::double" for name in model.features)
    reader = (
        con.cursor()
        .sql(
            f"""
        select customer_id::varchar, {columns} from model_features
        where n_orders > 0 and days_since_last_order < $lost and tenure_days >= $tenure
        """,
            params={"lost": params.lifecycle_lost_days, "tenure": params.churn_min_tenure_days},
        )
        .to_arrow_reader(BATCH_ROWS)
    )
    for batch in reader:
        matrix = np.column_stack([batch.column(j).to_numpy(zero_copy_only=False) for j in range(1, batch.num_columns)])
        scored = pa.table({"customer_id": batch.column(0), "churn_probability": model.churn_probability(matrix)})
        con.register("scored", scored)
        con.execute("insert into scores select * from scored")
        con.unregister("scored")


def main() -> None:
    landing, store, out = Path(sys.argv[1]), Path(sys.argv[3]), Path(sys.argv[4])
    as_of = date.fromisoformat(sys.argv[2])
    watch = program.Stopwatch()
    with floor.connect(out) as con:
        floor.customer_day(con, landing)
        watch.mark("customer_day")
        floor.customer_features(con, as_of)
        watch.mark("customer_features")
        service(con, landing, as_of)
        watch.mark("model_features")
        segments(con)
        watch.mark("segments")
        scores(con, store, as_of)
        watch.mark("scores")
    print(json.dumps(watch.seconds))


if __name__ == "__main__":
    main()
