"""A home as one file, and back: what is left when a disk is lost.

In: a home, or an archive of one. Out: `NAME.tar.gz` with every file of the home and, as its last member, a list of them
with checksums; or a home with the same files. Who somebody is can be read in it with the keys of the home alone, which
it does not hold (`sealed_files`). What a run makes anew (the warehouse, dbt's compiled project, spill) and locks are
left out.
"""

import hashlib
import io
import json
import os
import sqlite3
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from assets.shared.errors import UserError
from assets.shared.files import new_folder, replacing
from assets.shared.home_layout import require_layout
from assets.shared.settings import Settings
from pipelines.backup_keys import NAME as KEYS
from pipelines.backup_keys import BackupKeys, keys_file, open_keys
from pipelines.erasure.quarantine import count_quarantine, write_empty_quarantine
from pipelines.sealed_files import Kind, kind_of, seal, unseal

#: The last member of an archive: {"files": {path: [sha256, mode]}, "links": {path: target}, "sealed": {path: kind}}.
LIST = "holdfast-backup.json"

#: Made anew by the next run, or of no use to another home.
_LEFT_OUT = frozenset(
    {"dbt", "spill", "as_known", ".run.lock", "warehouse.duckdb", "warehouse.duckdb.wal", KEYS, f"{KEYS}-journal"}
)

#: SQLite's own notes next to a database: what they hold is in the copy.
_SQLITE_NOTES = ("-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Archived:
    """n_files: files and links. n_bytes: before compression. n_unreadable: files encrypted whole whose key is gone."""

    n_files: int
    n_bytes: int
    n_unreadable: int = 0


def back_up(home: Path, archive: Path, say: Callable[[str], None], keys_at: Path | None = None) -> Archived:
    """Write the archive of a home that no run holds: all of it or nothing. `say` gets a line for each folder. keys_at:
    the file of the keys, where it is not the home's own.

    Raises UserError when the archive would lie in the home, or its folder is not there."""
    if archive.resolve().is_relative_to(home.resolve()):
        raise UserError(f"{archive} lies in the home it is to save", "name a file on another disk")
    if not archive.parent.is_dir():
        raise UserError(f"{archive.parent} is no folder", "make it, or name a file in another one")
    files: dict[str, tuple[str, int]] = {}
    links: dict[str, str] = {}
    kinds: dict[str, str] = {}
    n_bytes = 0
    with (
        replacing(archive) as unfinished,
        _private(unfinished).open("wb") as raw,
        open_keys(keys_at or keys_file(home)) as keys,
    ):
        with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=1) as tar:
            for part in sorted(entry for entry in home.iterdir() if entry.name not in _LEFT_OUT):
                before = n_bytes
                for path in _files_of(part):
                    name = path.relative_to(home).as_posix()
                    if path.is_symlink():
                        links[name] = str(path.readlink())
                        continue
                    with _as_archived(path, name, keys, kinds) as content:
                        size = content.seek(0, os.SEEK_END)
                        files[name] = (_sha256(content), path.stat().st_mode & 0o777)
                        content.seek(0)
                        tar.addfile(_member(name, size), content)
                    n_bytes += size
                say(f"{part.name}: {(n_bytes - before) / 1e6:,.1f} MB")
            text = json.dumps({"files": files, "links": links, "sealed": kinds}).encode()
            tar.addfile(_member(LIST, len(text)), io.BytesIO(text))
        raw.flush()
        keys.save()
    return Archived(len(files) + len(links), n_bytes)


def restore(
    archive: Path, home: Path, keys_at: Path | None = None, settle: Callable[[Path], None] = lambda _: None
) -> Archived:
    """Make `home` of an archive: all of it or nothing, each file as its checksum says. keys_at: the file of the keys;
    what has none there stays empty. `settle` is called with the folder before it becomes the home.

    Raises UserError when the home is there already, or the archive cannot be read or is not whole."""
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise UserError(f"{home} is there already", "name a folder that is not, with --home")
    if home.exists():
        home.rmdir()
    damaged = UserError(f"{archive} is no whole backup of a home", "take another one; nothing was restored")
    try:
        with new_folder(home) as unfinished, tarfile.open(archive, mode="r:gz") as tar:
            unfinished.chmod(0o700)
            tar.extractall(unfinished, filter="data")
            n_bytes, n_files, kinds = _check(unfinished, damaged)
            require_layout(unfinished)
            n_unreadable = _unseal(unfinished, kinds, keys_at)
            settle(unfinished)
    except FileNotFoundError as error:
        if error.filename == str(archive):
            raise UserError(f"{archive} is not there", "name the file that the backup wrote") from None
        raise damaged from error
    except (tarfile.TarError, EOFError, OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise damaged from error
    return Archived(n_files, n_bytes, n_unreadable)


def _unseal(folder: Path, kinds: Mapping[str, Kind], keys_at: Path | None) -> int:
    """Decrypt in place what there are keys for; returns how many files could not be read at all."""
    with nullcontext() if keys_at is None else open_keys(keys_at) as keys:
        unreadable = [name for name, kind in kinds.items() if not unseal(folder / name, name, kind, keys)]
    if refused := [folder / name for name in unreadable if name.startswith("quarantine/")]:
        for path in refused:
            write_empty_quarantine(path)
        count_quarantine(Settings(home=folder, sources=()))
    return len(unreadable)


def _check(folder: Path, damaged: UserError) -> tuple[int, int, dict[str, Kind]]:
    """Compare what was unpacked with the list, and give modes and links back. Bytes, files, and which are encrypted."""
    if not (folder / LIST).is_file():
        raise damaged
    listed: dict[str, Any] = json.loads((folder / LIST).read_text())
    (folder / LIST).unlink()
    n_bytes = 0
    unpacked = {path.relative_to(folder).as_posix() for path in _files_of(folder)}
    if unpacked != set(listed["files"]):
        raise damaged
    for name, (sha256, mode) in listed["files"].items():
        path = folder / name
        with path.open("rb") as content:
            if _sha256(content) != sha256:
                raise damaged
        n_bytes += path.stat().st_size
        path.chmod(mode)
    for name, target in listed["links"].items():
        # As those of a home: next to its folder or below, never out of it.
        if Path(target).is_absolute() or ".." in Path(target).parts:
            raise damaged
        (folder / name).symlink_to(target)
    # An archive of an earlier version has nothing that is encrypted.
    return n_bytes, len(listed["files"]) + len(listed["links"]), listed.get("sealed", {})


def _files_of(part: Path) -> Iterator[Path]:
    """Files and links below, in the order of their names. What a killed writer has left is none of them."""
    if part.is_symlink() or part.is_file():
        yield part
        return
    for entry in sorted(part.iterdir()):
        if not entry.name.startswith((".tmp-", ".old-")) and not entry.name.endswith(_SQLITE_NOTES):
            yield from _files_of(entry)


@contextmanager
def _as_archived(path: Path, name: str, keys: BackupKeys, kinds: dict[str, str]) -> Iterator[IO[bytes]]:
    """The content of a file as the archive holds it; says in `kinds` how it is encrypted, if it is."""
    kind = kind_of(path, name)
    if kind is None:
        with _stable(path) as content:
            yield content
        return
    kinds[name] = kind
    with TemporaryDirectory() as folder:
        sealed = Path(folder) / "sealed"
        seal(path, sealed, name, kind, keys)
        with sealed.open("rb") as content:
            yield content


class _stable:
    """A file's content while others may write: of an SQLite database a copy that SQLite makes."""

    def __init__(self, path: Path):
        self._path = path
        self._folder = TemporaryDirectory()

    def __enter__(self) -> IO[bytes]:
        path = self._path
        if path.suffix == ".db" and "dagster" in path.parts:
            copy = Path(self._folder.name) / "copy.db"
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as theirs, sqlite3.connect(copy) as ours:
                theirs.backup(ours)
            theirs.close()
            ours.close()
            path = copy
        self._content = path.open("rb")
        return self._content

    def __exit__(self, *_: object) -> None:
        self._content.close()
        self._folder.cleanup()


def _sha256(content: IO[bytes]) -> str:
    content.seek(0)
    return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def _private(path: Path) -> Path:
    """Only its owner may read a file from its first byte on."""
    path.touch(mode=0o600)
    return path
