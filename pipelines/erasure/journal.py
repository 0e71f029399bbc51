"""What an erasure has to do and has done, so that one that was killed goes on: `HOME/.erasing/journal.json`.

In: a home. Out: a `Journal`, written whole at each change. It holds who is to be erased, so only its owner reads it,
and it is removed as the last act of the erasure. While it is there no run, release or rollback begins
(`assets.shared.lock`).
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assets.shared.erasure_ledger import JOURNAL
from assets.shared.errors import UserError
from assets.shared.files import remove_folder, write_whole
from pipelines.erasure.identifiers import Identifiers


@dataclass
class Journal:
    """began_at: UTC. requests: what the ledger will say of each request, persons erased or refused. counts: facts of
    each file that was rewritten, by path below the home. stamps: sets whose database is being replaced."""

    home: Path
    run: str
    began_at: str
    requests: list[dict[str, Any]]
    pseudonyms: dict[str, str]
    values: list[str]
    secret: str
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    stamps: list[str] = field(default_factory=list)
    resumed: int = 0
    has_destroyed_keys: bool = False

    @property
    def identifiers(self) -> Identifiers:
        return Identifiers(self.pseudonyms, self.values, self.secret)

    @property
    def folder(self) -> Path:
        return self.home / JOURNAL.parent

    def save(self) -> None:
        """Write it, durably."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        facts = asdict(self)
        facts.pop("home")
        write_whole(self.home / JOURNAL, json.dumps(facts, ensure_ascii=False))

    def note(self, path: Path, facts: Mapping[str, int]) -> None:
        """Say what is about to be done to a file: before it is, for afterwards nothing shows it any more."""
        name = path.relative_to(self.home).as_posix()
        # A file that a killed call has rewritten already shows nothing of it any more.
        if self.counts.get(name, {}).get("rows_of_persons", -1) <= facts["rows_of_persons"]:
            self.counts[name] = dict(facts)
            self.save()

    def end(self) -> None:
        """The erasure is complete."""
        (self.home / JOURNAL).unlink()
        remove_folder(self.folder)


def read_journal(home: Path) -> Journal | None:
    """The erasure that was begun and has not ended; None where there is none. Raises UserError for one that cannot be
    read."""
    path = home / JOURNAL
    for left in home.glob(f".old-{JOURNAL.parent}-*"):
        shutil.rmtree(left, ignore_errors=True)
    try:
        return Journal(home=home, **json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} cannot be read: {error}", "remove the file and give the requests of this erasure again"
        ) from None
