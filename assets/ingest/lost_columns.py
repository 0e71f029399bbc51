"""A file is no file with bad rows when a column of it was lost or became something else.

In: the records of one file, before and after their conversion. Out: a FileRefused that names the column. Rules about
single rows do not belong here (`conversion`).
"""

import duckdb

from assets.ingest.canonical import Entity
from assets.ingest.mapping.source import TableMapping
from assets.ingest.records.records import Records
from assets.ingest.refusals import FileRefused
from assets.shared.quoting import literals
from assets.shared.warehouse import fetch_value

#: A file of at least so many rows of which most lack one required column, or cannot be read in it, is no file with bad
#: rows: the column was lost or became something else.
RETYPED_FROM_ROWS, RETYPED_SHARE = 20, 0.5


def refuse_retyped(records: Records, entity: Entity, table: TableMapping) -> None:
    """Raise FileRefused when a required column of a Parquet file has a type that cannot mean what it is mapped to."""
    if records.is_text:
        return
    for column in (entity.column(name) for name in entity.required if name in table.columns):
        for ref in table.columns[column.name].columns:
            alias_and_kind = records.raw.get(ref)
            if alias_and_kind is not None and not _may_become(alias_and_kind[1], column.kind):
                raise FileRefused(
                    "retyped_column",
                    f"{records.file}: column {ref!r} is of type {alias_and_kind[1]}, which cannot become "
                    f"{column.name} ({column.type})",
                    "export the column in its former type, or map another one",
                )


def _may_become(kind: str, wanted: str) -> bool:
    if any(mark in kind for mark in ("[", "STRUCT", "MAP", "UNION")) or kind in ("BLOB", "BIT", "INTERVAL"):
        return False
    is_time = kind in ("DATE", "TIME") or kind.startswith("TIMESTAMP")
    if wanted == "number":
        return kind != "BOOLEAN" and not is_time
    if wanted in ("timestamp", "date"):
        return kind not in ("BOOLEAN", "TIME", "FLOAT", "DOUBLE") and not kind.startswith("DECIMAL")
    return True


def refuse_lost(con: duckdb.DuckDBPyConnection, file: str, entity: Entity, rows_in: int) -> None:
    """Raise FileRefused when most rows of `converted` fail in one required column."""
    if rows_in < RETYPED_FROM_ROWS:
        return
    endings = ("_missing", "_not_a_number", "_sign_not_read", "_not_a_date", "_not_allowed")
    rules = [f"{name}{ending}" for name in entity.required for ending in endings]
    for rule, n in con.execute(
        f"select rule, count(*) from converted where rule in {literals(rules)} group by rule order by 2 desc, 1 limit 1"
    ).fetchall():
        if n > RETYPED_SHARE * rows_in:
            reason = fetch_value(con, "select min(reason) from converted where rule = ?", [rule])
            raise FileRefused(
                "lost_column" if rule.endswith("_missing") else "retyped_column",
                f"{file}: {n:,} of {rows_in:,} rows break the rule {rule}, so the column is lost or means "
                f"something else ({reason.split(':')[0]})",
                "look at the column in the file, then correct the file or the mapping",
            )
