"""The working warehouse: one DuckDB file, opened for as short as possible and by one process at a time.

In: settings. Out: connections and small helpers over them. Knows nothing of stages.
"""

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

from assets.shared.errors import UserError
from assets.shared.quoting import quoted
from assets.shared.settings import Settings, gibibytes

if TYPE_CHECKING:
    import pyarrow as pa

    from assets.shared.tables import Table

#: Parameters of a statement, by place or by name.
Values = Sequence[Any] | Mapping[str, Any] | None


@contextmanager
def connect(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the working warehouse, closed on exit so that dbt can open the file next.

    Raises UserError when another process holds the file, and when a statement needs more memory, or more disk to spill
    to, than there is.
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
        with within_limits(settings):
            yield con
    finally:
        con.close()


def configure(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Limits of the settings; insertion order is never relied on, and keeping it costs memory."""
    con.execute("set TimeZone = 'UTC'")
    for name, value in engine_settings(settings).items():
        con.execute(f"set {name} = ?", [value])


def engine_settings(settings: Settings) -> dict[str, str | int | bool]:
    """What every connection of a run sets, those of dbt included: name to value. All are of the database, not of a
    session."""
    return {
        "preserve_insertion_order": False,
        "memory_limit": f"{settings.engine_memory_bytes // 2**20}MiB",
        "temp_directory": str(settings.spill),
        **({"threads": settings.threads} if settings.threads else {}),
    }


@contextmanager
def within_limits(settings: Settings) -> Iterator[None]:
    """Turn what happens when memory, or the disk that it spills to, runs out into a UserError naming the setting; and
    a folder that cannot be written into one naming the folder."""
    try:
        yield
    except (duckdb.Error, MemoryError, OSError) as error:
        # An unknown error of Great Expectations or Arrow keeps the engine's words, but not its class.
        if isinstance(error, MemoryError | duckdb.OutOfMemoryException) or is_out_of_space(str(error)):
            raise out_of_memory(settings, str(error)) from error
        if is_not_allowed(error):
            where = getattr(error, "filename", None) or settings.home
            raise UserError(
                f"{where} cannot be written: {str(error).splitlines()[0]}",
                "give this user the right to write there, or copy the home elsewhere and name it with --home; readers "
                "keep the last complete set; then run again",
            ) from error
        raise


def is_out_of_space(message: str) -> bool:
    """Whether an error of the engine is about memory or about the disk that it spills to."""
    return any(words in message for words in ("Out of Memory Error", "OutOfMemoryException", "No space left on device"))


def is_not_allowed(error: BaseException) -> bool:
    """Whether an error says that a file or folder may not be written: read-only, or another user's."""
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return True
    return any(words in str(error) for words in ("Read-only file system", "Permission denied"))


def out_of_memory(settings: Settings, message: str) -> UserError:
    """What to say to the user when memory or the disk for spilling ran out."""
    limit = gibibytes(settings.memory_bytes)
    reason = message.splitlines()[0] if message else "memory ran out"
    if "No space left on device" in message or "max_temp_directory_size" in message:
        return UserError(
            f"the disk of {settings.spill} is full: what does not fit into {limit} of memory goes there ({reason})",
            "free some disk, move the home to a larger one, or raise HOLDFAST_MEMORY_LIMIT, then run again",
        )
    return UserError(
        f"a run may take {limit} of memory, and a step needed more ({reason})",
        "raise HOLDFAST_MEMORY_LIMIT (for example HOLDFAST_MEMORY_LIMIT=8GB), or lower HOLDFAST_THREADS: each thread "
        "needs memory of its own; then run again",
    )


def fetch_row(con: duckdb.DuckDBPyConnection, sql: str, values: Values = None) -> tuple[Any, ...]:
    """The first row of a query that has one, such as an aggregate. Raises LookupError where it has none."""
    row = con.execute(sql, values).fetchone()
    if row is None:
        raise LookupError(f"no row: {sql}")
    return row


def fetch_value(con: duckdb.DuckDBPyConnection, sql: str, values: Values = None) -> Any:
    """The first value of that row."""
    return fetch_row(con, sql, values)[0]


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


def replace_table_from_batches(
    con: duckdb.DuckDBPyConnection, table: str, schema: "pa.Schema", batches: "Iterable[pa.RecordBatch]"
) -> None:
    """Create or replace `schema.table`, or a temporary table of this connection where no schema is named, with the rows
    of Arrow batches, as a whole or not at all. The batches may be read from cursors of `con`.

    Raises what the iterator raises, where DuckDB would pass on its words only.
    """
    import pyarrow as pa

    failures: list[BaseException] = []

    def watched() -> "Iterator[pa.RecordBatch]":
        try:
            yield from batches
        except BaseException as error:
            failures.append(error)
            raise

    kind = "table"
    if "." in table:
        con.execute(f"create schema if not exists {quoted(table.split('.')[0])}")
    else:
        kind = "temp table"
    # One statement that pulls the batches: an insert a batch would keep each of them alive until the commit.
    con.register("incoming_batches", pa.RecordBatchReader.from_batches(schema, watched()))
    try:
        con.execute(f"create or replace {kind} {quoted(table)} as select * from incoming_batches")
    except duckdb.Error:
        if failures:
            raise failures[0] from None
        raise
    finally:
        con.unregister("incoming_batches")


def ensure_tables(con: duckdb.DuckDBPyConnection, tables: "Iterable[Table]") -> None:
    """Create declared tables, empty, where they are missing. One with other columns, as after an upgrade, is replaced:
    only for tables that can be computed again."""
    for table in tables:
        con.execute(f"create schema if not exists {quoted(table.name.split('.')[0])}")
        present = con.execute(
            "select column_name from duckdb_columns() where database_name = current_database()"
            " and schema_name || '.' || table_name = ? order by column_index",
            [table.name],
        ).fetchall()
        if [name for (name,) in present] != list(table.duckdb_types):
            con.execute(f"create or replace table {quoted(table.name)} ({table.column_list})")


def count_rows(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """Rows of `schema.table`."""
    return fetch_value(con, f"select count(*) from {quoted(table)}")
