"""The immutable Parquet files behind schema `history`: one per table, as-of date and run.

In: the folder of the published set. Out: which file holds which date, names for new files, removal of files that
nothing lists any more. Writing the database does not belong here (`published_set`).

The list of active files is held by the published database itself, in the definitions of its history views, so that it
changes with the same rename as everything else.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from assets.shared.published_history import FILE_NAME, FilesInForce
from assets.shared.published_history import listed_files as listed_files  # published_set finds it here

#: Written last of a run's files: a run whose file of this table is there has written all of them.
COMMIT_TABLE = "run_manifest"


@dataclass(frozen=True)
class HistoryFolder:
    """`<published>/history/<table>/<as_of_date>--<run_id>.parquet`."""

    path: Path

    def file(self, table: str, name: str) -> Path:
        return self.path / table / name

    def new_name(self, table: str, as_of_date: date, run_id: str) -> str:
        """A name no file has yet. A run that publishes a date twice with other rows gets a second edition, because a
        reader may be reading the first."""
        stem = f"{as_of_date.isoformat()}--{safe_name(run_id)}"
        name, edition = f"{stem}.parquet", 1
        while self.file(table, name).exists():
            edition += 1
            name = f"{stem}.{edition}.parquet"
        return name

    def remove_all_but(self, kept: Iterable[FilesInForce]) -> int:
        """Remove every file that none of `kept` lists, unfinished ones included. Returns how many."""
        listed = {(table, name) for files in kept for table, dates in files.items() for name in dates.values()}
        removed = 0
        for path in sorted(self.path.glob("*/*")):
            if (path.parent.name, path.name) not in listed:
                path.unlink()
                removed += 1
        return removed

    def adopted(self) -> FilesInForce:
        """The newest complete run of each date that the folder holds, for when the database that listed them is gone.
        A run is complete if it wrote its commit table, which comes last."""
        complete: dict[date, tuple[float, str]] = {}
        for path in (self.path / COMMIT_TABLE).glob("*.parquet"):
            if match := FILE_NAME.fullmatch(path.name):
                day, found = date.fromisoformat(match["as_of"]), (path.stat().st_mtime, path.name)
                complete[day] = max(complete.get(day, found), found)
        files: FilesInForce = {}
        for day, (_, name) in complete.items():
            for path in self.path.glob(f"*/{name}"):
                files.setdefault(path.parent.name, {})[day] = name
        return files


def is_of_run(name: str, run_id: str) -> bool:
    """Whether the file called `name` was written by run `run_id`."""
    match = FILE_NAME.fullmatch(name)
    return bool(match) and match["run"] == safe_name(run_id)


def safe_name(run_id: str) -> str:
    """`run_id` as part of a file name."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", run_id)
