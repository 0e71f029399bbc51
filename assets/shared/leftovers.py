"""Unfinished files of runs that died: removed when the next run has the home to itself.

In: a home whose lock is held. Out: the files of dead writers gone. A writer of state (`files`) writes next to its
target, under a name that begins with `.tmp-` or `.old-` and ends with its process id, and renames at the end; a writer
that is killed leaves such a name. The published set sweeps its own folder, because readers may be in it.
"""

import os
import re
import shutil
from pathlib import Path

from assets.shared.settings import Settings

_UNFINISHED = re.compile(r"\.(tmp|old)-.*-(?P<process>\d+)(\.\w+)?")

#: How deep under each folder of state unfinished names lie.
_WHERE = {
    "raw": "**/.*",
    "quarantine": "**/.*",
    "ledgers": "**/.*",
    "models": "**/.*",
    "blocked": ".*",
    "exports": ".*",
    "dagster": ".*",
    ".": ".*",
}


def sweep_leftovers(settings: Settings) -> list[Path]:
    """Remove what dead writers left; returns the paths. Call it with the home's lock held. Files of a living process
    are left alone: a command may write a batch during a run."""
    removed = unfinished_files(settings)
    for path in removed:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return removed


def unfinished_files(settings: Settings) -> list[Path]:
    """What dead writers left. Changes nothing."""
    return [
        path
        for folder, pattern in _WHERE.items()
        for path in sorted((settings.home / folder).glob(pattern))
        if (match := _UNFINISHED.fullmatch(path.name)) is not None and not process_lives(int(match["process"]))
    ]


def process_lives(process: int) -> bool:
    """Whether a process of this id exists, whoever owns it."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
