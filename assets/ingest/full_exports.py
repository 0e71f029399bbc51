"""Files that are whole exports (`delivery: full`): what they take the place of, and what they no longer hold.

In: the table `converted` of a file about to be landed, and the batches that counted before. Out: how many of their rows
lie in the days of the file, and how many of those it does not hold. Which days of which batch no longer count follows
from the batches (`raw_views.replaced_days`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import duckdb

from assets.ingest.batches import Batch, data_files
from assets.ingest.raw_views import replaced_days
from assets.ingest.refusals import FileRefused
from assets.shared.plausibility import MIN_ROWS
from assets.shared.quoting import path_list
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_row

#: A file that lacks more of the rows of its days is no newer export of the same sales.
MAX_GONE = 0.5


class Compared(NamedTuple):
    """Rows of earlier batches within the span of a file, each once, and those of them that it does not hold."""

    rows_replaced: int
    rows_gone: int


def compare_export(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    file: str,
    days: Sequence[tuple[str, int]],
    others: Sequence[Batch],
) -> Compared:
    """Compare `converted` with what counted before of its days: customer, day and amount, as often as they occur.
    Raises FileRefused for a file that lacks most of it."""
    if not days:
        return Compared(0, 0)
    first, last = days[0][0], days[-1][0]
    gone = {(row["batch_id"], row["day"]) for row in replaced_days(others)}
    counted = [
        b for b in others if any(first <= day <= last and (b.batch_id, day) not in gone for day, _ in b.all_days)
    ]
    if not counted:
        return Compared(0, 0)
    con.execute("create or replace temp table no_longer (batch_id varchar, day date)")
    if gone:
        con.executemany("insert into no_longer values (?, ?)", sorted(gone))
    paths = [path for batch in counted for path in data_files(settings, batch)]
    replaced, missing = fetch_row(
        con,
        f"""
        with per_batch as (
            select batch_id, customer_id, cast(occurred_at as date) as day, amount, count(*) as n
            from read_parquet({path_list(paths)}, hive_partitioning = false)
            where occurred_at >= cast($first as date) and occurred_at < cast($last as date) + 1
            group by all
        ),
        -- Earlier exports may hold one row many times over; it is one row.
        before as (
            select customer_id, day, amount, max(n) as n from per_batch anti join no_longer using (batch_id, day)
            group by all
        ),
        now as (
            select customer_id, cast(occurred_at as date) as day, amount, count(*) as n
            from converted where rule is null group by all
        )
        select coalesce(sum(before.n), 0), coalesce(sum(greatest(before.n - coalesce(now.n, 0), 0)), 0)
        from before
        left join now on before.customer_id is not distinct from now.customer_id
            and before.day = now.day and before.amount = now.amount
        """,
        {"first": first, "last": last},
    )
    if replaced >= MIN_ROWS and missing > MAX_GONE * replaced:
        raise FileRefused(
            "no_full_export",
            f"{file} has the days {first} to {last}, of which earlier files brought {replaced:,} rows, but lacks"
            f" {missing:,} of these: it is not the whole of its days",
            "where each file holds only a part (a shop, what is new), say `delivery: delta` or give each shop a source"
            " of its own; where the sales of these days are really others now, say `corrections: replace_days` instead",
        )
    return Compared(int(replaced), int(missing))


def covered(export: Batch, others: Sequence[Batch]) -> list[Batch]:
    """Earlier batches with no day outside the days of `export`: nothing of them counts any more."""
    span = export.span
    earlier = [b for b in others if b.delivered_at < export.delivered_at and b.span is not None]
    return [
        b for b in earlier if span is not None and b.span is not None and span[0] <= b.span[0] and b.span[1] <= span[1]
    ]
