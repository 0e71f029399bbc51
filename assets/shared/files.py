"""Files and folders that are there as a whole or not at all, also after a kill or the loss of power.

All state is written in one way: next to its place, under a name that `leftovers` sweeps where its writer is killed;
forced to disk; then moved into its place by one rename. What is in the files does not belong here.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sync_path(path: Path) -> None:
    """Force a file's content, or a folder's entries, to disk before anything refers to it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields where to write a file that takes the place of `path` at the end of the block. Readers and crashes see all
    of it or what was there before; so they do when the block raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _unfinished(path)
    unfinished.unlink(missing_ok=True)
    try:
        yield unfinished
        sync_path(unfinished)
        unfinished.replace(path)
        sync_path(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file (UTF-8) as `replacing` does."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yields an empty folder; at the end of the block it is called `path`, with the files that were written into it. A
    folder that somebody else has put there meanwhile stays, and this one is dropped: for names that say what is inside.
    """
    with _unfinished_folder(path) as unfinished:
        yield unfinished
        _sync_folder(unfinished)
        try:
            unfinished.rename(path)
        except OSError:
            if not all((path / inside.name).exists() for inside in unfinished.iterdir()):
                raise
        sync_path(path.parent)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """As `new_folder`, but in the place of a folder that may be there. No call exchanges two folders: a kill between
    the two renames leaves none, and a reader never meets half of one."""
    replaced = _set_aside(path)
    with _unfinished_folder(path) as unfinished:
        yield unfinished
        _sync_folder(unfinished)
        if path.exists():
            path.rename(replaced)
        unfinished.rename(path)
        sync_path(path.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def make_read_only(path: Path) -> None:
    """Nobody may write into this file any more, not even its owner; who may read it stays as it is."""
    path.chmod(path.stat().st_mode & 0o444)


def move_into_place(old: Path, new: Path) -> None:
    """Give a file or folder another name, durably. Nothing may have that name yet."""
    old.rename(new)
    sync_path(new.parent)
    if old.parent != new.parent:
        sync_path(old.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder: out of sight by one rename first, so that nobody meets half of it."""
    doomed = _set_aside(path)
    path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def replace_link(path: Path, target: Path) -> None:
    """Let the symbolic link at `path` lead to `target`, relative to its folder, by one rename. Raises OSError where the
    file system has no links."""
    unfinished = path.with_name(f".{path.name}.link")
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target.relative_to(path.parent))
    unfinished.replace(path)
    sync_path(path.parent)


def _unfinished(path: Path) -> Path:
    return path.with_name(f".tmp-{path.name}-{os.getpid()}")


@contextmanager
def _unfinished_folder(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _unfinished(path)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        yield unfinished
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _set_aside(path: Path) -> Path:
    """A free name for a folder that is about to go."""
    aside = path.with_name(f".old-{path.name}-{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    return aside


def _sync_folder(path: Path) -> None:
    for inside in path.iterdir():
        sync_path(inside)
    sync_path(path)
