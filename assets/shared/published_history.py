"""Which Parquet file holds which published date: what schema `history` of the published set lists.

In: the published database. Out: names and paths of the active files. Writing them belongs to stage publish; other
stages read here what was published on earlier dates. A file's date and run stand in its name.
"""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb

from assets.shared.errors import UserError
from assets.shared.settings import Settings

FILE_NAME = re.compile(r"(?P<as_of>\d{4}-\d{2}-\d{2})--(?P<run>.+?)(?:\.(?P<edition>\d+))?\.parquet")
_LISTED = re.compile(r"'((?:[^']|'')*\.parquet)'")

#: table -> as-of date -> file name (without folder) of the active file.
ActiveFiles = dict[str, dict[date, str]]


def listed_files(view_definitions: Mapping[str, str]) -> ActiveFiles:
    """The active files from the SQL of the history views (table to definition). Only names are taken: the folder is
    where it is now, even if the home has been moved."""
    files: ActiveFiles = {}
    for table, sql in view_definitions.items():
        names = [Path(literal.replace("''", "'")).name for literal in _LISTED.findall(sql)]
        files[table] = {
            date.fromisoformat(match["as_of"]): name for name in names if (match := FILE_NAME.fullmatch(name))
        }
    return files


def newest_before(settings: Settings, table: str, as_of: date) -> tuple[date, Path] | None:
    """Date and file of the newest published edition of `table` before `as_of`; None when nothing earlier was
    published. Raises UserError when the published set cannot be read or lists a file that is gone."""
    if not settings.published_db.exists():
        return None
    remedy = f"restore {settings.published} from its backup, or remove it and publish again"
    try:
        with duckdb.connect(str(settings.published_db), read_only=True) as con:
            views = con.execute(
                "select view_name, sql from duckdb_views() where schema_name = 'history' and view_name = ?", [table]
            ).fetchall()
    except duckdb.Error as error:
        raise UserError(f"{settings.published_db} cannot be read: {error}", remedy) from None
    dates = listed_files(dict(views)).get(table, {})
    earlier = [day for day in dates if day < as_of]
    if not earlier:
        return None
    path = settings.published / "history" / table / dates[max(earlier)]
    if not path.is_file():
        raise UserError(f"{path} is listed by the published set, but is not there", remedy)
    return max(earlier), path
