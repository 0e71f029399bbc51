"""Every byte of a folder, unpacked: what a search for somebody must look into."""

import gzip
import io
import re
import sqlite3
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow.parquet as pq


def contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """(what, bytes) of a file: as it is, and what is packed in it."""
    raw = path.read_bytes()
    yield "bytes", raw
    yield from _unpacked(path.name, raw)
    if raw[:4] == b"PAR1":
        table = pq.ParquetFile(path)
        yield "parquet schema", str(table.schema_arrow).encode() + str(table.metadata.metadata).encode()
        for group in range(table.num_row_groups):
            for column in range(table.metadata.num_columns):
                statistics = table.metadata.row_group(group).column(column).statistics
                yield "parquet statistics", str(statistics).encode()
        yield "parquet rows", _rows(f"select cast(t as varchar) from read_parquet('{path}') as t")
    elif raw[8:12] == b"DUCK":
        with duckdb.connect(str(path), read_only=True) as con:
            tables = con.execute("select schema_name, table_name from duckdb_tables()").fetchall()
            for schema, table in tables:
                rows = con.execute(f'select cast(t as varchar) from "{schema}"."{table}" as t').fetchall()
                yield f"{schema}.{table}", "\n".join(row[0] for row in rows).encode()
    elif raw[:15] == b"SQLite format 3":
        with closing(sqlite3.connect(path)) as con:
            for (table,) in con.execute("select name from sqlite_master where type = 'table'").fetchall():
                for row in con.execute(f'select * from "{table}"'):
                    for value in row:
                        if isinstance(value, bytes):
                            yield f"{table}, blob", value
                            yield from _unpacked(table, value)


def _unpacked(name: str, raw: bytes) -> Iterator[tuple[str, bytes]]:
    if raw[:2] == b"\x1f\x8b":
        inner = gzip.decompress(raw)
        yield "gzip", inner
        with tarfile.open(fileobj=io.BytesIO(inner)) as tar:
            for member in tar.getmembers():
                if (file := tar.extractfile(member)) is not None:
                    yield member.name, file.read()
    elif raw[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(raw)) as packed:
            for member in packed.namelist():
                yield member, packed.read(member)
    elif raw[:1] == b"\x78":
        try:
            yield f"{name}, zlib", zlib.decompress(raw)
        except zlib.error:
            return


def _rows(sql: str) -> bytes:
    with duckdb.connect() as con:  # not the one of the process, which may hold somebody's unread result
        return "\n".join(row[0] or "" for row in con.execute(sql).fetchall()).encode()


def hits(folder: Path, values: Iterable[str], leaving: frozenset[str] = frozenset()) -> list[str]:
    """Where one of the values stands, in names of files too. `leaving`: names that are not searched."""
    pattern = re.compile("|".join(re.escape(value) for value in values).encode())
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if pattern.search(name.encode()):
            found.append(f"{name}: its name")
        if path.is_symlink() or not path.is_file() or path.name in leaving:
            continue
        for what, content in contents(path):
            if match := pattern.search(content):
                found.append(f"{name}: {what}: {match.group().decode()}")
    return found
