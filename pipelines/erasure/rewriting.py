"""One file without the persons: Parquet, a DuckDB database, an SQLite database, CSV, or text.

In: a file and `Identifiers`. Out: the same file, replaced by one rename, with its mode and its time of change; or
untouched where it holds nothing of them, so that a second call changes nothing. A database is written anew: rows that
were deleted stay in its free blocks. Which files there are does not belong here.
"""

import csv
import io
import os
import sqlite3
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb

from assets.shared.errors import UserError
from assets.shared.files import replacing, sync_path
from assets.shared.quoting import identifier, literal, path_literal
from assets.shared.warehouse import fetch_row
from pipelines.erasure.identifiers import Identifiers, is_customer_column

#: Told what is about to be done to a file, before it is.
Note = Callable[[Path, Mapping[str, int]], None]

_BUSY_SECONDS = 20


@contextmanager
def rewritten(path: Path) -> Iterator[Path]:
    """As `replacing`, but the file keeps its mode and time, and so does its folder: both are read by others."""
    before, folder = path.stat(), path.parent.stat()
    with replacing(path) as unfinished:
        yield unfinished
        unfinished.chmod(before.st_mode & 0o777)
        os.utime(unfinished, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(path.parent, ns=(folder.st_atime_ns, folder.st_mtime_ns))


def rewrite_parquet(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    who: Identifiers,
    note: Note,
    is_quarantine: bool = False,
    is_export: bool = False,
) -> bool:
    """Rows of a person stay under the pseudonym, in the order in which they are; quarantined ones go, for they are
    raw text, and so do contacts that are to be made. Returns whether the file was changed."""
    relation = f"read_parquet({path_literal(path)}, hive_partitioning = false)"
    columns = _columns(con, relation)
    if is_quarantine:
        gone = " or ".join(who.has_field_sql(name) for name in ("raw_text", "reason"))
        n_rows, n_gone = fetch_row(con, f"select count(*), count(*) filter (where {gone}) from {relation}")
        if not n_gone:
            return False
        note(path, {"rows_before": n_rows, "rows_after": n_rows - n_gone, "rows_of_persons": n_gone})
        query = f"select * from {relation} where not ({gone})"
    else:
        n_rows, n_theirs, searched = _hits(con, relation, columns, who)
        if not n_theirs and not searched:
            return False
        n_gone = n_theirs if is_export else 0
        note(path, {"rows_before": n_rows, "rows_after": n_rows - n_gone, "rows_of_persons": n_theirs})
        query = f"select {_select(columns, who, searched)} from {relation}"
        if is_export:
            query += f" where not ({who.is_of_person_sql(list(columns))})"
    with rewritten(path) as unfinished:
        con.execute(f"copy ({query}) to {literal(unfinished)} (format parquet, compression zstd)")
    return True


def rewrite_database(
    con: duckdb.DuckDBPyConnection, path: Path, who: Identifiers, note: Note, always: bool = False
) -> bool:
    """Every table of a DuckDB file as `rewrite_parquet` does. `always`: also where no table holds anything, because
    free blocks may."""
    con.execute(f"attach {literal(path)} as old_file (read_only)")
    try:
        tables = con.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'old_file' and not internal"
            " order by 1, 2"
        ).fetchall()
        names = [f"old_file.{identifier(schema)}.{identifier(table)}" for schema, table in tables]
        kinds = {name: _columns(con, name) for name in names}
        hits = {name: _hits(con, name, kinds[name], who) for name in names}
        if not always and not any(n_theirs or searched for _, n_theirs, searched in hits.values()):
            return False
        n_rows = sum(n for n, _, _ in hits.values())
        n_theirs = sum(n for _, n, _ in hits.values())
        note(path, {"rows_before": n_rows, "rows_after": n_rows, "rows_of_persons": n_theirs})
        (version,) = fetch_row(
            con, "select tags['storage_version'] from duckdb_databases() where database_name = 'old_file'"
        )
        # Versions are written with a plus where the file may be newer than the version says.
        storage = str(version).rstrip("+")
        with rewritten(path) as unfinished:
            con.execute(f"attach {literal(unfinished)} as new_file (storage_version {literal(storage)})")
            try:
                con.execute("copy from database old_file to new_file (schema)")
                for name in names:
                    _, _, searched = hits[name]
                    con.execute(
                        f"insert into {name.replace('old_file', 'new_file', 1)}"
                        f" select {_select(kinds[name], who, searched)} from {name}"
                    )
                con.execute("checkpoint new_file")
            finally:
                con.execute("detach new_file")
        return True
    finally:
        con.execute("detach old_file")


def settle_database(path: Path) -> None:
    """What a killed run left in the log of a DuckDB file is written into it. Raises UserError while another process
    has it open."""
    if not path.with_name(f"{path.name}.wal").exists():
        return
    try:
        duckdb.connect(str(path)).close()
    except duckdb.IOException as error:
        raise UserError(f"{path} cannot be opened: {error}", "close it elsewhere, and give the command again") from None


def _columns(con: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {row[0]: row[1] for row in con.execute(f"describe select * from {relation}").fetchall()}


def _hits(
    con: duckdb.DuckDBPyConnection, relation: str, columns: Mapping[str, str], who: Identifiers
) -> tuple[int, int, frozenset[str]]:
    """(rows, rows of the persons, other text columns that hold something to be taken out)."""
    texts = [name for name, kind in columns.items() if kind == "VARCHAR" and not is_customer_column(name)]
    if not who.patterns():
        texts = []
    counts = [f"count(*) filter (where {who.has_words_sql(name)})" for name in texts]
    theirs = f"count(*) filter (where {who.is_of_person_sql(list(columns))})"
    n_rows, n_theirs, *found = fetch_row(con, f"select {', '.join(['count(*)', theirs, *counts])} from {relation}")
    return n_rows, n_theirs, frozenset(name for name, n in zip(texts, found, strict=True) if n)


def _select(columns: Mapping[str, str], who: Identifiers, searched: frozenset[str]) -> str:
    return ", ".join(
        f"{who.value_sql(name, kind, list(columns), name in searched)} as {identifier(name)}"
        for name, kind in columns.items()
    )


def rewrite_export(path: Path, who: Identifiers, note: Note) -> bool:
    """A file of contacts to be made: rows of a person go."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    places = [place for place, name in enumerate(header) if is_customer_column(name)]
    kept = [row for row in rows if not any(row[place] in who.pseudonyms for place in places)]
    if len(kept) == len(rows):
        return rewrite_text(path, who, note)
    note(path, {"rows_before": len(rows), "rows_after": len(kept), "rows_of_persons": len(rows) - len(kept)})
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([header, *kept])
    with rewritten(path) as unfinished:
        unfinished.write_bytes(who.clean_bytes(written.getvalue().encode()))
    return True


def rewrite_text(path: Path, who: Identifiers, note: Note) -> bool:
    """A log, page or list: what says who somebody is goes out of it."""
    content = path.read_bytes()
    cleaned = who.clean_bytes(content)
    if cleaned == content:
        return False
    n_lines = content.count(b"\n") or 1
    changed = sum(a != b for a, b in zip(content.split(b"\n"), cleaned.split(b"\n"), strict=False))
    note(path, {"rows_before": n_lines, "rows_after": n_lines, "rows_of_persons": changed})
    with rewritten(path) as unfinished:
        unfinished.write_bytes(cleaned)
    return True


def rewrite_sqlite(path: Path, who: Identifiers, note: Note) -> bool:
    """Every text and blob of an SQLite database, in place for those who have it open, and the file without its free
    pages. Raises UserError when another process does not let go of it."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, bytes):
            return who.clean_bytes(value)
        return who.clean(value) if isinstance(value, str) else value

    n_changed = 0
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as con:
            con.create_function("cleaned", 1, cleaned, deterministic=True)
            con.execute("pragma secure_delete = on")
            con.execute("begin immediate")
            names = [name for (name,) in con.execute("select name from sqlite_master where type = 'table'").fetchall()]
            for name in names:
                table = identifier(name)
                for column in [row[1] for row in con.execute(f"pragma table_info({table})").fetchall()]:
                    n_changed += con.execute(
                        f"update {table} set {identifier(column)} = cleaned({identifier(column)})"
                        f" where typeof({identifier(column)}) in ('text', 'blob')"
                        f" and {identifier(column)} is not cleaned({identifier(column)})"
                    ).rowcount
            if n_changed:
                note(path, {"rows_before": n_changed, "rows_after": n_changed, "rows_of_persons": n_changed})
            con.execute("commit")
            con.execute("vacuum")
            con.execute("pragma wal_checkpoint(truncate)")
    except sqlite3.OperationalError as error:
        raise UserError(
            f"{path} is in use: {error}", "stop the UI and the daemon of this home, and give the command again"
        ) from None
    except sqlite3.DatabaseError:
        return rewrite_text(path, who, note)
    sync_path(path)
    return n_changed > 0


def holds_words(path: Path, who: Identifiers) -> bool:
    """Whether a file of no known kind holds something distinctive, also packed (a fitted model is a zip)."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            return any(who.is_in(packed.read(name)) for name in packed.namelist())
    return who.is_in(path.read_bytes())
