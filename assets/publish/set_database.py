"""The database file of one set: schema `marts` as native tables in order of their keys, schema `history` as views.

In: the marts of one night, wherever they lie in the engine, and the Parquet files of all dates. Out: a DuckDB file with
comments, in a storage format that older drivers read. When and where it is shown does not belong here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from assets.publish.history_files import FilesInForce, HistoryFolder
from assets.shared.warehouse import quoted

#: Drivers in BI tools lag behind the library: files of the newest storage format cannot be opened by 1.x drivers.
STORAGE_VERSION = "v1.2.0"


@dataclass(frozen=True)
class MartDocs:
    """What a mart's declaration says for readers: comments of the table, and of columns by name; `primary_key`, where
    it is another than the key by which the table is sorted; `indexes`, columns that BI tools filter by."""

    table: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    primary_key: Sequence[str] = ()
    indexes: Sequence[Sequence[str]] = ()


def write_database(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    folder: HistoryFolder,
    files: FilesInForce,
    keys: Mapping[str, Sequence[str]],
    docs: Mapping[str, MartDocs],
    on_step: Callable[[str], None] = lambda step: None,
    marts: str = "marts",
) -> None:
    """Write the marts named by `keys` (from schema `marts` of the connection, `catalog.schema` allowed) and the history
    views over `files` into the database at `path`; what it holds already stays."""
    con.execute(f"attach {literal(path)} as new_set (storage_version {literal(STORAGE_VERSION)})")
    try:
        con.execute("create schema if not exists new_set.marts")
        con.execute("create schema if not exists new_set.history")
        for table, key in keys.items():
            on_step(f"write marts.{table}")
            name = f"new_set.marts.{quoted(table)}"
            con.execute(f"create table {name} as select * from {marts}.{quoted(table)} order by {ordering(key)}")
            _comment(con, name, docs.get(table, MartDocs()))
        for table, dates in sorted(files.items()):
            paths = ", ".join(literal(folder.file(table, name)) for _, name in sorted(dates.items()))
            view = f"new_set.history.{quoted(table)}"
            # By name: a mart that gained a column reads as null on the dates before.
            con.execute(f"create or replace view {view} as select * from read_parquet([{paths}], union_by_name = true)")
            if table in docs:
                words = f"All published as-of dates of marts.{table}. {docs[table].table}"
                con.execute(f"comment on view {view} is {literal(words)}")
        con.execute("checkpoint new_set")
    finally:
        con.execute("detach new_set")


def _comment(con: duckdb.DuckDBPyConnection, table: str, docs: MartDocs) -> None:
    if docs.table:
        con.execute(f"comment on table {table} is {literal(docs.table)}")
    present = {row[0] for row in con.execute(f"describe {table}").fetchall()}
    for column, words in docs.columns.items():
        if column in present and words:
            con.execute(f"comment on column {table}.{quoted(column)} is {literal(words)}")


def ordering(key: Sequence[str]) -> str:
    """The `order by` of a table with this key; without one, by everything."""
    return ", ".join(quoted(column) for column in key) if key else "all"


def literal(value: object) -> str:
    """An SQL text literal, for statements that take no parameters (attach, copy, comment, views)."""
    return "'" + str(value).replace("'", "''") + "'"
