"""Rows that value and rhythm are learned from, out of the warehouse, in an order that depends on their content only.

In: a connection that sees `features.training_snapshots` and `features.customer_day`. Out: arrays. Fits nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta

import duckdb
import numpy as np

from assets.model.churn_features import FEATURES
from assets.shared.quoting import quoted
from assets.shared.warehouse import fetch_value
from assets.train.value.cutoffs import WINDOWS

#: Most rows that a value fit reads; beyond it customers are sampled by a hash in the engine.
MAX_ROWS = 60_000
#: Most customers whose gaps decide the rhythm: a few parameters are known well enough from them.
MAX_RHYTHM_CUSTOMERS = 2_000


@dataclass(frozen=True)
class ValueRows:
    """Customers at cutoff dates with whether they bought in a window after it, at what margin; one row each, no ids.

    matrix: (n, len(FEATURES)), NaN where undefined. bought: bool. margin: source currency. cutoff: datetime64[D].
    """

    matrix: np.ndarray
    bought: np.ndarray
    margin: np.ndarray
    cutoff: np.ndarray

    def __len__(self) -> int:
        return len(self.bought)

    def where(self, chosen: np.ndarray) -> "ValueRows":
        return ValueRows(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def at(self, cutoffs: Sequence[date]) -> "ValueRows":
        return self.where(np.isin(self.cutoff, np.array(sorted(cutoffs), dtype="datetime64[D]")))


@dataclass(frozen=True)
class Gaps:
    """Days between purchases of customers: number, sum, sum of logarithms, and days since the last purchase."""

    n: np.ndarray
    total: np.ndarray
    logs: np.ndarray
    silent: np.ndarray


def enough_customers_on(con: duckdb.DuckDBPyConnection, n_customers: int, before: date) -> date | None:
    """Day on which the `n_customers`-th customer came, by the landed lines before a day; None where fewer have. A
    cutoff soon after it is worth a snapshot, an earlier one teaches nothing."""
    first = fetch_value(con, "select min(day) from ingest.batch_days where day < ?", [before])
    if first is None:
        return None
    # A large business has them within its first month: the rest need not be read.
    for end in (min(first + timedelta(31), before), before):
        found = con.execute(
            """
            select first_day from (
                select min(occurred_at)::date as first_day from ingest.transactions
                where occurred_at < $end::date group by customer_id
            )
            order by first_day limit 1 offset $skipped
            """,
            {"end": end, "skipped": n_customers - 1},
        ).fetchone()
        if found is not None:
            return found[0]
    return None


def read_value_rows(con: duckdb.DuckDBPyConnection, cutoffs: Sequence[date], window: str) -> ValueRows:
    """Rows of the given cutoffs whose outcome over `window` (a key of `cutoffs.WINDOWS`) is known, in content
    order."""
    margin, orders = (quoted(f"label_{measure}_{window}") for measure in ("margin", "n_orders"))
    assert window in WINDOWS
    chosen = f"cutoff_date in (select unnest($cutoffs::date[])) and {orders} is not null"
    values: dict = {"cutoffs": [cutoff.isoformat() for cutoff in cutoffs]}
    n_rows = fetch_value(con, f"select count(*) from features.training_snapshots where {chosen}", values)
    if n_rows > MAX_ROWS:
        # A hash of its own: the snapshots themselves may be a sample by a hash of the id.
        chosen += " and md5_number_lower(customer_id || ':value') % 1000000 < $kept"
        values["kept"] = int(1_000_000 * MAX_ROWS / n_rows)
    names = ", ".join(f"cast({quoted(f)} as double) as {quoted(f)}" for f in FEATURES)
    found = con.execute(
        f"""select {orders} > 0 as bought, {margin}::double as margin, cutoff_date, {names}
        from features.training_snapshots where {chosen}""",
        values,
    ).fetchnumpy()
    matrix: np.ndarray = np.column_stack([np.ma.filled(np.ma.asarray(found[f], dtype=float), np.nan) for f in FEATURES])
    matrix[~np.isfinite(matrix)] = np.nan
    rows = ValueRows(
        matrix,
        np.asarray(found["bought"], dtype=bool),
        np.asarray(found["margin"], dtype=float),
        np.asarray(found["cutoff_date"]).astype("datetime64[D]"),
    )
    # Equal rows are interchangeable, so any naming of customers ends in the same sums.
    return rows.where(np.lexsort([rows.margin, rows.bought, *rows.matrix.T, rows.cutoff.astype(np.int64)]))


def read_gaps(con: duckdb.DuckDBPyConnection, before: date, lost_days: int) -> Gaps:
    """Gaps between purchase days of customers seen before a day and silent for fewer than `lost_days`: whoever is lost
    is not on the way to a next purchase. Not of those who refuse profiling."""
    n_customers = fetch_value(
        con,
        "select count(distinct customer_id) from features.customer_day where day < $before and n_orders > 0",
        {"before": before},
    )
    kept = 1_000_000 if n_customers <= MAX_RHYTHM_CUSTOMERS else int(1_000_000 * MAX_RHYTHM_CUSTOMERS / n_customers)
    found = con.execute(
        """
        with gaps as (
            select customer_id, day, day - lag(day) over (partition by customer_id order by day) as gap
            from features.customer_day
            where day < $before and n_orders > 0
                and customer_id not in (select customer_id from features.profiling_refusals)
                and md5_number_lower(customer_id || ':value') % 1000000 < $kept
        )

        select
            count(gap)::double as n,
            coalesce(sum(gap), 0)::double as total,
            round(coalesce(sum(ln(gap)), 0), 9) as logs,
            ($before::date - max(day))::double as silent
        from gaps
        group by customer_id
        having $before::date - max(day) < $lost_days
        order by n, total, logs, silent
        """,
        {"before": before, "kept": kept, "lost_days": lost_days},
    ).fetchnumpy()
    return Gaps(*(np.asarray(found[name], dtype=float) for name in ("n", "total", "logs", "silent")))


def later_margins(con: duckdb.DuckDBPyConnection, cutoff: date, days: int, before: date) -> np.ndarray:
    """Net sales of the customers of the snapshot at `cutoff` in each whole window of `days` after it that ends by
    `before`: how much a window's margin goes on. One amount a window, the nearest first; empty if none."""
    n_windows = (before - cutoff).days // days
    if n_windows < 1:
        return np.empty(0)
    found = con.execute(
        """
        select (day - $cutoff::date) // $days as number, sum(net_sales)::double as amount
        from features.customer_day
        where day >= $cutoff and day < $cutoff::date + ($days * $n_windows)::integer
            and customer_id in (select customer_id from features.training_snapshots where cutoff_date = $cutoff)
        group by number
        """,
        {"cutoff": cutoff, "days": days, "n_windows": n_windows},
    ).fetchall()
    amounts = np.zeros(n_windows)
    for number, amount in found:
        amounts[number] = amount
    return amounts
