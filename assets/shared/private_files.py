"""Who may read what a run writes: only its own user, but for the published set.

In: a home. Out: folders of state that only this user enters, and files that only this user reads. Raw batches and the
quarantine hold personal data, the warehouse does, and an error kept in the logs may quote a row.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from assets.shared.settings import Settings

_PRIVATE = 0o077

#: Folders of the home that nobody else may enter. `published/` is not among them.
PRIVATE_FOLDERS = (
    "raw",
    "quarantine",
    "ledgers",
    "models",
    "blocked",
    "exports",
    "dagster",
    "dbt",
    "spill",
    "as_known",
)

#: What the user's own umask was when `private_files` began; None outside of it.
_own: int | None = None


@contextmanager
def private_files(settings: Settings) -> Iterator[None]:
    """For as long as the block runs, this process makes files that only its user may read; what an earlier version
    left open is closed."""
    global _own
    for name in PRIVATE_FOLDERS:
        if (folder := settings.home / name).is_dir():
            folder.chmod(0o700)
    if settings.warehouse.exists():
        settings.warehouse.chmod(0o600)
    before = os.umask(_PRIVATE)
    _own = before
    try:
        yield
    finally:
        os.umask(before)
        _own = None


@contextmanager
def files_for_readers() -> Iterator[None]:
    """Inside `private_files`: for as long as the block runs, files are made as the user's own umask says, so that BI
    tools of other users can open the published set."""
    if _own is None:
        yield
        return
    os.umask(_own)
    try:
        yield
    finally:
        os.umask(_PRIVATE)
