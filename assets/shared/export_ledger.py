"""The export ledger: whom the export files of each night told somebody to contact, one Parquet file an as-of date.

In: the folder `ledgers/exports` of the home. Out: the rows of one night, and the nights there are. A row stays when its
contact is taken out of the files again: it may have been sent meanwhile. What is in the files themselves belongs to
stage publish, what became of a contact comes back from the business.
"""

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from assets.shared.plan_ledger import ledger_file, replace_parquet

COLUMNS = {
    "as_of_date": "date",
    "contact_id": "varchar",
    "customer_id": "varchar",
    "action_id": "varchar",
    "channel": "varchar",
    "run_id": "varchar",
    "exported_at": "timestamp",
    "is_withdrawn": "boolean",
}


def exports_folder(ledgers: Path) -> Path:
    """Where the files of the ledger are."""
    return ledgers / "exports"


def load_exports(con: duckdb.DuckDBPyConnection, table: str, ledgers: Path, as_of_date: date) -> None:
    """Make the temporary table `table` of what was exported for one night."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    con.execute(f"create or replace temp table {table} ({columns})")
    path = ledger_file(exports_folder(ledgers), as_of_date)
    if path.exists():
        con.execute(f"insert into {table} by name select * from read_parquet(?)", [str(path)])


def replace_exports(rows: pa.Table, ledgers: Path, as_of_date: date) -> None:
    """Write `rows` as what was exported for one night. A night without contacts has a file too: it was exported."""
    folder = exports_folder(ledgers)
    folder.mkdir(parents=True, exist_ok=True)
    replace_parquet(rows, ledger_file(folder, as_of_date))
