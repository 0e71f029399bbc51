"""A backup that lies in the home, without the persons: unpacked, erased, packed again.

In: an archive of `home_archive`. Out: the same archive, replaced by one rename. Copies that lie elsewhere are not
reached: restore one and erase there (docs/erasure.md says what that means).
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from pipelines.erasure.rewriting import Note, rewritten
from pipelines.home_archive import back_up, restore


def rewrite_archive(
    path: Path, folder: Path, keys_at: Path, erase_home: Callable[[Path], dict[str, int]], note: Note
) -> bool:
    """`erase_home` does it to the unpacked home and returns the counts; keys_at: the keys of the home. Returns whether
    the archive was changed. Raises UserError for one that cannot be read."""
    home = folder / "unpacked"
    shutil.rmtree(home, ignore_errors=True)
    try:
        restore(path, home, keys_at)
        facts = erase_home(home)
        if not facts["rows_of_persons"]:
            return False
        note(path, facts)
        with rewritten(path) as unfinished:
            back_up(home, unfinished, lambda _: None, keys_at)
        return True
    finally:
        shutil.rmtree(home, ignore_errors=True)
