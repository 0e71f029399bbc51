"""What earlier nights planned, as a table that the models of stage candidates read.

In: the plan ledger, one file a date, and which ids stand for others now. Out: `ledgers.past_plans`, of the ids of now.
Whether a plan was carried out is not said here.
"""

from datetime import date
from pathlib import Path

import duckdb

from assets.shared.plan_ledger import files_before
from assets.shared.tables import declared_table
from assets.shared.warehouse import count_rows


def build_past_plans(con: duckdb.DuckDBPyConnection, as_of_date: date, ledgers: Path) -> int:
    """Write `ledgers.past_plans`: the rows of all ledger files of dates before `as_of_date`. Returns their number.

    Files of the date itself and of later ones are not read, so that a plan made again finds what it found the first
    time.
    """
    table = declared_table("ledgers.past_plans")
    con.execute("create schema if not exists ledgers")
    con.execute(f"create or replace table ledgers.past_plans ({table.column_list})")
    files = files_before(ledgers / "plan", as_of_date)
    if files:
        read = "from read_parquet(?, union_by_name = true)"
        paths = [[str(path) for path in files]]
        # A column that came later is empty in the files of before.
        known = {name for name, *_ in con.execute(f"describe {read}", paths).fetchall()}
        columns = ", ".join(
            f"coalesce(changes.customer_id, plans.{name}) as {name}" if name == "customer_id" else f"plans.{name}"
            for name in table.duckdb_types
            if name in known
        )
        con.execute(
            f"insert into ledgers.past_plans by name select {columns} {read} as plans"
            " left join ingest.id_changes as changes on plans.customer_id = changes.old_customer_id",
            paths,
        )
    return count_rows(con, table.name)
