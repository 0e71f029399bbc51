"""Training rows out of the warehouse into memory.

In: a connection that sees `features.training_snapshots` and `features.customer_day`. Out: `Snapshots`.
Decides nothing about models.
"""

from collections.abc import Sequence
from dataclasses import fields
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from assets.model.churn_features import FEATURES
from assets.model.feature_matrix import feature_matrix
from assets.model.process_model import PurchaseHistories
from assets.model.snapshots import UNKNOWN, Snapshots
from assets.shared.quoting import quoted
from assets.shared.warehouse import fetch_row, fetch_value

TABLE = "features.training_snapshots"


def data_span(con: duckdb.DuckDBPyConnection, before: date) -> tuple[date | None, date | None]:
    """First and last day of `features.customer_day` that a training as of `before` may see; (None, None) if none."""
    first, last = fetch_row(con, "select min(day), max(day) from features.customer_day where day < ?", [before])
    return first, last


def read_histories(con: duckdb.DuckDBPyConnection, before: date) -> PurchaseHistories:
    """Purchase histories of all customers by the days before a date; returns alone are no purchase. Not of those who
    refuse profiling."""
    found = con.execute(
        "select count(*) - 1 as frequency, max(day) - min(day) as recency_days,"
        " cast(? as date) - min(day) as tenure_days"
        " from features.customer_day where day < ? and n_orders > 0"
        " and customer_id not in (select customer_id from features.profiling_refusals)"
        " group by customer_id order by all",
        [before, before],
    ).fetchnumpy()
    return PurchaseHistories(*(np.asarray(found[name], dtype=float) for name in found))


def read_snapshots(
    con: duckdb.DuckDBPyConnection, cutoffs: Sequence[date], horizon_days: int, max_rows: int, anchor: date
) -> Snapshots:
    """Rows of the given cutoffs and horizon whose labels are known by `anchor`, in content order.

    Above `max_rows` customers are sampled by a hash of their id inside the engine, whole histories at a time; below,
    every row is read and ids play no part.
    """
    chosen = (
        "cutoff_date in (select unnest($cutoffs::date[])) and horizon_days = $horizon and label_available_on <= $anchor"
    )
    values = {"cutoffs": [c.isoformat() for c in cutoffs], "horizon": horizon_days, "anchor": anchor}
    n_rows = fetch_value(con, f"select count(*) from {quoted(TABLE)} where {chosen}", values)
    if n_rows > max_rows:
        chosen += " and md5_number_lower(customer_id) % 1000000 < $kept"
        values["kept"] = int(1_000_000 * max_rows / n_rows)
    names = ", ".join(f"cast({quoted(f)} as double) as {quoted(f)}" for f in FEATURES)
    has_customers = fetch_value(
        con,
        "select count(*) from information_schema.tables"
        " where table_schema = 'staging' and table_name = 'stg_customers'",
    )
    region = (
        "(select max(customers.region) from staging.stg_customers as customers"
        " where customers.customer_id = snapshots.customer_id)"
        if has_customers
        else "null::varchar"
    )
    # The reader is on a cursor of its own: an open stream must not be cut off by another statement.
    reader = (
        con.cursor()
        .sql(
            f"""select cutoff_date, label_is_churned, coalesce(is_active, false) as is_active,
            coalesce(label_margin, 0)::double as label_margin, coalesce({region}, '{UNKNOWN}') as region,
            case when label_next_order_on < $anchor then (label_next_order_on - cutoff_date)::double end as wait_days,
            {names}
        from {quoted(TABLE)} as snapshots where {chosen}""",
            params=values,
        )
        .to_arrow_reader(100_000)
    )
    parts = [_from_batch(batch) for batch in reader]
    if not parts:
        return Snapshots(
            np.empty((0, len(FEATURES))),
            np.empty(0, bool),
            np.empty(0, bool),
            np.empty(0),
            np.empty(0, "datetime64[D]"),
        )
    whole = Snapshots(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Snapshots)))
    return whole.in_content_order()


def _from_batch(batch: pa.RecordBatch) -> Snapshots:
    def values(name: str) -> np.ndarray:
        return batch.column(name).to_numpy(zero_copy_only=False)

    return Snapshots(
        matrix=feature_matrix(batch, FEATURES),
        is_churned=values("label_is_churned").astype(bool),
        is_active=values("is_active").astype(bool),
        margin=values("label_margin").astype(float),
        cutoff=values("cutoff_date").astype("datetime64[D]"),
        region=values("region").astype(str),
        wait_days=values("wait_days").astype(float),
    )
