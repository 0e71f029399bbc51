"""Who was forgotten, without saying who: keyed fingerprints, and the ledger of what an erasure did.

In: the home. Out: `ledgers/erasures.jsonl`, one JSON object a line, each with the hash of the line before it, so that a
line that is changed or taken out later shows; the fingerprints of erased ids, by which stage ingest knows a person who
comes again. A fingerprint is HMAC-SHA-256 of an id (RFC 2104): without the key nobody can try ids against it. The key
is what `HOLDFAST_ERASURE_KEY` holds, or the file that `HOLDFAST_ERASURE_KEY_FILE` names, or `erasure.key` in the home,
which is made at the first erasure and only its owner reads. How a person is erased does not belong here.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assets.shared.errors import UserError
from assets.shared.files import write_whole
from assets.shared.secret_values import secret

#: An erased person's rows stay under this and 24 random hex digits, so that sums of the past stay.
PSEUDONYM = "erased:"

#: The ledger in the home.
LEDGER = Path("ledgers") / "erasures.jsonl"

_KEY = "erasure.key"

#: Says that an erasure is under way in the home: nothing else may run there until it has ended.
JOURNAL = Path(".erasing") / "journal.json"

_BLOCK = 64


def is_under_way(home: Path) -> bool:
    """Whether an erasure was begun in the home and has not ended."""
    return (home / JOURNAL).exists()


def new_pseudonym() -> str:
    """An id for the rows of somebody erased, drawn at random: nothing leads from it to the id before."""
    return PSEUDONYM + secrets.token_hex(12)


def read_ledger(home: Path) -> list[dict[str, Any]]:
    """All lines, oldest first. Raises UserError for a file in which a line was changed, added or taken out."""
    path = home / LEDGER
    if not path.exists():
        return []
    lines, before = [], ""
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            line = json.loads(text)
            is_whole = line["previous"] == before
        except (ValueError, KeyError, TypeError):
            is_whole = False
        if not is_whole:
            raise UserError(
                f"{path}, line {number}: it does not follow on the line before it",
                f"the file only ever grows: restore {path.name} from the backup",
            )
        lines.append(line)
        before = _hash(text)
    return lines


def append_to_ledger(home: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Add lines, all of them or none."""
    path = home / LEDGER
    read_ledger(home)
    texts = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in lines:
        previous = _hash(texts[-1]) if texts else ""
        texts.append(json.dumps({**line, "previous": previous}, ensure_ascii=False))
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_whole(path, "".join(text + "\n" for text in texts))
    path.chmod(0o600)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Fingerprints:
    """The fingerprints of one home. `known`: of the ids that are erased."""

    def __init__(self, key: bytes, known: frozenset[str]):
        self._key, self.known = key, known

    @classmethod
    def of_home(cls, home: Path, make_key: bool = False) -> "Fingerprints":
        """Raises UserError when somebody is erased and the key is gone, unless it may be made."""
        known = frozenset(
            fingerprint
            for line in read_ledger(home)
            if line.get("status") == "erased"
            for fingerprint in line["fingerprints"]
        )
        return cls(_key_of(home, make_key and not known) if known or make_key else b"", known)

    def of(self, customer_id: str) -> str:
        """64 hex digits."""
        return hmac.new(self._key, customer_id.encode(), hashlib.sha256).hexdigest()

    def sql(self, text_sql: str) -> tuple[str, list[bytes]]:
        """The same of a text, as an SQL expression and its two parameters."""
        key = hashlib.sha256(self._key).digest() if len(self._key) > _BLOCK else self._key
        inner, outer = (bytes(b ^ pad for b in key.ljust(_BLOCK, b"\0")) for pad in (0x36, 0x5C))
        return f"sha256(cast(? as blob) || unhex(sha256(cast(? as blob) || encode({text_sql}))))", [outer, inner]


def _key_of(home: Path, may_make: bool) -> bytes:
    if given := secret("HOLDFAST_ERASURE_KEY"):
        return given.encode()
    path = home / _KEY
    if path.exists():
        return path.read_text(encoding="utf-8").strip().encode()
    if not may_make:
        raise UserError(
            f"the key of the erasure ledger is not there: {path}",
            "without it nobody who was erased is known again: restore it from the backup, or set"
            " HOLDFAST_ERASURE_KEY_FILE or HOLDFAST_ERASURE_KEY",
        )
    before = os.umask(0o077)
    try:
        write_whole(path, secrets.token_hex(32) + "\n")
    finally:
        os.umask(before)
    return path.read_text(encoding="utf-8").strip().encode()
