"""What a published set holds: its night, and which Parquet file holds which date of which table.

In: `published/`. Out: the contents of the set that readers see, read from `set.json` next to its database and from the
Parquet files that it lists. The database itself is for readers: a program that holds it open, whatever for, stops no
night. Writing sets belongs to stage publish; other stages read here what was published on earlier dates. A file's date
and run stand in its name.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from assets.shared.errors import UserError
from assets.shared.files import write_whole

if TYPE_CHECKING:
    from assets.shared.settings import Settings

FILE_NAME = re.compile(r"(?P<as_of>\d{4}-\d{2}-\d{2})--(?P<run>.+?)(?:\.(?P<edition>\d+))?\.parquet")
_LISTED = re.compile(r"'((?:[^']|'')*\.parquet)'")

#: The database of every set. Drivers from 1.5 on follow the link and name the catalog after the file that they find.
DATABASE = "holdfast.duckdb"

_CONTENTS = "set.json"

#: DuckDB begins a file with three blocks of this size, and counts every change that it writes in one of them.
_HEADERS = 3 * 4096

#: table -> as-of date -> file name (without folder) of the active file.
ActiveFiles = dict[str, dict[date, str]]


@dataclass(frozen=True)
class SetContents:
    """What one set holds. `database`: what its database was like when the set was complete, see `stamp_of`."""

    as_of_date: date
    run_id: str
    files: ActiveFiles
    database: str

    def paths(self, published: Path, table: str) -> dict[date, Path]:
        """The file of each date of a table, below the folder `published`."""
        folder = published / "history" / table
        return {day: folder / name for day, name in sorted(self.files.get(table, {}).items())}

    def marts(self, published: Path) -> dict[str, Path]:
        """The file of each table as of the set's own night: what its schema `marts` shows."""
        found = {table: self.paths(published, table).get(self.as_of_date) for table in sorted(self.files)}
        return {table: path for table, path in found.items() if path is not None}


def shown_set(settings: "Settings") -> Path | None:
    """The folder of the set that readers see; None before the first publish. Raises UserError when what they see is no
    set."""
    link = settings.published_db
    if not link.exists():
        return None
    folder = link.resolve().parent
    if not (folder / _CONTENTS).is_file():
        # A home that was copied by a program which follows links has a file in the place of the link.
        kept = sorted(path.parent for path in (link.parent / "sets").glob(f"[!.]*/{_CONTENTS}"))
        stamp = stamp_of(link)
        for folder in reversed(kept):
            if read_contents(folder).database == stamp:
                return folder
        raise UserError(
            f"the published database {link} cannot be read: it is not one of the sets in {link.parent / 'sets'}",
            "move it away and publish again; the history next to it is kept",
        )
    return folder


def shown_contents(settings: "Settings") -> SetContents | None:
    """What readers see; None before the first publish. Raises UserError as `shown_set` and `read_contents` do."""
    folder = shown_set(settings)
    return None if folder is None else read_contents(folder)


def read_contents(folder: Path) -> SetContents:
    """The contents of the set in `folder`. Raises UserError when they cannot be read."""
    path = folder / _CONTENTS
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        files = {
            table: {date.fromisoformat(day): name for day, name in dates.items()}
            for table, dates in facts["files"].items()
        }
        return SetContents(date.fromisoformat(facts["as_of_date"]), facts["run_id"], files, facts["database"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"the contents of a published set cannot be read from {path}: {error}",
            f"restore {folder} from its backup, or move it away and publish again; the history is kept",
        ) from None


def write_contents(folder: Path, as_of_date: date, run_id: str, files: ActiveFiles) -> None:
    """Say what the set in `folder`, whose database is complete, holds."""
    facts = {
        "as_of_date": as_of_date.isoformat(),
        "run_id": run_id,
        "database": stamp_of(folder / DATABASE),
        "files": {
            table: {day.isoformat(): name for day, name in sorted(dates.items())}
            for table, dates in sorted(files.items())
        },
    }
    write_whole(folder / _CONTENTS, json.dumps(facts, indent=1) + "\n")


def stamp_of(database: Path) -> str:
    """What is another one after any change that DuckDB has written into the file: its size and its headers. Opening it,
    copying it or restoring it changes nothing."""
    with database.open("rb") as file:
        headers = file.read(_HEADERS)
    return f"{database.stat().st_size} {hashlib.sha256(headers).hexdigest()}"


def is_changed(folder: Path) -> bool:
    """Whether somebody has written into the database of the set in `folder` since it was complete."""
    database = folder / DATABASE
    log = database.with_name(f"{DATABASE}.wal")  # what was changed and not yet written into the file
    return log.exists() or not database.exists() or stamp_of(database) != read_contents(folder).database


def newest_before(settings: "Settings", table: str, as_of: date) -> tuple[date, Path] | None:
    """Date and file of the newest published edition of `table` before `as_of`; None when nothing earlier was
    published. Raises UserError when the published set cannot be read or lists a file that is gone."""
    contents = shown_contents(settings)
    earlier = [] if contents is None else [day for day in contents.paths(settings.published, table) if day < as_of]
    if contents is None or not earlier:
        return None
    path = contents.paths(settings.published, table)[max(earlier)]
    if not path.is_file():
        raise UserError(
            f"{path} is listed by the published set, but is not there",
            f"restore {settings.published} from its backup, or remove it and publish again",
        )
    return max(earlier), path


def listed_files(view_definitions: Mapping[str, str]) -> ActiveFiles:
    """The active files from the SQL of the history views (table to definition) of a set that has no `set.json`, as
    those of earlier versions. Only names are taken: the folder is where it is now, even if the home has been moved."""
    files: ActiveFiles = {}
    for table, sql in view_definitions.items():
        names = [Path(literal.replace("''", "'")).name for literal in _LISTED.findall(sql)]
        files[table] = {
            date.fromisoformat(match["as_of"]): name for name in names if (match := FILE_NAME.fullmatch(name))
        }
    return files
