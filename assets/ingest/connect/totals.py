"""What comes of a source, in numbers that its owner knows: for comparison with their own books.

In: a source. Out: plain text. All of its files are landed as a night would, in a folder that is gone afterwards.
"""

import tempfile
from pathlib import Path

import duckdb

from assets.ingest import raw_views
from assets.ingest.landing import Progress
from assets.ingest.sources import Source
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_row

FIRST_ROWS, MONTHS = 5, 24
#: As staging counts: a line of one order and day once, whichever file brings it again.
_LINES = (
    "(select * from ingest.transactions qualify row_number() over ("
    "partition by cast(occurred_at as date), order_id, line_id order by batch_id) = 1)"
)
_SIGNED = "case when coalesce(is_return, amount < 0 or quantity < 0, false) then -abs(amount) else amount end"


def understood(source: Source, progress: Progress) -> str:
    """The first rows as they were understood, and totals. Raises UserError as the landing does."""
    with tempfile.TemporaryDirectory(prefix="holdfast-connect-") as folder, duckdb.connect() as con:
        settings = Settings(home=Path(folder), sources=(source.name,))
        source.land(settings, progress)
        con.execute("set TimeZone = 'UTC'")
        raw_views.rebuild_raw_views(con, settings, [source.name])
        return "\n".join([*_first_rows(con), "", *_totals(con), "", *_months(con)])


def _first_rows(con: duckdb.DuckDBPyConnection) -> list[str]:
    columns = [row[0] for row in con.execute("describe ingest.transactions").fetchall()]
    names = [name for name in columns if name not in ("source", "batch_id")]
    rows = con.execute(
        f"select {', '.join(names)} from ingest.transactions order by occurred_at, order_id, line_id limit {FIRST_ROWS}"
    ).fetchall()
    lines = ["first rows as understood:"]
    for row in rows:
        lines.append("  " + ", ".join(f"{n} {v}" for n, v in zip(names, row, strict=True) if v is not None))
    return lines


def _totals(con: duckdb.DuckDBPyConnection) -> list[str]:
    rows_in, accepted, quarantined, left_out = fetch_row(
        con,
        "select sum(rows_in), sum(rows_accepted), sum(rows_quarantined), sum(rows_left_out) from ingest.batches"
        " where entity = 'transactions'",
    )
    orders, customers, net, n_returns, returned = fetch_row(
        con,
        f"""
        select
            count(distinct (cast(occurred_at as date), order_id)), count(distinct customer_id), sum(signed),
            count(*) filter (signed < 0), coalesce(-sum(signed) filter (signed < 0), 0)
        from (select *, {_SIGNED} as signed from {_LINES} as lines)
        """,
    )
    return [
        "totals:",
        f"  {rows_in:,} rows in = {accepted:,} accepted + {quarantined:,} quarantined + "
        f"{left_out:,} left out on purpose",
        f"  {orders:,} orders of {customers:,} customers, net sales {net or 0:,.2f}",
        f"  {n_returns:,} rows are returns, {returned:,.2f} together",
    ]


def _months(con: duckdb.DuckDBPyConnection) -> list[str]:
    rows = con.execute(
        f"""
        select
            strftime(occurred_at, '%Y-%m') as month, count(*),
            count(distinct (cast(occurred_at as date), order_id)),
            sum({_SIGNED})
        from {_LINES} as lines group by month order by month desc limit {MONTHS}
        """
    ).fetchall()
    lines = [
        f"net sales by month (the last {len(rows)}):",
        f"  {'month':<9}{'rows':>12}{'orders':>12}{'net sales':>18}",
    ]
    return lines + [f"  {month:<9}{n:>12,}{orders:>12,}{net:>18,.2f}" for month, n, orders, net in reversed(rows)]
