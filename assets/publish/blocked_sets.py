"""Nights that were finished but not published, kept so that a person can look at them and release one.

In: a complete set of marts and the page that says why it was not published. Out: a folder a blocked set under
`blocked/<as_of_date>--<run_id>/` with `tables.duckdb` (schema marts, to be opened read-only), `why.md` and
`blocked.json`. A blocked set exists if and only if its folder is in place.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from assets.publish.history_files import safe_name
from assets.publish.release_ledger import SetId
from assets.shared.errors import UserError
from assets.shared.files import remove_folder, replacing_folder
from assets.shared.settings import Settings


@dataclass(frozen=True)
class BlockedSet:
    """One kept night."""

    night: SetId
    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "tables.duckdb"

    @property
    def page(self) -> Path:
        return self.folder / "why.md"


def keep_blocked_set(
    settings: Settings, night: SetId, page: str, write_database: Callable[[Path], None], keep: int
) -> BlockedSet:
    """Keep `night`, whose database `write_database` writes to the path it is given, and the newest `keep` in all."""
    kept = BlockedSet(night, settings.blocked / f"{night.as_of_date}--{safe_name(night.run_id)}")
    with replacing_folder(kept.folder) as folder:
        unfinished = BlockedSet(night, folder)
        write_database(unfinished.database)
        unfinished.page.write_text(page, encoding="utf-8")
        facts = {"as_of_date": night.as_of_date.isoformat(), "run_id": night.run_id}
        (folder / "blocked.json").write_text(json.dumps(facts))
    others = [c for c in blocked_sets(settings) if c.folder != kept.folder]
    for old in others[: max(len(others) - keep + 1, 0)]:
        drop_blocked_set(old)
    return kept


def blocked_sets(settings: Settings) -> list[BlockedSet]:
    """Every kept night, oldest first."""
    found = [path.parent for path in settings.blocked.glob("*/blocked.json") if path.parent.name[0] != "."]
    return [_read(folder) for folder in sorted(found, key=lambda folder: (folder.stat().st_mtime_ns, folder.name))]


def blocked_set_of(settings: Settings, night: SetId) -> BlockedSet:
    """The blocked set of that night. Raises UserError when there is none: another run, one that was published, or one
    that never finished its marts."""
    kept = blocked_sets(settings)
    for blocked_set in kept:
        if blocked_set.night == night:
            return blocked_set
    known = "; ".join(f"--as-of {c.night.as_of_date} --run {c.night.run_id}" for c in kept) or "none"
    raise UserError(
        f"there is no blocked set as of {night.as_of_date} of run {night.run_id}: it was published, or it never"
        " finished its marts, or the run is another one",
        f"blocked sets that can be released: {known}",
    )


def drop_blocked_set(blocked_set: BlockedSet) -> None:
    """Take a blocked set away."""
    remove_folder(blocked_set.folder)


def _read(folder: Path) -> BlockedSet:
    facts = json.loads((folder / "blocked.json").read_text())
    return BlockedSet(SetId(date.fromisoformat(facts["as_of_date"]), facts["run_id"]), folder)
