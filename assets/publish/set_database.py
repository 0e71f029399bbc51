"""The database file of one set: schema `marts` as native tables in order of their keys, schema `history` as views.

In: the marts of one night, wherever they lie in the engine, and the Parquet files of all dates. Out: a DuckDB file with
comments, in a storage format that older drivers read. When and where it is shown does not belong here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from assets.publish.marts import Mart, Marts
from assets.shared.quoting import literal, path_literal, quoted

#: Drivers in BI tools lag behind the library: files of the newest storage format cannot be opened by 1.x drivers.
STORAGE_VERSION = "v1.2.0"

#: Where a reader says under which path the published folder is found.
FOLDER_VARIABLE = "holdfast_published"

_CATALOG = "new_set"


@contextmanager
def set_database(con: duckdb.DuckDBPyConnection, path: Path) -> Iterator["SetDatabase"]:
    """The database at `path`, made where there is none, for as long as the block runs; what it holds already stays."""
    con.execute(f"attach {literal(path)} as {_CATALOG} (storage_version {literal(STORAGE_VERSION)})")
    try:
        yield SetDatabase(con)
        con.execute(f"checkpoint {_CATALOG}")
    finally:
        con.execute(f"detach {_CATALOG}")


class SetDatabase:
    """A set that is being written."""

    def __init__(self, con: duckdb.DuckDBPyConnection):
        self._con = con

    def write_marts(self, marts: Marts, on_step: Callable[[str], None] = lambda step: None) -> None:
        """Schema `marts`: each mart as a table sorted by its key."""
        self._con.execute(f"create schema if not exists {_CATALOG}.marts")
        for name, mart in marts.tables.items():
            on_step(f"write marts.{name}")
            table = quoted(f"{_CATALOG}.marts.{name}")
            self._con.execute(f"create table {table} as select * from {marts.relation(name)} order by {mart.ordering}")
            self._comment(table, mart)

    def write_files(self, files: Mapping[str, Path], marts: Marts) -> None:
        """Schema `marts` from the Parquet file of each table, in which the rows have the order of the key."""
        self._con.execute(f"create schema if not exists {_CATALOG}.marts")
        for name, path in files.items():
            table = quoted(f"{_CATALOG}.marts.{name}")
            rows = f"read_parquet({path_literal(path)}, file_row_number = true)"
            self._con.execute(
                f"create table {table} as select * exclude (file_row_number) from {rows} order by file_row_number"
            )
            if name in marts.tables:
                self._comment(table, marts.tables[name])

    def _comment(self, table: str, mart: Mart) -> None:
        present = {row[0] for row in self._con.execute(f"describe {table}").fetchall()}
        described = {name: words for name, words in mart.columns.items() if name in present and words}
        comments = [f"comment on table {table} is {literal(mart.comment)}"] if mart.comment else []
        comments += [
            f"comment on column {table}.{quoted(name)} is {literal(words)}" for name, words in described.items()
        ]
        # In one transaction: one of its own each would be written to disk 600 times a night.
        self._con.execute("; ".join(["begin", *comments, "commit"]))

    def write_history(self, published: Path, files: Mapping[str, Sequence[Path]], marts: Marts) -> None:
        """Schema `history`: a view on the files of each table. It finds them below `published`, or below the folder
        that a reader names in the variable `FOLDER_VARIABLE`: a copy or a mount has another path."""
        self._con.execute(f"create schema if not exists {_CATALOG}.history")
        folder = f"coalesce(getvariable({literal(FOLDER_VARIABLE)}), {path_literal(published)})"
        for name, paths in sorted(files.items()):
            view = quoted(f"{_CATALOG}.history.{name}")
            listed = ", ".join(f"{folder} || {path_literal('/' / path.relative_to(published))}" for path in paths)
            # By name: a mart that gained a column reads as null on the dates before.
            rows = f"read_parquet([{listed}], union_by_name = true)"
            self._con.execute(f"create or replace view {view} as select * from {rows}")
            words = (
                f"All published as-of dates of marts.{name}. Where the published folder was copied or mounted"
                f" elsewhere, say where first: set variable {FOLDER_VARIABLE} = '/path/of/published'."
            )
            if name in marts.tables:
                words += f" {marts.tables[name].comment}"
            self._con.execute(f"comment on view {view} is {literal(words)}")
