"""Which names the files of a home have: said in `home.json`, and migrated where a home is of an earlier version.

In: a home folder. Out: the same home with today's names, or a UserError for one that a later version has written. Each
layout is reached from the one before by renames that can be repeated: a kill at any moment loses nothing, and the next
call goes on. What is in the files does not belong here.
"""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assets.shared.errors import UserError
from assets.shared.files import move_into_place, remove_folder, sync_path, write_whole
from assets.shared.lock import folder_lock

#: 1: no `home.json`; `in_force.json` of a batch, `candidates/` with `candidate.duckdb` and `candidate.json`.
#: 2: `active.json`, `blocked/` with `tables.duckdb` and `blocked.json`.
LAYOUT = 2

_FILE = "home.json"

#: What a home holds once something has run in it.
_DATA = ("raw", "quarantine", "ledgers", "models", "published", "warehouse.duckdb")


def require_layout(home: Path, say: Callable[[str], None] | None = None) -> None:
    """Bring an existing home up to today's layout, and note it. One line through `say` (default: stderr) says when
    something of an earlier version was there. Waits for a run that holds the home.

    Raises UserError when the home has a layout of a later version, or its `home.json` cannot be read."""
    if _layout(home) == LAYOUT:
        return
    if not _has_data(home):
        _note(home)
        return
    say = say or _on_stderr
    with folder_lock(home, on_wait=say):
        # Another process may have done it while this one waited.
        if (layout := _layout(home)) < LAYOUT:
            n_renamed = sum(_MIGRATIONS[step](home) for step in range(layout, LAYOUT))
            _note(home)
            say(f"{home} is of an earlier version: it now has layout {LAYOUT} ({n_renamed} files and folders renamed)")


def _layout(home: Path) -> int:
    """The layout that the home says it has; 1 where it says nothing."""
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


def _rename(old: Path, new: Path) -> None:
    """Give a file its new name; where one of that name is there, it is the later one and stays."""
    if not old.exists():
        return
    if new.exists():
        old.unlink()
    else:
        move_into_place(old, new)


#: Layout to what makes the next one of it.
_MIGRATIONS: dict[int, Callable[[Path], int]] = {1: _name_by_state}
