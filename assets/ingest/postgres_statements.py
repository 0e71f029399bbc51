"""What is asked of a source's database, and what comes back: statements, and rows in bounded batches.

In: a table's place in the database (`mapping.postgres`) and a connection. Out: columns with their types, the SQL of a
pull, Arrow tables. What is done with the rows does not belong here (`postgres_source`, `pulled_rows`).
"""

from collections.abc import Generator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from assets.ingest.mapping.postgres import PostgresTable
from assets.shared.errors import UserError
from assets.shared.postgres import PostgresConnection
from assets.shared.quoting import identifier

#: Watermarks are compared as what they are; a text or a float has no order that a pull could rely on.
WATERMARKS = {"int2": "bigint", "int4": "bigint", "int8": "bigint", "date": "date", "timestamp": "timestamp",
              "timestamptz": "timestamptz"}  # fmt: skip

#: Types that arrive as they are; all others as text, which is what a file would have held.
_PLAIN = ("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar")


def relation(place: PostgresTable) -> str:
    """The table by its quoted name, or the query of the YAML as a subquery."""
    if place.query is not None:
        return f"({place.query.strip().rstrip(';')}) as pulled"
    return ".".join(identifier(part) for part in str(place.table).split("."))


def label(entity: str, place: PostgresTable) -> str:
    """How a person knows where rows come from, as the name of a file elsewhere."""
    return f"postgres:{place.table}" if place.table is not None else f"postgres:query of {entity}"


def column_types(pg: PostgresConnection, place: PostgresTable) -> dict[str, str]:
    """Column to Postgres type, in order."""
    with pg.raw.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        cursor.execute(f"select * from {relation(place)} limit 0")
        schema = cursor.fetch_arrow_table().schema
    return {field.name: ((field.metadata or {}).get(b"POSTGRESQL:type") or b"").decode() for field in schema}


def whole_statement(place: PostgresTable, columns: Mapping[str, str], is_ordered: bool = True) -> str:
    """All rows, where wanted in an order that follows from their content."""
    order = f" order by {', '.join(str(n) for n in range(1, len(columns) + 1))}" if is_ordered else ""
    return f"select {_selected(columns)} from {relation(place)}{order}"


def pull_statement(place: PostgresTable, columns: Mapping[str, str], mark: str, low: Any) -> tuple[str, list[Any]]:
    """Rows from `low` on, and those without a watermark, whose place in time nobody knows; oldest first, so that a pull
    that dies can go on. (statement, parameters)."""
    column = identifier(mark)
    order = f"order by {column} nulls last"
    statement = f"select {_selected(columns)} from {relation(place)}"
    if low is None:
        return f"{statement} {order}", []
    return f"{statement} where {column} >= $1::text::{columns[mark]} or {column} is null {order}", [str(low)]


def _selected(columns: Mapping[str, str]) -> str:
    return ", ".join(_expression(name, kind) for name, kind in columns.items())


def _expression(name: str, kind: str) -> str:
    column = identifier(name)
    if kind in _PLAIN:
        return column
    if kind in ("date", "timestamp", "timestamptz"):
        # 'infinity' means no end; it is no day.
        return f"case when isfinite({column}) then {column} end as {column}"
    return f"{column}::text as {column}"


def find_column(columns: Mapping[str, str], ref: str | int) -> str | None:
    """The column that the mapping means: by name, by name without regard to case, by position from 1."""
    names = list(columns)
    if isinstance(ref, int):
        return names[ref - 1] if 0 < ref <= len(names) else None
    if ref in columns:
        return ref
    alike = [name for name in names if name.casefold() == ref.strip().casefold()]
    return alike[0] if len(alike) == 1 else None


def watermark_column(path: Path, entity: str, place: PostgresTable, columns: Mapping[str, str]) -> str:
    """The table's watermark. Raises UserError when it is not there, cannot be ordered, or does not fit the overlap."""
    where = f"{path}: tables.{entity}.postgres"
    mark = find_column(columns, str(place.watermark))
    if mark is None:
        raise UserError(
            f"{where}: {label(entity, place)} has no column {place.watermark!r}", f"it has: {', '.join(columns)}"
        )
    if columns[mark] not in WATERMARKS:
        raise UserError(
            f"{where}.watermark: {mark} is of type {columns[mark] or 'unknown'}, which cannot say what is new",
            "name a column with the time of the last change, or a number that only rises",
        )
    is_number, is_span = WATERMARKS[columns[mark]] == "bigint", not place.overlap.isdigit()
    if is_number == is_span:
        raise UserError(
            f"{where}.overlap: {place.overlap!r} does not fit {mark}, which is of type {columns[mark]}",
            "write a number such as 1000" if is_number else "write a time such as '2 days'",
        )
    return mark


def clock(pg: PostgresConnection) -> datetime:
    """The server's own time."""
    return pg.rows("select now()")[0][0]


def row_batches(pg: PostgresConnection, sql: str, values: list[Any], n_rows: int) -> Generator[pa.Table, None, None]:
    """The rows of a query as Arrow tables of at most `n_rows`, from a cursor on the server: memory holds one of them.
    At least one table, without rows where there are none."""
    with pg.transaction():
        pg.execute("set transaction isolation level repeatable read, read only")
        # Days and moments are written as text in one way, whatever the server or the role prefers.
        pg.execute("set local datestyle = 'ISO'")
        pg.execute(f"declare pulled_rows no scroll cursor for {sql}", values)
        while True:
            with pg.raw.cursor() as cursor:
                cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
                cursor.execute(f"fetch forward {int(n_rows)} from pulled_rows")
                chunk = cursor.fetch_arrow_table()
            yield chunk
            if chunk.num_rows < n_rows:
                return
