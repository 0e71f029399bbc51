"""The published set: what BI tools and retention teams open, replaced as a whole by one rename.

In: a finished, validated set of marts in the working warehouse. Out: `published/holdfast.duckdb` with schema `marts`
(the newest as-of date, native tables sorted by key) and schema `history` (the same tables over all dates, views on one
immutable Parquet file a date). What the marts mean does not belong here.

A reader who has the old set open keeps it; one who opens now gets the new one (`current_link` says how). Until then,
and when anything fails or is killed, the old set is complete and untouched. Nothing is ever written into a file that a
reader may have open, so no reader meets a lock. Files of a set are kept until one publish later, for readers who are
just opening it.
"""

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from assets.publish.current_link import CurrentLink
from assets.publish.history_files import COMMIT_TABLE, FilesInForce, HistoryFolder, is_of_run, listed_files
from assets.shared import warehouse
from assets.shared.errors import UserError
from assets.shared.files import sync
from assets.shared.settings import Settings
from assets.shared.warehouse import quoted

#: Drivers in BI tools lag behind the library: files of the newest storage format cannot be opened by 1.x drivers.
STORAGE_VERSION = "v1.2.0"


@dataclass(frozen=True)
class MartDocs:
    """Comments of one mart, taken from its declaration: of the table, and of columns by name."""

    table: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PublishReport:
    """What a publish did. `is_current` is False when the date is older than the one in schema `marts`, which then only
    entered `history`. `table_rows` counts the rows of this date by mart."""

    path: Path
    as_of_date: date
    run_id: str
    is_current: bool
    current_as_of_date: date
    table_rows: Mapping[str, int]
    n_history_dates: int
    n_files_removed: int
    size_bytes: int


def publish(
    settings: Settings,
    as_of_date: date,
    run_id: str,
    keys: Mapping[str, Sequence[str]],
    docs: Mapping[str, MartDocs] | None = None,
    forbidden_columns: Collection[str] = (),
    on_step: Callable[[str], None] = lambda step: None,
) -> PublishReport:
    """Publish the marts named by `keys` (mart to the columns of its key, by which it is sorted) as of `as_of_date`.

    `docs` gives comments by mart; `forbidden_columns` are names that must never be published, such as personal data.
    `on_step` is told each step in words, before it begins. Publishing the same run twice changes nothing.

    Raises UserError when validate.verdicts has no passing row for this date and run, when a mart is missing or holds
    rows of another date or run, when a forbidden column would be published, or when the published set cannot be read or
    its folder cannot hold a link.
    """
    if COMMIT_TABLE not in keys:
        raise ValueError(f"{COMMIT_TABLE} must be among the published tables: it says which set is current")
    # The connection is held to the end: it is the lock that keeps a second publish away.
    with warehouse.connect(settings) as con:
        _refuse_without_verdict(con, as_of_date, run_id)
        _refuse_incomplete(con, as_of_date, run_id, keys)
        _refuse_forbidden(con, keys, forbidden_columns)

        link = CurrentLink(settings.published_db)
        folder = HistoryFolder(settings.published / "history")
        for path in (link.folder, folder.path):
            path.mkdir(parents=True, exist_ok=True)

        old_set = link.target()
        before, current = _published_now(con, old_set, folder)
        is_current = current is None or as_of_date >= current

        files: FilesInForce = {table: dict(dates) for table, dates in before.items()}
        # The commit table comes last: see HistoryFolder.adopted.
        for table in sorted(keys, key=lambda name: (name == COMMIT_TABLE, name)):
            on_step(f"write history of {table}")
            known = before.get(table, {}).get(as_of_date)
            files.setdefault(table, {})[as_of_date] = _write_history(
                con, folder, table, keys[table], as_of_date, run_id, known
            )

        new_set = link.new_file(as_of_date if is_current else current, run_id)
        unfinished = new_set.with_name(f".{new_set.name}.tmp")
        unfinished.unlink(missing_ok=True)
        if not is_current:
            shutil.copyfile(old_set, unfinished)
        on_step("write the database")
        _write_database(con, unfinished, folder, files, keys if is_current else {}, docs or {}, on_step)
        sync(unfinished)
        unfinished.replace(new_set)
        sync(link.folder)

        on_step("swap")
        link.point_at(new_set)

        on_step("remove files that nothing lists")
        n_removed = folder.remove_all_but((before, files))
        link.remove_all_but(old_set, new_set)
        on_step("done")
        return PublishReport(
            path=link.path,
            as_of_date=as_of_date,
            run_id=run_id,
            is_current=is_current,
            current_as_of_date=as_of_date if is_current else current,
            table_rows={table: warehouse.count_rows(con, f"marts.{table}") for table in keys},
            n_history_dates=len(files[COMMIT_TABLE]),
            n_files_removed=n_removed,
            size_bytes=new_set.stat().st_size,
        )


def _refuse_without_verdict(con: duckdb.DuckDBPyConnection, as_of_date: date, run_id: str) -> None:
    try:
        verdicts = con.execute(
            "select passed, reason from validate.verdicts where as_of_date = ? and run_id = ? order by decided_at desc",
            [as_of_date, run_id],
        ).fetchall()
    except duckdb.CatalogException:
        verdicts = []
    if not verdicts:
        raise UserError(
            f"the marts as of {as_of_date} made by run {run_id} have not been validated",
            f"run the whole job for that date: holdfast run --as-of {as_of_date}",
        )
    passed, reason = verdicts[0]
    if not passed:
        raise UserError(
            f"the marts as of {as_of_date} did not pass validation: {reason}",
            "mend what it names and run that date again; readers keep the last complete set",
        )


def _refuse_incomplete(
    con: duckdb.DuckDBPyConnection, as_of_date: date, run_id: str, tables: Collection[str]
) -> None:
    remedy = f"run the whole job for that date again: holdfast run --as-of {as_of_date}"
    present = _tables(con)
    if missing := sorted(set(tables) - present):
        raise UserError(f"marts are missing in the working warehouse: {', '.join(missing)}", remedy)
    for table in tables:
        n_strange, n_rows = con.execute(
            "select count(*) filter (where as_of_date is distinct from $1 or run_id is distinct from $2), count(*)"
            f" from marts.{quoted(table)}",
            [as_of_date, run_id],
        ).fetchone()
        if n_strange or (table == COMMIT_TABLE and n_rows != 1):
            raise UserError(
                f"marts.{table} holds rows of another date or run than {as_of_date}, {run_id}: it was rebuilt since"
                " the verdict",
                remedy,
            )


def _refuse_forbidden(
    con: duckdb.DuckDBPyConnection, tables: Collection[str], forbidden_columns: Collection[str]
) -> None:
    forbidden = {name.lower() for name in forbidden_columns}
    found = [
        f"{table}.{column}"
        for table, column in con.execute(
            "select table_name, column_name from duckdb_columns()"
            " where database_name = current_database() and schema_name = 'marts' order by all"
        ).fetchall()
        if table in tables and column.lower() in forbidden
    ]
    if found:
        raise UserError(
            f"personal data would be published: {', '.join(found)}",
            "remove these columns from the marts; readers keep the last complete set",
        )


def _tables(con: duckdb.DuckDBPyConnection) -> set[str]:
    rows = con.execute(
        "select table_name from information_schema.tables"
        " where table_catalog = current_database() and table_schema = 'marts'"
    ).fetchall()
    return {name for (name,) in rows}


def _published_now(
    con: duckdb.DuckDBPyConnection, target: Path | None, folder: HistoryFolder
) -> tuple[FilesInForce, date | None]:
    """Files in force and the current as-of date of the set that readers have now."""
    if target is None:
        return folder.adopted(), None
    try:
        con.execute(f"attach {_literal(target)} as readers (read_only)")
    except duckdb.Error as error:
        raise UserError(
            f"the published database {target} cannot be read: {str(error).splitlines()[0]}",
            "move it away and publish again; the history beside it is kept",
        ) from None
    try:
        views = con.execute(
            "select view_name, sql from duckdb_views() where database_name = 'readers' and schema_name = 'history'"
        ).fetchall()
        current = con.execute(f"select max(as_of_date) from readers.marts.{COMMIT_TABLE}").fetchone()[0]
    finally:
        con.execute("detach readers")
    return listed_files(dict(views)), current


def _write_history(
    con: duckdb.DuckDBPyConnection, folder: HistoryFolder, table: str, key: Sequence[str], as_of_date: date,
    run_id: str, known: str | None,
) -> str:
    """Write the Parquet file of one mart and return its name; the one in force is kept when its rows are the same."""
    mart = f"marts.{quoted(table)}"
    if known and is_of_run(known, run_id):
        published = f"read_parquet({_literal(folder.file(table, known))})"
        if _fingerprint(con, mart) == _fingerprint(con, published):
            return known
    name = folder.new_name(table, as_of_date, run_id)
    path = folder.file(table, name)
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_name(f".{name}.tmp")
    con.execute(
        f"copy (select * from {mart} order by {_ordering(key)}) to {_literal(unfinished)}"
        " (format parquet, compression zstd)"
    )
    sync(unfinished)
    unfinished.replace(path)
    sync(path.parent)
    return name


def _fingerprint(con: duckdb.DuckDBPyConnection, relation: str) -> tuple:
    """Column names, number of rows and an order-independent sum of row hashes."""
    columns = [row[0] for row in con.execute(f"describe select * from {relation}").fetchall()]
    return (columns, *con.execute(f"select count(*), sum(hash(rows)) from {relation} as rows").fetchone())


def _write_database(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    folder: HistoryFolder,
    files: FilesInForce,
    keys: Mapping[str, Sequence[str]],
    docs: Mapping[str, MartDocs],
    on_step: Callable[[str], None],
) -> None:
    con.execute(f"attach {_literal(path)} as candidate (storage_version {_literal(STORAGE_VERSION)})")
    try:
        con.execute("create schema if not exists candidate.marts")
        con.execute("create schema if not exists candidate.history")
        for table, key in keys.items():
            on_step(f"write marts.{table}")
            name = f"candidate.marts.{quoted(table)}"
            con.execute(f"create table {name} as select * from marts.{quoted(table)} order by {_ordering(key)}")
            _comment(con, name, docs.get(table, MartDocs()))
        for table, dates in sorted(files.items()):
            paths = ", ".join(_literal(folder.file(table, name)) for _, name in sorted(dates.items()))
            view = f"candidate.history.{quoted(table)}"
            # By name: a mart that gained a column reads as null on the dates before.
            con.execute(f"create or replace view {view} as select * from read_parquet([{paths}], union_by_name = true)")
            if table in docs:
                words = f"All published as-of dates of marts.{table}. {docs[table].table}"
                con.execute(f"comment on view {view} is {_literal(words)}")
        con.execute("checkpoint candidate")
    finally:
        con.execute("detach candidate")


def _comment(con: duckdb.DuckDBPyConnection, table: str, docs: MartDocs) -> None:
    if docs.table:
        con.execute(f"comment on table {table} is {_literal(docs.table)}")
    present = {row[0] for row in con.execute(f"describe {table}").fetchall()}
    for column, words in docs.columns.items():
        if column in present and words:
            con.execute(f"comment on column {table}.{quoted(column)} is {_literal(words)}")


def _ordering(key: Sequence[str]) -> str:
    return ", ".join(quoted(column) for column in key) if key else "all"


def _literal(value: object) -> str:
    """An SQL text literal, for statements that take no parameters (attach, copy, comment, views)."""
    return "'" + str(value).replace("'", "''") + "'"
