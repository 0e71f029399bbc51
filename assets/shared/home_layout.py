"""Which names the files of a home have: said in `home.json`, and migrated where a home is of an earlier version.

In: a home folder. Out: the same home with today's names, or a UserError for one that a later version has written. Each
layout is reached from the one before by renames that can be repeated: a kill at any moment loses nothing, and the next
call goes on. What is in the files does not belong here.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from assets.shared.errors import UserError
from assets.shared.files import (
    make_read_only,
    move_into_place,
    new_folder,
    remove_folder,
    replace_link,
    sync_path,
    write_whole,
)
from assets.shared.lock import folder_lock
from assets.shared.published_history import DATABASE, ActiveFiles, listed_files, write_contents

#: 1: no `home.json`; `in_force.json` of a batch, `candidates/` with `candidate.duckdb` and `candidate.json`.
#: 2: `active.json`, `blocked/` with `tables.duckdb` and `blocked.json`; `published/sets/NAME.duckdb`.
#: 3: `published/sets/NAME/` with `holdfast.duckdb` and `set.json`.
LAYOUT = 3

_FILE = "home.json"

#: What a home holds once something has run in it.
_DATA = ("raw", "quarantine", "ledgers", "models", "published", "warehouse.duckdb")


def require_layout(home: Path, say: Callable[[str], None] | None = None) -> None:
    """Bring an existing home up to today's layout, and note it. One line through `say` (default: stderr) says when
    something of an earlier version was there. Waits for a run that holds the home.

    Raises UserError when the home has a layout of a later version, or its `home.json` cannot be read."""
    if read_layout(home) == LAYOUT:
        return
    if not _has_data(home):
        _note(home)
        return
    say = say or _on_stderr
    with folder_lock(home, on_wait=say):
        # Another process may have done it while this one waited.
        if (layout := read_layout(home)) < LAYOUT:
            n_renamed = sum(_MIGRATIONS[step](home) for step in range(layout, LAYOUT))
            _note(home)
            say(f"{home} is of an earlier version: it now has layout {LAYOUT} ({n_renamed} files and folders renamed)")


def read_layout(home: Path) -> int:
    """The layout that the home says it has; 1 where it says nothing. Raises UserError for one that this version does
    not know, and when `home.json` cannot be read."""
    path = home / _FILE
    try:
        layout: Any = json.loads(path.read_text(encoding="utf-8"))["layout"]
    except FileNotFoundError:
        return 1
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} cannot be read: {error}",
            f'write {{"layout": {LAYOUT}}} into it if this version of holdfast was the last to use the home, or restore'
            " it from the backup",
        ) from None
    if type(layout) is not int or not 1 <= layout <= LAYOUT:
        raise UserError(
            f"{home} has layout {layout!r}, and this version of holdfast knows layouts 1 to {LAYOUT}",
            "install the version that last used this home or a later one, or name another folder with --home",
        )
    return layout


def _has_data(home: Path) -> bool:
    return any((home / name).exists() for name in (*_DATA, "candidates"))


def _note(home: Path) -> None:
    write_whole(home / _FILE, json.dumps({"layout": LAYOUT}) + "\n")


def _on_stderr(words: str) -> None:
    print(f"holdfast: {words}", file=sys.stderr)


# -- From 1 to 2 ------------------------------------------------------------------------------------------------------


def _name_by_state(home: Path) -> int:
    """Batches say when they are active, nights that are kept back are blocked. Returns how many names changed."""
    old_names = sorted((home / "raw").glob("*/*/*/in_force.json"))
    for path in old_names:
        _rename(path, path.with_name("active.json"))
    candidates = home / "candidates"
    folders = sorted(path for path in candidates.glob("*") if path.is_dir())
    for folder in folders:
        if folder.name.startswith("."):  # what a writer that was killed has left
            shutil.rmtree(folder)
            continue
        # Its files first: a folder in its new place is complete.
        for old, new in (("candidate.duckdb", "tables.duckdb"), ("candidate.json", "blocked.json")):
            _rename(folder / old, folder / new)
        (home / "blocked").mkdir(mode=0o700, exist_ok=True)
        if (home / "blocked" / folder.name).exists():
            remove_folder(folder)  # the same night, written again under today's names
        else:
            move_into_place(folder, home / "blocked" / folder.name)
    if candidates.is_dir():
        candidates.rmdir()
        sync_path(home)
    return len(old_names) + len(folders)


# -- From 2 to 3 ------------------------------------------------------------------------------------------------------


def _folder_a_set(home: Path) -> int:
    """The database of each published set gets a folder, and next to it a file that says what it holds. Returns how many
    sets were moved. Raises UserError for a database that cannot be read."""
    published = home / "published"
    old_sets = sorted((published / "sets").glob("[!.]*.duckdb"))
    for old in old_sets:
        folder = old.with_suffix("")
        if not folder.exists():
            as_of_date, run_id, files = _read_set(old)
            with new_folder(folder) as unfinished:
                # The file itself: who has it open keeps it, and it takes no room twice.
                (unfinished / DATABASE).hardlink_to(old)
                make_read_only(unfinished / DATABASE)
                write_contents(unfinished, as_of_date, run_id, files)
    link = published / DATABASE
    if link.is_symlink() and (target := link.resolve()) in [old.resolve() for old in old_sets]:
        replace_link(link, published / "sets" / target.stem / DATABASE)
    # Last: until here both names lead to every set.
    for old in old_sets:
        old.unlink()
    return len(old_sets)


def _read_set(database: Path) -> tuple[date, str, ActiveFiles]:
    """Night and history files of a published set, from its database. Raises UserError when it cannot be read."""
    import duckdb

    # A copy: a program that holds the database for writing lets nobody else open it.
    with TemporaryDirectory(dir=database.parent, prefix=".tmp-read-", suffix=f"-{os.getpid()}") as folder:
        copy = Path(folder) / DATABASE
        shutil.copyfile(database, copy)
        try:
            with duckdb.connect(str(copy), read_only=True) as con:
                night = con.execute("select as_of_date, run_id from marts.run_manifest").fetchone()
                views = con.execute(
                    "select view_name, sql from duckdb_views() where schema_name = 'history'"
                ).fetchall()
        except duckdb.Error as error:
            night, why = None, str(error).splitlines()[0]
        else:
            why = "its run_manifest is empty"
    if night is None:
        raise UserError(
            f"the published set {database} cannot be read: {why}",
            "move the file away (the history next to it is kept) and run again",
        )
    return *night, listed_files(dict(views))


def _rename(old: Path, new: Path) -> None:
    """Give a file its new name; where one of that name is there, it is the later one and stays."""
    if not old.exists():
        return
    if new.exists():
        old.unlink()
    else:
        move_into_place(old, new)


#: Layout to what makes the next one of it.
_MIGRATIONS: dict[int, Callable[[Path], int]] = {1: _name_by_state, 2: _folder_a_set}
