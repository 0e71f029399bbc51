"""What earlier nights planned, as a table that the models of stage candidates read.

In: the plan ledger, one file a date. Out: `ledgers.past_plans`. Whether a plan was carried out is not said here.
"""

from datetime import date
from pathlib import Path

import duckdb

from assets.shared.plan_ledger import COLUMNS, files_before


def build_past_plans(con: duckdb.DuckDBPyConnection, as_of_date: date, ledgers: Path) -> int:
    """Write `ledgers.past_plans`: the rows of all ledger files of dates before `as_of_date`. Returns their number.

    Files of the date itself and of later ones are not read, so that a plan made again finds what it found the first
    time.
    """
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    con.execute("create schema if not exists ledgers")
    con.execute(f"create or replace table ledgers.past_plans ({columns})")
    files = files_before(ledgers / "plan", as_of_date)
    if files:
        con.execute(
            f"insert into ledgers.past_plans select {', '.join(COLUMNS)} from read_parquet(?, union_by_name = true)",
            [[str(path) for path in files]],
        )
    return con.execute("select count(*) from ledgers.past_plans").fetchone()[0]
