"""A small SQLAlchemy dialect through which Great Expectations 1.24 works inside DuckDB 2.0.

What suites need is standard SQL, so this is SQLAlchemy's default dialect with three things of its own:

* Great Expectations gives the connection back before it fetches; DuckDB's pending result is gone by then. So rows are
  fetched when the statement has run. Every query of a suite returns aggregates, except the rows that break a
  `no_rows_where` rule, of which nobody needs more than a glance: hence a bounded fetch, not `fetchall`.
* Columns come from `duckdb_columns()`. (The published dialects ask Postgres catalogs that DuckDB 2.0 does not have.)
* Connections are handed in by the caller (event `do_connect`), and only read: there is nothing to commit.

`duckdb+holdfast://` addresses it once `register` was called.
"""

from types import SimpleNamespace
from typing import Any

from sqlalchemy import types
from sqlalchemy.dialects import registry
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy
from sqlalchemy.engine.default import DefaultDialect, DefaultExecutionContext

URL = "duckdb+holdfast://"
MAX_FETCHED_ROWS = 1000

#: Exceptions that every Python database module has (PEP 249).
EXCEPTIONS = (
    "Error",
    "InterfaceError",
    "DatabaseError",
    "DataError",
    "OperationalError",
    "IntegrityError",
    "InternalError",
    "ProgrammingError",
    "NotSupportedError",
)


class BufferedExecution(DefaultExecutionContext):
    """Holds the rows of a statement as soon as it has run."""

    def post_exec(self) -> None:
        if self.cursor.description:
            rows = self.cursor.fetchmany(MAX_FETCHED_ROWS)
            self.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(self.cursor, initial_buffer=rows)


class Dialect(DefaultDialect):
    """Standard SQL on the caller's DuckDB connections, for reading."""

    name = "duckdb"
    driver = "holdfast"
    execution_ctx_cls = BufferedExecution
    supports_statement_cache = False
    supports_native_boolean = True
    supports_native_decimal = True

    @classmethod
    def import_dbapi(cls) -> Any:
        import duckdb

        exceptions = {name: getattr(duckdb, name, duckdb.Error) for name in EXCEPTIONS}
        return SimpleNamespace(paramstyle="qmark", connect=_empty_database, **exceptions)

    def create_connect_args(self, url: Any) -> tuple[list, dict]:
        return [], {}

    def do_begin(self, dbapi_connection: Any) -> None:
        """Reading needs no transaction of its own."""

    do_commit = do_rollback = do_begin

    def get_columns(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> list[Any]:
        rows = connection.exec_driver_sql(
            "select column_name from duckdb_columns()"
            " where database_name = current_database() and schema_name = ? and table_name = ?"
            " order by column_index",
            (schema or "main", table_name),
        ).fetchall()
        # The rules compare values and never types: those are the business of dbt's contracts.
        return [{"name": name, "type": types.NullType(), "nullable": True, "default": None} for (name,) in rows]

    def get_pk_constraint(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> Any:
        return {"constrained_columns": [], "name": None}


def _empty_database() -> Any:
    """Great Expectations connects once when it gets a data source, before anybody can listen."""
    import duckdb

    return duckdb.connect()


def register() -> None:
    """Make the dialect known to SQLAlchemy."""
    registry.register("duckdb.holdfast", __name__, "Dialect")
