"""A file that cannot be landed at all: the error that says so, and the ledger of such files.

In: what the reading of one file found. Out: `FileRefused`, and one small JSON file a refusal below
`quarantine/<source>/<entity>/refused/`. A refusal is open while the file is offered unchanged, and resolved by the
first landing that does not meet it again: the file was corrected, replaced or taken away. Rows that are refused one by
one do not belong here (`conversion`, `redrive`).
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from assets.ingest.batches import Content
from assets.shared.errors import UserError
from assets.shared.files import write_whole
from assets.shared.settings import Settings

#: Rules of files that are not refused for good: they are expected to be complete at the next look.
WAITING_RULES = ("still_being_written", "waiting_for_its_marker")


class FileRefused(UserError):
    """One file that cannot be landed, while others can. `rule` is a short name that stays the same between releases."""

    def __init__(self, rule: str, what: str, remedy: str):
        super().__init__(what, remedy)
        self.rule = rule


@dataclass(frozen=True)
class Refusal:
    """One refused file. `sha256` and `size_bytes` are None where it could not be read; `resolved_at` is None while the
    file is still offered. Moments are UTC."""

    refusal_id: str
    source: str
    entity: str
    file: str
    rule: str
    reason: str
    remedy: str
    sha256: str | None
    size_bytes: int | None
    refused_at: datetime
    resolved_at: datetime | None = None

    @property
    def is_waiting(self) -> bool:
        return self.rule in WAITING_RULES

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None


def refusal(
    source: str,
    entity: str,
    file: str,
    error: FileRefused,
    content: Content | None = None,
    hide: Iterable[Path] = (),
) -> Refusal:
    """A refusal of now. `content`: what the file holds, where it could be read. `hide`: paths of this machine whose
    place in the words is taken by the file's own name."""
    what = error.what
    sha256, size_bytes = (content.sha256, content.size_bytes) if content is not None else (None, None)
    for path in hide:
        what = what.replace(str(path), file)
    identity = hashlib.sha256(json.dumps([source, entity, file, sha256, error.rule]).encode()).hexdigest()[:16]
    return Refusal(identity, source, entity, file, error.rule, what, error.remedy, sha256, size_bytes, _now())


def record_refusals(
    settings: Settings, looked_at: Iterable[tuple[str, str]], found: Iterable[Refusal]
) -> list[Refusal]:
    """Write what a look at the tables `looked_at` (source, entity) found: new refusals are added, known ones stay open
    with their first moment, and those not met again are resolved. Returns the open ones.
    """
    now, tables = _now(), set(looked_at)
    known = {r.refusal_id: r for r in read_refusals(settings, {source for source, _ in tables})}
    still = {r.refusal_id: r for r in found}
    for identity, new in still.items():
        old = known.get(identity)
        if old is None or not old.is_open:
            _write(settings, new)
        else:
            still[identity] = old
    for identity, old in known.items():
        if old.is_open and identity not in still and (old.source, old.entity) in tables:
            _write(settings, replace(old, resolved_at=now))
    return list(still.values())


def read_refusals(settings: Settings, sources: Iterable[str]) -> list[Refusal]:
    """All refusals of the named sources, open and resolved, oldest first."""
    found = [
        _from_json(path.read_text(encoding="utf-8"))
        for source in sorted(set(sources))
        for path in (settings.quarantine / source).glob("*/refused/*.json")
        if not path.name.startswith(".")
    ]
    return sorted(found, key=lambda r: (r.source, r.entity, r.refused_at, r.file, r.refusal_id))


def _write(settings: Settings, made: Refusal) -> None:
    folder = settings.quarantine / made.source / made.entity / "refused"
    facts = asdict(made)
    for name in ("refused_at", "resolved_at"):
        facts[name] = facts[name].isoformat(sep=" ") if facts[name] else None
    write_whole(folder / f"{made.refusal_id}.json", json.dumps(facts, indent=1, ensure_ascii=False))


def _from_json(text: str) -> Refusal:
    facts = json.loads(text)
    for name in ("refused_at", "resolved_at"):
        facts[name] = datetime.fromisoformat(facts[name]) if facts[name] else None
    return Refusal(**facts)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
