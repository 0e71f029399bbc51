"""The immutable Parquet files behind schema `history`: one per table, as-of date and run.

In: the folder of the published set. Out: which file holds which date, new files, removal of files that nothing lists
any more. Writing the database does not belong here (`set_database`).

The list of active files is part of the published set (`published_history.SetContents`), so that it changes with the
same rename as everything else.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from assets.publish.marts import Marts
from assets.publish.release_ledger import SetId
from assets.shared.files import make_read_only, replacing
from assets.shared.published_history import FILE_NAME, ActiveFiles
from assets.shared.quoting import literal, path_literal
from assets.shared.retention import is_over
from assets.shared.warehouse import fetch_row

#: Written last of a run's files: a run whose file of this table is there has written all of them.
COMMIT_TABLE = "run_manifest"


@dataclass(frozen=True)
class HistoryFolder:
    """`<published>/history/<table>/<as_of_date>--<run_id>.parquet`."""

    path: Path

    def file(self, table: str, name: str) -> Path:
        return self.path / table / name

    def paths(self, files: ActiveFiles) -> dict[str, list[Path]]:
        """The files of each table, oldest date first."""
        return {table: [self.file(table, name) for _, name in sorted(dates.items())] for table, dates in files.items()}

    def write_night(
        self,
        con: duckdb.DuckDBPyConnection,
        marts: Marts,
        night: SetId,
        before: ActiveFiles,
        on_step: Callable[[str], None],
    ) -> ActiveFiles:
        """Write a file of each mart as of `night`, but where the one of `before` has the same rows; returns the files
        that are active then."""
        files: ActiveFiles = {table: dict(dates) for table, dates in before.items()}
        # The commit table comes last: see `adopted`.
        for table in sorted(marts.tables, key=lambda name: (name == COMMIT_TABLE, name)):
            on_step(f"write history of {table}")
            known = before.get(table, {}).get(night.as_of_date)
            files.setdefault(table, {})[night.as_of_date] = self._write(con, marts, table, night, known)
        return files

    def _write(self, con: duckdb.DuckDBPyConnection, marts: Marts, table: str, night: SetId, known: str | None) -> str:
        """Write the file of one mart and return its name; the known one is kept when its rows are the same."""
        rows = marts.relation(table)
        if known and is_of_run(known, night.run_id):
            published = f"read_parquet({path_literal(self.file(table, known))})"
            if _fingerprint(con, rows) == _fingerprint(con, published):
                return known
        name = self._new_name(table, night)
        with replacing(self.file(table, name)) as unfinished:
            con.execute(
                f"copy (select * from {rows} order by {marts.tables[table].ordering}) to {literal(unfinished)}"
                " (format parquet, compression zstd)"
            )
            make_read_only(unfinished)
        return name

    def _new_name(self, table: str, night: SetId) -> str:
        """A name no file has yet. A run that publishes a date twice with other rows gets a second edition, because a
        reader may be reading the first."""
        stem = f"{night.as_of_date.isoformat()}--{safe_name(night.run_id)}"
        name, edition = f"{stem}.parquet", 1
        while self.file(table, name).exists():
            edition += 1
            name = f"{stem}.{edition}.parquet"
        return name

    def remove_all_but(self, kept: Iterable[ActiveFiles]) -> int:
        """Remove every file that none of `kept` lists, unfinished ones included. Returns how many."""
        listed = {(table, name) for files in kept for table, dates in files.items() for name in dates.values()}
        removed = 0
        for path in sorted(self.path.glob("*/*")):
            if (path.parent.name, path.name) not in listed:
                path.unlink()
                removed += 1
        return removed

    def adopted(self) -> ActiveFiles:
        """The newest complete run of each date that the folder holds, for when the database that listed them is gone.
        A run is complete if it wrote its commit table, which comes last."""
        complete: dict[date, tuple[float, str]] = {}
        for path in (self.path / COMMIT_TABLE).glob("*.parquet"):
            if match := FILE_NAME.fullmatch(path.name):
                day, found = date.fromisoformat(match["as_of"]), (path.stat().st_mtime, path.name)
                complete[day] = max(complete.get(day, found), found)
        files: ActiveFiles = {}
        for day, (_, name) in complete.items():
            for path in self.path.glob(f"*/{name}"):
                files.setdefault(path.parent.name, {})[day] = name
        return files


def without_old_persons(files: ActiveFiles, marts: Marts, today: date, days: int | None) -> ActiveFiles:
    """The same without the files of tables with a row a person that are older than `days`; None keeps all. What sums
    over persons stays, so that every month shows what it showed."""
    if days is None:
        return files
    return {
        table: {
            day: name for day, name in dates.items() if not _has_persons(marts, table) or not is_over(day, today, days)
        }
        for table, dates in files.items()
    }


def _has_persons(marts: Marts, table: str) -> bool:
    mart = marts.tables.get(table)
    return mart is not None and "customer_id" in (*mart.key, *mart.columns)


def is_of_run(name: str, run_id: str) -> bool:
    """Whether the file called `name` was written by run `run_id`."""
    match = FILE_NAME.fullmatch(name)
    return match is not None and match["run"] == safe_name(run_id)


def safe_name(run_id: str) -> str:
    """`run_id` as part of a file name."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", run_id)


def _fingerprint(con: duckdb.DuckDBPyConnection, relation: str) -> tuple:
    """Column names, number of rows and an order-independent sum of row hashes."""
    columns = [row[0] for row in con.execute(f"describe select * from {relation}").fetchall()]
    return (columns, *fetch_row(con, f"select count(*), sum(hash(rows)) from {relation} as rows"))
