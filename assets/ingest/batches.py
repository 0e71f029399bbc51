"""One landed file on disk: its identity, its folder, and the rule that it is there completely or not at all.

In: Parquet files written by the landing, and the facts of one batch. Out: `raw/<source>/<entity>/<batch_id>/` with
`data.parquet` and `batch.json`, and `quarantine/<source>/<entity>/<batch_id>.parquet` where rows were refused. A batch
exists if and only if its folder is in place. What is in the rows does not belong here.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from assets.shared.files import sync
from assets.shared.settings import Settings

#: A temporary folder that nobody has written to for this long belongs to a landing that died.
ABANDONED_AFTER_SECONDS = 3600

_MOMENTS = ("first_occurred_at", "last_occurred_at", "loaded_at")


@dataclass(frozen=True)
class Batch:
    """The facts of one landed file. `days`: (ISO day, rows), for transactions only. `is_new`: landed by this call."""

    batch_id: str
    source: str
    entity: str
    file: str
    size_bytes: int
    sha256: str
    mapping: str
    rows_in: int
    rows_accepted: int
    rows_quarantined: int
    first_occurred_at: datetime | None
    last_occurred_at: datetime | None
    loaded_at: datetime
    has_channel: bool = False
    days: tuple[tuple[str, int], ...] = ()
    is_new: bool = False


def batch_identity(sha256: str, mapping: str) -> str:
    """16 hex digits: the same content under the same mapping is the same batch, whatever the file is called."""
    return hashlib.sha256(f"{sha256}:{mapping}".encode()).hexdigest()[:16]


def hash_files(paths: Sequence[Path]) -> tuple[str, int]:
    """(sha256, size in bytes) of the files' contents, one after the other."""
    digest, size = hashlib.sha256(), 0
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(2**22):
                digest.update(chunk)
                size += len(chunk)
    return digest.hexdigest(), size


def batch_folder(settings: Settings, source: str, entity: str, batch_id: str) -> Path:
    return settings.raw / source / entity / batch_id


def quarantine_file(settings: Settings, source: str, entity: str, batch_id: str) -> Path:
    return settings.quarantine / source / entity / f"{batch_id}.parquet"


def temporary_folder(settings: Settings, source: str, entity: str, batch_id: str) -> Path:
    """A fresh folder beside the batches; folders of landings that died are removed."""
    parent = settings.raw / source / entity
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(".tmp-*"):
        if time.time() - left.stat().st_mtime > ABANDONED_AFTER_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    folder = parent / f".tmp-{batch_id}-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def put_in_place(settings: Settings, batch: Batch, folder: Path, quarantined: Path | None) -> None:
    """Make the batch exist: quarantine first, then the folder by one rename. A batch that another landing has put in
    place meanwhile is the same batch and stays."""
    target = batch_folder(settings, batch.source, batch.entity, batch.batch_id)
    refused = quarantine_file(settings, batch.source, batch.entity, batch.batch_id)
    if quarantined is not None:
        refused.parent.mkdir(parents=True, exist_ok=True)
        sync(quarantined)
        quarantined.replace(refused)
    facts = folder / "batch.json"
    facts.write_text(_to_json(batch))
    sync(facts)
    sync(folder / "data.parquet")
    try:
        folder.rename(target)
    except OSError:
        if not (target / "batch.json").exists():
            raise
        shutil.rmtree(folder, ignore_errors=True)
    sync(target.parent)


def remove_batch(settings: Settings, batch: Batch) -> None:
    """Take a superseded batch away: out of sight by one rename first, so that no half of it is ever seen."""
    folder = batch_folder(settings, batch.source, batch.entity, batch.batch_id)
    doomed = folder.parent / f".tmp-removed-{batch.batch_id}-{os.getpid()}"
    folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)
    quarantine_file(settings, batch.source, batch.entity, batch.batch_id).unlink(missing_ok=True)


def read_batches(settings: Settings, sources: Iterable[str], entity: str | None = None) -> list[Batch]:
    """Every batch in place of the named sources (of one entity), by source, entity, time of loading and id."""
    found = [
        _from_json(facts.read_text())
        for source in sorted(set(sources))
        for facts in (settings.raw / source).glob(f"{entity or '*'}/*/batch.json")
        if not facts.parent.name.startswith(".")
    ]
    return sorted(found, key=lambda b: (b.source, b.entity, b.loaded_at, b.batch_id))


def _to_json(batch: Batch) -> str:
    facts = asdict(batch)
    facts.pop("is_new")
    for name in _MOMENTS:
        facts[name] = facts[name].isoformat(sep=" ") if facts[name] is not None else None
    return json.dumps(facts, indent=1)


def _from_json(text: str) -> Batch:
    facts = json.loads(text)
    for name in _MOMENTS:
        facts[name] = datetime.fromisoformat(facts[name]) if facts[name] is not None else None
    facts["days"] = tuple((day, n) for day, n in facts["days"])
    return Batch(**facts)


def as_new(batch: Batch) -> Batch:
    return replace(batch, is_new=True)
