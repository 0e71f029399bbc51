"""Rows with typed columns: a Parquet file, the rows of a database, or quarantined ones of either.

In: a relation. Out: the views `records` and `record_texts` (see `records`); a record's text is its JSON.
"""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from assets.ingest.mapping.language import ColumnRef
from assets.ingest.mapping.source import TableMapping
from assets.ingest.records.records import NUL_REASON, Records, drop_views, positions_of, raw_name
from assets.ingest.refusals import FileRefused
from assets.shared.quoting import identifier, literal, path_literal
from assets.shared.warehouse import fetch_value

#: What the engine says of a file whose end, where Parquet keeps its table of contents, is not there.
_NO_END = ("No magic bytes", "too small to be a Parquet", "Footer length")


def parquet_records(
    con: duckdb.DuckDBPyConnection, path: Path, label: str, table: TableMapping, max_rows: int | None = None
) -> Records:
    """The views of a Parquet file. Raises FileRefused where it cannot be read, or lacks a mapped column."""
    rows = f"read_parquet({path_literal(path)}, file_row_number = true)"
    try:
        types = column_types(con, rows)
        con.execute(f"select count(*) from {rows}").fetchone()
    except duckdb.Error as error:
        raise damaged_parquet(label, error) from None
    return relation_records(con, rows, types, label, table, max_rows)


def damaged_parquet(label: str, error: duckdb.Error) -> FileRefused:
    """The refusal of a file that the engine could not read as Parquet."""
    why = str(error).splitlines()[0]
    if "file_row_number" in why:
        return FileRefused(
            "reserved_column",
            f"{label} has a column file_row_number, by which the reader itself counts rows",
            "rename the column in the export",
        )
    if any(words in why for words in _NO_END):
        why = "its end is missing, so it was cut short, is still being written, or is no Parquet file"
    return FileRefused(
        "damaged_parquet", f"{label} cannot be read as Parquet: {why}", "wait until it is complete, or export it again"
    )


def column_types(con: duckdb.DuckDBPyConnection, rows: str) -> dict[str, str]:
    """The columns of a relation, but the row number, with their DuckDB types."""
    described = con.execute(f"select * from {rows} limit 0").description
    return {name: str(kind) for name, kind, *_ in described if name != "file_row_number"}


def relation_records(
    con: duckdb.DuckDBPyConnection,
    rows: str,
    types: Mapping[str, str],
    label: str,
    table: TableMapping,
    max_rows: int | None = None,
) -> Records:
    """The views from a relation with typed columns `types` and a `file_row_number` counted from 0."""
    header = tuple(types)
    positions = positions_of(label, header, table)
    columns = ", ".join(f"{identifier(name)} as {raw_name(at)}" for at, name in enumerate(header))
    limit = f"where file_row_number < {max_rows:d}" if max_rows else ""
    texts = sorted({header[at] for at in positions.values() if types[header[at]] == "VARCHAR"})
    con.execute(
        f"""
        create temp view records as
        select
            file_row_number + 1 as line_number,
            {_shape([identifier(name) for name in texts])},
            {columns}
        from {rows} {limit}
        """
    )
    everything = ", ".join(f"{identifier(name)} := {identifier(name)}" for name in header)
    con.execute(
        f"""
        create temp view record_texts as
        select file_row_number + 1 as line_number, cast(to_json(struct_pack({everything})) as varchar) as raw_text
        from {rows} {limit}
        """
    )
    return _records(label, header, tuple(types.items()), positions)


def kept_typed_records(
    con: duckdb.DuckDBPyConnection, label: str, columns: tuple[tuple[str, str], ...], table: TableMapping
) -> Records:
    """The view `records` over kept texts of rows with typed `columns`, in the table `record_texts`."""
    types = {
        name: "VARCHAR" if any(mark in kind for mark in "(<[") and not kind.startswith("DECIMAL") else kind
        for name, kind in columns
    }
    header = tuple(types)
    positions = positions_of(label, header, table)
    text = {at: f"json_extract_string(raw_text, {literal(_pointer(header[at]))})" for at in positions.values()}
    shape = _shape([text[at] for at in sorted(text) if types[header[at]] == "VARCHAR"])
    fields = ", ".join(f"try_cast({text[at]} as {types[header[at]]}) as {raw_name(at)}" for at in sorted(text))
    con.execute(
        f"""
        create temp view records as
        select line_number, {shape}, {fields}
        from record_texts
        """
    )
    found = _records(label, header, tuple(types.items()), positions)
    return Records(label, header, columns, found.raw, is_text=False)


def count_typed_records(con: duckdb.DuckDBPyConnection) -> int:
    """Rows of the file, counted apart from `records`: the other side of the conservation check."""
    return fetch_value(con, "select count(*) from record_texts")


def query_records(
    con: duckdb.DuckDBPyConnection, query: str, label: str, table: TableMapping, max_rows: int | None = None
) -> Records:
    """The views from a query with a `file_row_number`."""
    drop_views(con)
    rows = f"({query})"
    return relation_records(con, rows, column_types(con, rows), label, table, max_rows)


def _records(
    label: str, header: tuple[str, ...], columns: tuple[tuple[str, str], ...], positions: Mapping[ColumnRef, int]
) -> Records:
    types = dict(columns)
    raw = {ref: (raw_name(at), types[header[at]]) for ref, at in positions.items()}
    return Records(label, header, columns, raw, is_text=False)


def _pointer(name: str) -> str:
    """Where a JSON object holds `name` (RFC 6901): a path in the engine's own form knows no quote inside a name."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _shape(texts: list[str]) -> str:
    """The columns shape_rule and shape_reason of typed rows, given the expressions of their texts."""
    has_nul = " or ".join(f"coalesce(contains({text}, chr(0)), false)" for text in texts) or "false"
    return (
        f"case when {has_nul} then 'nul_byte' end as shape_rule, "
        f"case when {has_nul} then {literal(NUL_REASON)} end as shape_reason"
    )
