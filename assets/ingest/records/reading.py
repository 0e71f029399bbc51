"""A file, or kept rows of one, read as records: the one place that knows which format is read by which module.

In: a path (or the texts of quarantined rows) and the mapping. Out: the views and the `Records` of `records`.
"""

from pathlib import Path

import duckdb

from assets.ingest.mapping.source import TableMapping
from assets.ingest.mapping.text_layout import is_parquet
from assets.ingest.records.records import Records, drop_views
from assets.ingest.records.text import count_text_records, split_texts, text_records
from assets.ingest.records.typed import count_typed_records, kept_typed_records, parquet_records


def read_records(
    con: duckdb.DuckDBPyConnection, path: Path, label: str, table: TableMapping, max_rows: int | None = None
) -> Records:
    """Make the views `records` and `record_texts` of the file. `label` is how the user knows the file, `max_rows`
    reads only its beginning.

    Raises FileRefused when the whole file is unusable: not readable, empty, or without a column that the mapping needs.
    """
    drop_views(con)
    read = parquet_records if is_parquet(path, table) else text_records
    return read(con, path, label, table, max_rows)


def kept_records(
    con: duckdb.DuckDBPyConnection, label: str, columns: tuple[tuple[str, str], ...], is_text: bool, table: TableMapping
) -> Records:
    """The view `records` over texts that were kept: a table `record_texts` (line_number, raw_text) is there already,
    and `columns` are the ones its file had."""
    con.execute("drop view if exists records")
    if is_text:
        return split_texts(con, label, tuple(name for name, _ in columns), table)
    return kept_typed_records(con, label, columns, table)


def count_records(con: duckdb.DuckDBPyConnection, records: Records) -> int:
    """Records of the file, counted apart from `records`: the other side of the conservation check."""
    return count_text_records(con) if records.is_text else count_typed_records(con)
