"""Files that must survive the loss of power."""

import os
from pathlib import Path


def sync_path(path: Path) -> None:
    """Force a file's content, or a folder's entries, to disk before anything refers to it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that readers and crashes see all of it or what was there before. What a writer that is
    killed leaves has a name that `leftovers` sweeps."""
    unfinished = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    sync_path(unfinished)
    unfinished.replace(path)
