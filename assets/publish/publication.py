"""A finished night is published when its verdict is yes and publishing is not on hold; otherwise it is kept back.

In: the marts of a night in the working warehouse and the verdict on them. Out: the published set of that night, or a
blocked set and a `NotReleased` that says why. How a set is shown does not belong here (`published_set`).
"""

from contextlib import suppress
from pathlib import Path

import duckdb

from assets.publish.blocked_sets import keep_blocked_set
from assets.publish.current_link import CurrentLink
from assets.publish.finished_night import NightVerdict, refuse_incomplete, refuse_personal, verdict_on
from assets.publish.history_files import COMMIT_TABLE
from assets.publish.marts import Marts
from assets.publish.published_set import BY_ITSELF, PublishReport, Step, open_published_set, settle_ledger
from assets.publish.release_ledger import Event, ReleaseLedger, SetId, hold_publishing
from assets.publish.set_database import set_database
from assets.shared import warehouse
from assets.shared.commands import command, release_command
from assets.shared.errors import UserError
from assets.shared.settings import Settings


class NotReleased(UserError):
    """A finished night that is not published. `page` says in Markdown what failed, which rows, and what to do;
    `folder` is where the night is kept."""

    def __init__(self, what: str, remedy: str, page: str, folder: Path):
        super().__init__(what, remedy)
        self.page = page
        self.folder = folder


def publish_night(
    settings: Settings, night: SetId, marts: Marts, keep_sets: int = 1, on_step: Step = lambda step: None
) -> PublishReport:
    """Publish the marts of `night`. `keep_sets` is how many earlier nights can be rolled back to, and how many blocked
    sets are kept. Publishing the same run twice changes nothing.

    Raises UserError when validate.verdicts has no row for this date and run, when a mart is missing or holds rows of
    another date or run, when a forbidden column would be published, when the published set cannot be read or its folder
    cannot hold a link, or when Postgres fails; NotReleased, a UserError, when the verdict is no or publishing is on
    hold since a rollback. In all of these readers keep what they have.
    """
    if COMMIT_TABLE not in marts.tables:
        raise ValueError(f"{COMMIT_TABLE} must be among the published tables: it says which set is current")
    with warehouse.connect(settings) as con:
        verdict = verdict_on(con, night)
        refuse_incomplete(con, night, marts, verdict)
        refuse_personal(con, marts)
        ledger = ReleaseLedger(settings)
        settle_ledger(CurrentLink(settings), ledger)
        held = hold_publishing(ledger.events())
        if verdict.passed and held is None:
            with open_published_set(con, settings, marts, on_step) as published:
                return published.show_night(night, BY_ITSELF, keep_sets)
        blocked = _reason_kept_back(night, verdict, held)
        kept = _keep_back(con, settings, night, marts, blocked, keep_sets)
        # A server that is away must not hide why the night is blocked; the next command settles.
        with suppress(UserError), open_published_set(con, settings, marts, on_step):
            pass
        raise kept


def _reason_kept_back(night: SetId, verdict: NightVerdict, held: Event | None) -> tuple[str, str, str]:
    """(what, remedy, page) of a night that is not published."""
    release_it = release_command(night.as_of_date, night.run_id)
    resume = command("rollback", "--resume")
    if verdict.passed and held is not None:
        what = (
            f"publishing is on hold: {held.by or 'somebody'} rolled back to the set as of {held.shown.as_of_date} at"
            f" {held.at}" + (f" ({held.reason})" if held.reason else "")
        )
        page = (
            f"# The night of {night.as_of_date} waits\n\nEvery blocking check passed, but {what}. Readers keep that"
            " set.\n\n## What to do\n\n"
            f"* If the cause of the rollback is gone, show this night: `{release_it}`. This ends the hold.\n"
            f"* Or end the hold and run again: `{resume}`.\n"
        )
        return what, f"when the cause is gone: {release_it}   (or: {resume}, then run again)", page
    what = f"the marts as of {night.as_of_date} did not pass validation: {verdict.reason}"
    remedy = (
        "correct what it names and run that date again; readers keep the last complete set. To release it all the"
        f" same, deliberately: {release_it}"
    )
    return what, remedy, verdict.page or f"# The night of {night.as_of_date} is blocked\n\n{verdict.reason}\n"


def _keep_back(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    night: SetId,
    marts: Marts,
    blocked: tuple[str, str, str],
    keep: int,
) -> NotReleased:
    """Keep the night as a blocked set, record it, and return the error that says so."""

    def write(path: Path) -> None:
        with set_database(con, path) as database:
            database.write_marts(marts)

    what, remedy, page = blocked
    kept = keep_blocked_set(settings, night, page, write, keep)
    ReleaseLedger(settings).append("blocked", night, reason=what)
    remedy += f"\n  the page with everything: {kept.page}\n  the tables, read-only: {kept.database}"
    return NotReleased(what, remedy, page, kept.folder)
