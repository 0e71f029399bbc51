"""The SQLAlchemy dialect through which Great Expectations 1.24 can work inside DuckDB 2.0.

Two things of the installed dialect do not hold there, and both are mended here for this one use:

* Great Expectations gives the connection back before it fetches; DuckDB's pending result is gone by then. So the
  rows are fetched when the statement has run. Every query of a suite returns aggregates, except the rows that break a
  `no_rows_where` rule, of which nobody needs more than a glance: hence a bounded fetch, not `fetchall`.
* Column reflection asks Postgres catalogs that DuckDB does not have. So columns come from `duckdb_columns()`.

`duckdb+holdfast://` addresses it once `register` was called.
"""

from typing import Any

import duckdbalchemy
from sqlalchemy import types
from sqlalchemy.dialects import registry
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy

URL = "duckdb+holdfast:///:memory:"
MAX_FETCHED_ROWS = 1000


class BufferedExecution(duckdbalchemy.Dialect.execution_ctx_cls):
    """Holds the rows of a statement as soon as it has run."""

    def post_exec(self) -> None:
        if self.cursor.description:
            rows = self.cursor.fetchmany(MAX_FETCHED_ROWS)
            self.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(self.cursor, initial_buffer=rows)


class Dialect(duckdbalchemy.Dialect):
    """duckdbalchemy with buffered results and its own column reflection."""

    execution_ctx_cls = BufferedExecution
    supports_statement_cache = False

    def get_columns(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> list[dict]:
        rows = connection.exec_driver_sql(
            "select column_name from duckdb_columns()"
            " where database_name = current_database() and schema_name = $1 and table_name = $2"
            " order by column_index",
            (schema or "main", table_name),
        ).fetchall()
        # The rules compare values and never types: those are the business of dbt's contracts.
        return [{"name": name, "type": types.NullType(), "nullable": True, "default": None} for (name,) in rows]

    def get_pk_constraint(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> dict:
        return {"constrained_columns": [], "name": None}


def register() -> None:
    """Make the dialect known to SQLAlchemy."""
    registry.register("duckdb.holdfast", __name__, "Dialect")
