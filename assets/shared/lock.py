"""One run at a time in one home: an advisory file lock that the operating system frees when its holder dies."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from assets.shared.commands import command
from assets.shared.erasure_ledger import is_under_way
from assets.shared.errors import UserError

if TYPE_CHECKING:
    from assets.shared.settings import Settings


@contextmanager
def home_lock(settings: "Settings", on_wait: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold the home for the time of a run; a second run waits its turn (and says so through `on_wait`).

    DuckDB admits one writing process, so a run that did not wait would fail half-way on the database lock. Raises
    UserError where an erasure was begun and has not ended: half of the home still knows the person.
    """
    with folder_lock(settings.home, on_wait):
        refuse_during_erasure(settings.home)
        yield


def refuse_during_erasure(home: Path) -> None:
    """Raise UserError where an erasure was begun and has not ended."""
    if is_under_way(home):
        raise UserError(
            "an erasure in this home was begun and has not ended, so nothing else may run in it",
            f"let it go on first: {command('erase', home=home)}",
        )


@contextmanager
def folder_lock(home: Path, on_wait: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """As `home_lock`, for whoever knows the folder only."""
    with (home / ".run.lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            on_wait(f"another run (process {holder}) holds {home}; waiting for it to end")
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def lock_holder(home: Path) -> str | None:
    """The process that holds the home, as it wrote its number; None where nobody does. Changes nothing."""
    path = home / ".run.lock"
    if not path.exists():
        return None
    with path.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return handle.read().strip() or "unknown"
    return None
