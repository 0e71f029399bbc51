"""A blocked night is published all the same, because a person says so.

In: a blocked set, a name and a reason. Out: the published set of that night, in which both are written. Nights that
pass by themselves do not belong here (`publication`).
"""

import os
import shutil

import duckdb

from assets.publish.blocked_sets import BlockedSet, blocked_set_of, drop_blocked_set
from assets.publish.finished_night import present_marts, refuse_personal
from assets.publish.history_files import COMMIT_TABLE
from assets.publish.marts import Marts
from assets.publish.published_set import PublishReport, Signature, Step, open_published_set
from assets.publish.release_ledger import SetId
from assets.shared import warehouse
from assets.shared.errors import UserError
from assets.shared.quoting import literal, quoted
from assets.shared.settings import Settings

_CATALOG = "released"


def release_night(
    settings: Settings,
    night: SetId,
    marts: Marts,
    signature: Signature,
    keep_sets: int = 1,
    on_step: Step = lambda step: None,
) -> PublishReport:
    """Publish the blocked set of that night. Name and reason of `signature` are written into run_manifest and
    data_quality of the set, hence into its history, and into the ledger.

    Raises UserError without a reason, when there is no such blocked set, and as `publish_night` does.
    """
    blocked_set, signature = releasable(settings, night, signature)
    with warehouse.connect(settings) as con:
        # A copy, because a release that fails must leave the blocked set as it was.
        signed = settings.blocked / f".tmp-releasing-{os.getpid()}"
        shutil.copyfile(blocked_set.database, signed)
        con.execute(f"attach {literal(signed)} as {_CATALOG}")
        try:
            _sign(con, night, signature)
            refuse_personal(con, marts, _CATALOG)
            released = marts.within(_CATALOG, present_marts(con, _CATALOG))
            with open_published_set(con, settings, released, on_step) as published:
                report = published.show_night(night, signature, keep_sets)
        finally:
            con.execute(f"detach {_CATALOG}")
            signed.unlink(missing_ok=True)
        drop_blocked_set(blocked_set)
        return report


def releasable(settings: Settings, night: SetId, signature: Signature) -> tuple[BlockedSet, Signature]:
    """The blocked set of a release, and its signature with the reason on one line. Raises UserError without a reason or
    a blocked set."""
    reason = " ".join(signature.reason.split())
    if not reason:
        raise UserError(
            "a release needs a reason, which is recorded for everybody to see",
            'say why these numbers may be shown: --reason "…"',
        )
    return blocked_set_of(settings, night), Signature("released", signature.by, reason)


def _sign(con: duckdb.DuckDBPyConnection, night: SetId, signature: Signature) -> None:
    """Write who released the night, when and why into its own manifest and its list of checks."""
    table = f"{_CATALOG}.marts.{COMMIT_TABLE}"
    manifest = {row[0] for row in con.execute(f"describe {table}").fetchall()}
    for column, value in (
        ("verdict", "released"),
        ("released_by", signature.by),
        ("release_reason", signature.reason),
    ):
        if column in manifest:
            con.execute(f"update {table} set {quoted(column)} = ?", [value])
    if "released_at" in manifest:
        con.execute(f"update {table} set released_at = cast(now() at time zone 'UTC' as timestamp)")
    if "data_quality" in present_marts(con, _CATALOG):
        con.execute(
            f"insert into {_CATALOG}.marts.data_quality (as_of_date, run_id, kind, table_name, rule, severity, passed,"
            " n_checked, n_failed, observed, reason, checked_at)"
            f" values (?, ?, 'release', 'marts.{COMMIT_TABLE}', 'released_by_a_person', 'warning', true, 1, 0, ?, ?,"
            " cast(now() at time zone 'UTC' as timestamp))",
            [night.as_of_date, night.run_id, f"released by {signature.by}", signature.reason],
        )
