"""Which files of the sources are new: what the daemon looks for between the nights.

In: the sources' folders, the ledger of landed batches, and what an earlier look saw. Out: a `Look`, whose `arrived`
files call for a run. A file is taken only when two looks find it unchanged, because it may still be written.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from assets.ingest.batches import Batch, hash_files, read_batches
from assets.ingest.sources import FileSource, resolve_sources
from assets.shared.settings import Settings

#: Larger files are not hashed to see whether they were landed under another name: a look must be quick.
_HASHED_UP_TO_BYTES = 256 * 2**20

#: {source: {file: [size in bytes, time of change in ns]}}
Files = dict[str, dict[str, list[int]]]


@dataclass(frozen=True)
class Look:
    """`known`: files that were dealt with. `waiting`: those that were new at this look. `arrived`: those that were new
    and the same at the look before, by name."""

    known: Files
    waiting: Files = field(default_factory=dict)
    arrived: tuple[str, ...] = ()

    @property
    def cursor(self) -> str:
        """For the next look."""
        return json.dumps({"known": self.known, "waiting": self.waiting}, sort_keys=True)

    @property
    def fingerprint(self) -> str:
        """The same for the same files in the same state."""
        return hashlib.sha256(json.dumps(self.known, sort_keys=True).encode()).hexdigest()[:16]


def find_new_files(settings: Settings, cursor: str | None) -> Look:
    """Look at the folders of all sources that are files. The first look ever in a home without batches knows all files:
    the first run of a home is started by a person. Raises UserError when a source's YAML is broken."""
    present = _present(settings)
    if cursor is None and not any(read_batches(settings, present)):
        return Look(known=present)
    before = json.loads(cursor) if cursor else {"known": {}, "waiting": {}}
    new = _without(present, before["known"])
    still = {
        source: {name: state for name, state in files.items() if before["waiting"].get(source, {}).get(name) == state}
        for source, files in new.items()
    }
    landed = {source: read_batches(settings, [source]) for source in new}
    arrived, known = [], {source: dict(files) for source, files in before["known"].items()}
    folders = _folders(settings)
    for source, files in still.items():
        for name, state in files.items():
            known.setdefault(source, {})[name] = state
            if not _is_landed(folders[source] / name, name, state[0], landed[source]):
                arrived.append(name)
    # A file that is gone may come back with the same name, size and time and would still be known: it was landed.
    return Look(known, _without(present, known), tuple(sorted(arrived)))


def _is_landed(path: Path, name: str, size: int, landed: Sequence[Batch]) -> bool:
    """Whether a run would find nothing new in the file: its content counts, and no other content that it held since."""
    if size > _HASHED_UP_TO_BYTES:
        return False
    try:
        sha256 = hash_files([path])[0]
    except OSError:
        return True  # gone again: nothing to start a run for
    delivered = max((batch.delivered_at for batch in landed if batch.sha256 == sha256), default=None)
    return delivered is not None and not any(
        batch.file == name and batch.sha256 != sha256 and batch.delivered_at > delivered for batch in landed
    )


def _sources(settings: Settings) -> list[FileSource]:
    return [source for source in resolve_sources(settings.sources) if isinstance(source, FileSource)]


def _folders(settings: Settings) -> dict[str, Path]:
    return {source.name: source.mapping.folder for source in _sources(settings)}


def _present(settings: Settings) -> Files:
    found: Files = {}
    for source in _sources(settings):
        files = found.setdefault(source.name, {})
        for entity in source.entities:
            for path in source.files(entity, may_be_empty=True):
                with suppress(FileNotFoundError):  # gone between the two
                    facts = path.lstat()
                    name = path.relative_to(source.mapping.folder).as_posix()
                    files[name] = [facts.st_size, facts.st_mtime_ns]
    return found


def _without(files: Files, others: Files) -> Files:
    left = {
        source: {name: state for name, state in own.items() if others.get(source, {}).get(name) != state}
        for source, own in files.items()
    }
    return {source: own for source, own in left.items() if own}
