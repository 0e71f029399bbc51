"""Back to an earlier published set, in every target at once, by a person and on record.

In: the sets that are kept and the ledger of releases. Out: the link (and schema `marts` in Postgres) on the chosen set,
and publishing on hold: the next night would show again what somebody has just taken back, so it is only kept as a
blocked set until a person releases it or resumes publishing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assets.publish.current_link import CurrentLink, set_number
from assets.publish.marts import NO_MARTS, Marts
from assets.publish.published_set import Signature, Step, open_published_set
from assets.publish.release_ledger import ReleaseLedger, SetId, hold_publishing, shown_sets, withdrawn_sets
from assets.shared import warehouse
from assets.shared.commands import command
from assets.shared.errors import UserError
from assets.shared.published_history import DATABASE, is_changed
from assets.shared.settings import Settings


@dataclass(frozen=True)
class KeptSet:
    """One set that can be shown. `is_withdrawn`: a rollback has left it. `is_changed`: somebody has written into it
    since it was published."""

    night: SetId
    path: Path
    is_shown: bool
    is_withdrawn: bool
    is_changed: bool
    shown_at: str


def kept_sets(settings: Settings) -> list[KeptSet]:
    """The newest set of every night that is kept, newest first."""
    link, events = CurrentLink(settings), ReleaseLedger(settings).events()
    target, withdrawn = link.target(), withdrawn_sets(events)
    first_shown = {e.file: e for e in reversed(events) if e.kind in ("published", "released")}
    found: dict[SetId, KeptSet] = {}
    for name in sorted(shown_sets(events), key=set_number, reverse=True):
        path, event = link.folder / name, first_shown.get(name)
        if event is None or not path.exists():
            continue
        is_shown = target is not None and target.name == name
        # Of several sets of one night the shown one stands for it, else the newest.
        if is_shown or event.shown not in found:
            found[event.shown] = KeptSet(event.shown, path, is_shown, name in withdrawn, is_changed(path), event.at)
    return sorted(found.values(), key=lambda kept: set_number(kept.path.name), reverse=True)


def roll_back(
    settings: Settings,
    by: str,
    to_run: str | None = None,
    reason: str = "",
    marts: Marts = NO_MARTS,
    on_step: Step = lambda step: None,
) -> tuple[KeptSet, KeptSet]:
    """Show the kept set of run `to_run`, by default the last one before the shown one that was not withdrawn, in all
    targets, and put publishing on hold. Returns (left, shown now). Rolling back to what is shown changes nothing but
    the hold. `marts` is needed where Postgres has to be filled again.

    Raises UserError when nothing was published, the run's set is not kept or was changed, or a target fails; readers
    then keep theirs.
    """
    with warehouse.connect(settings) as con, open_published_set(con, settings, marts, on_step) as published:
        sets = kept_sets(settings)
        left = next((kept for kept in sets if kept.is_shown), None)
        if left is None:
            raise UserError("nothing has been published in this home", f"run the nightly job first: {command('run')}")
        chosen = _chosen(sets, left, to_run)
        if chosen.is_changed:
            raise UserError(
                f"the database of the set of run {chosen.night.run_id}, {chosen.path / DATABASE}, was changed after it"
                " was published, by a program that opened it for writing",
                f"choose another one: {command('rollback', '--list')}   (or run its date again:"
                f" {command('run', '--as-of', chosen.night.as_of_date)})",
            )
        published.show_set(chosen.path, Signature("rolled_back", by, " ".join(reason.split())))
        return left, next(kept for kept in kept_sets(settings) if kept.is_shown)


def _chosen(sets: Sequence[KeptSet], left: KeptSet, to_run: str | None) -> KeptSet:
    known = "; ".join(f"{kept.night.run_id} (as of {kept.night.as_of_date})" for kept in sets)
    if to_run is not None:
        named = [kept for kept in sets if kept.night.run_id == to_run]
        if not named:
            raise UserError(f"no set of run {to_run!r} is kept", f"kept are: {known}")
        return named[0]
    number = set_number(left.path.name)
    earlier = [kept for kept in sets if set_number(kept.path.name) < number and not kept.is_withdrawn]
    if not earlier:
        raise UserError(
            f"no set before {left.night} is kept",
            f"kept are: {known}; publish_keep_sets says how many are kept from now on",
        )
    return earlier[0]


def resume_publishing(settings: Settings, by: str, reason: str = "") -> bool:
    """End the hold of a rollback, so that the next passing night is published again. False when there was none."""
    ledger = ReleaseLedger(settings)
    held = hold_publishing(ledger.events())
    if held is None:
        return False
    ledger.append("resumed", held.shown, "", by, " ".join(reason.split()))
    return True
