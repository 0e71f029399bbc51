"""Nights that were finished but not published, kept so that a person can look at them and release one.

In: a complete set of marts and the page that says why it was not published. Out: a folder a candidate under
`candidates/<as_of_date>--<run_id>/` with `candidate.duckdb` (schema marts, to be opened read-only), `why.md` and
`candidate.json`. A candidate exists if and only if its folder is in place.
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from assets.publish.history_files import safe_name
from assets.publish.release_ledger import SetId
from assets.shared.errors import UserError
from assets.shared.files import sync
from assets.shared.settings import Settings


@dataclass(frozen=True)
class Candidate:
    """One kept night."""

    night: SetId
    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "candidate.duckdb"

    @property
    def page(self) -> Path:
        return self.folder / "why.md"


def keep_candidate(
    settings: Settings, night: SetId, page: str, write_database: Callable[[Path], None], keep: int
) -> Candidate:
    """Keep `night`, whose database `write_database` writes to the path it is given, and the newest `keep` in all."""
    kept = Candidate(night, settings.candidates / f"{night.as_of_date}--{safe_name(night.run_id)}")
    settings.candidates.mkdir(parents=True, exist_ok=True)
    for left in settings.candidates.glob(".tmp-*"):
        shutil.rmtree(left, ignore_errors=True)
    unfinished = Candidate(night, settings.candidates / f".tmp-{os.getpid()}")
    unfinished.folder.mkdir()
    write_database(unfinished.database)
    unfinished.page.write_text(page, encoding="utf-8")
    facts = unfinished.folder / "candidate.json"
    facts.write_text(json.dumps({"as_of_date": night.as_of_date.isoformat(), "run_id": night.run_id}))
    for path in (unfinished.database, unfinished.page, facts):
        sync(path)
    shutil.rmtree(kept.folder, ignore_errors=True)
    unfinished.folder.rename(kept.folder)
    sync(settings.candidates)
    others = [c for c in candidates(settings) if c.folder != kept.folder]
    for old in others[: max(len(others) - keep + 1, 0)]:
        drop_candidate(old)
    return kept


def candidates(settings: Settings) -> list[Candidate]:
    """Every kept night, oldest first."""
    found = [path.parent for path in settings.candidates.glob("*/candidate.json") if path.parent.name[0] != "."]
    return [_read(folder) for folder in sorted(found, key=lambda folder: (folder.stat().st_mtime_ns, folder.name))]


def candidate_of(settings: Settings, night: SetId) -> Candidate:
    """The candidate of that night. Raises UserError when there is none: another run, one that was published, or one
    that never finished its marts."""
    kept = candidates(settings)
    for candidate in kept:
        if candidate.night == night:
            return candidate
    known = "; ".join(f"--as-of {c.night.as_of_date} --run {c.night.run_id}" for c in kept) or "none"
    raise UserError(
        f"there is no blocked candidate as of {night.as_of_date} of run {night.run_id}: it was published, or it never"
        " finished its marts, or the run is another one",
        f"candidates that can be released: {known}",
    )


def drop_candidate(candidate: Candidate) -> None:
    """Take a candidate away: out of sight by one rename first."""
    doomed = candidate.folder.with_name(f".tmp-removed-{candidate.folder.name}")
    shutil.rmtree(doomed, ignore_errors=True)
    candidate.folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _read(folder: Path) -> Candidate:
    facts = json.loads((folder / "candidate.json").read_text())
    return Candidate(SetId(date.fromisoformat(facts["as_of_date"]), facts["run_id"]), folder)
