"""The working warehouse: one DuckDB file, opened for as short as possible and by one process at a time.

In: settings. Out: connections and small helpers over them. Knows nothing of stages.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from assets.shared.errors import UserError
from assets.shared.settings import Settings


@contextmanager
def connect(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the working warehouse, closed on exit so that dbt can open the file next.

    Raises UserError when another process holds the file.
    """
    try:
        con = duckdb.connect(str(settings.warehouse))
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            raise UserError(
                f"{settings.warehouse} is open in another process",
                f"close it there; to read results, open {settings.published_db} instead",
            ) from None
        raise
    try:
        configure(con, settings)
        yield con
    finally:
        con.close()


def configure(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Limits of the settings; insertion order is never relied on, and keeping it costs memory."""
    con.execute("set preserve_insertion_order = false")
    con.execute("set TimeZone = 'UTC'")
    if settings.memory_limit:
        con.execute("set memory_limit = ?", [settings.memory_limit])


def quoted(name: str) -> str:
    """An SQL identifier, `schema.table` included, quoted part by part."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def replace_table(con: duckdb.DuckDBPyConnection, table: str, rows: Any) -> int:
    """Create or replace `schema.table` from `rows`, an Arrow table or reader (columns as they are).
    Returns the number of rows written."""
    con.execute(f"create schema if not exists {quoted(table.split('.')[0])}")
    con.register("incoming_rows", rows)
    try:
        con.execute(f"create or replace table {quoted(table)} as select * from incoming_rows")
    finally:
        con.unregister("incoming_rows")
    return count_rows(con, table)


def count_rows(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """Rows of `schema.table`."""
    return con.execute(f"select count(*) from {quoted(table)}").fetchone()[0]
