"""What Spark reads of the warehouse: Parquet files in one folder a table.

In: names of tables. Out: folders, and their columns in Spark's types. The files of batches are linked (copied where the
folder is on another disk), so that no line is read for it; everything else is small, and DuckDB writes a copy.
"""

import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from assets.dbt.spark.job import Registered
from assets.shared.quoting import identifier, literal, path_list

#: Types of DuckDB that Spark knows by another name.
_SPARK_TYPES = {
    "VARCHAR": "string",
    "INTEGER": "int",
    "SMALLINT": "smallint",
    "BIGINT": "bigint",
    "HUGEINT": "bigint",
    "UBIGINT": "bigint",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp_ntz",
}
#: Written to the Parquet files as another type than DuckDB's own, which Spark would misread.
_WRITTEN_AS = {"HUGEINT": "bigint", "UBIGINT": "bigint"}


def spark_type(duckdb_type: str) -> str:
    """The type in Spark of a column in DuckDB. Raises KeyError for one that no table of ours has."""
    if duckdb_type.endswith("[]"):
        return f"array<{spark_type(duckdb_type[:-2])}>"
    if re.fullmatch(r"DECIMAL\(\d+,\s*\d+\)", duckdb_type):
        return duckdb_type.lower().replace(" ", "")
    return _SPARK_TYPES[duckdb_type]


def hand_in(con: duckdb.DuckDBPyConnection, tables: Iterable[str], folder: Path) -> list[Registered]:
    """Give Spark these tables (`schema.table`) as folders in `folder`."""
    given = []
    for table in tables:
        own = folder / table
        own.mkdir()
        columns = con.execute(f"describe {table}").fetchall()
        files = _batch_files(con, table, [column for column, *_ in columns])
        if files is None:
            names = ", ".join(
                f"cast({identifier(c)} as {_WRITTEN_AS.get(kind, kind)}) as {identifier(c)}" for c, kind, *_ in columns
            )
            con.execute(f"copy (select {names} from {table}) to {literal(own / 'rows.parquet')} (format parquet)")
        else:
            _link(files, own)
        described = ", ".join(f"`{name}` {spark_type(kind)}" for name, kind, *_ in columns)
        given.append(Registered(table, str(own), described))
    return given


def _batch_files(con: duckdb.DuckDBPyConnection, table: str, columns: Iterable[str]) -> Sequence[Path] | None:
    """The files behind a view of batches, where they hold just these columns; None for any other table: a view that
    hides what is personal, or that fills in columns which older files do not have, is copied."""
    schema, name = table.split(".")
    if schema != "ingest":
        return None
    rows = con.execute("select path from ingest.batch_files where entity = ? order by path", [name]).fetchall()
    files = [Path(path) for (path,) in rows]
    if not files:
        return None
    held = con.execute(f"select name from parquet_schema({path_list(files)}) where num_children is null").fetchall()
    return files if {column for (column,) in held} == set(columns) else None


def _link(files: Sequence[Path], folder: Path) -> None:
    for number, file in enumerate(files):
        target = folder / f"{number:06}.parquet"
        try:
            os.link(file, target)
        except OSError:
            shutil.copyfile(file, target)
