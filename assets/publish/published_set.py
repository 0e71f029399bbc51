"""The published set: what BI tools and retention teams open, replaced as a whole.

In: a finished set of marts in the working warehouse with its verdict, or a blocked set that a person releases.
Out: `published/holdfast.duckdb` with schema `marts` (the newest as-of date, native tables sorted by key) and schema
`history` (the same tables over all dates, views on one immutable Parquet file a date); where the settings name one, the
same marts in Postgres. What the marts mean does not belong here.

A reader who has the old set open keeps it; one who opens now gets the new one (`current_link` says how). Until then,
and when anything fails or is killed, the old set is complete and untouched. Nothing is ever written into a file that a
reader may have open, so no reader meets a lock.

Two targets cannot change in one instant. Postgres goes first, because it is the one that can fail: when it is away or
refuses, nothing is published at all. A run that dies between the two leaves Postgres one set ahead; the link says what
is published, so every later publish, release and rollback first brings Postgres to the link (`settle`).
"""

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from assets.publish.blocked_sets import BlockedSet, blocked_set_of, drop_blocked_set, keep_blocked_set
from assets.publish.current_link import CurrentLink, set_number
from assets.publish.history_files import COMMIT_TABLE, FilesInForce, HistoryFolder, is_of_run, listed_files
from assets.publish.postgres_target import PostgresTarget, postgres_target
from assets.publish.release_ledger import (
    Event,
    Kind,
    ReleaseLedger,
    SetId,
    hold_publishing,
    last_shown,
    shown_files,
)
from assets.publish.set_database import MartDocs, literal, ordering, write_database
from assets.shared import warehouse
from assets.shared.errors import UserError
from assets.shared.files import sync_path
from assets.shared.settings import Settings
from assets.shared.warehouse import quoted


@dataclass(frozen=True)
class PublishReport:
    """What a publish did. `is_current` is False when the date is older than the one in schema `marts`, which then only
    entered `history`. `table_rows` counts the rows of this date by mart."""

    path: Path
    as_of_date: date
    run_id: str
    is_current: bool
    current_as_of_date: date
    table_rows: Mapping[str, int]
    n_history_dates: int
    n_files_removed: int
    size_bytes: int
    targets: tuple[str, ...] = ("duckdb",)
    warnings: tuple[str, ...] = ()


class NotReleased(UserError):
    """A finished night that is not published. `page` says in Markdown what failed, which rows, and what to do;
    `folder` is where the night is kept."""

    def __init__(self, what: str, remedy: str, page: str, folder: Path):
        super().__init__(what, remedy)
        self.page = page
        self.folder = folder


def publish(
    settings: Settings,
    as_of_date: date,
    run_id: str,
    keys: Mapping[str, Sequence[str]],
    docs: Mapping[str, MartDocs] | None = None,
    forbidden_columns: Collection[str] = (),
    on_step: Callable[[str], None] = lambda step: None,
    keep_sets: int = 1,
) -> PublishReport:
    """Publish the marts named by `keys` (mart to the columns of its key, by which it is sorted) as of `as_of_date`.

    `docs` gives comments by mart; `forbidden_columns` are names that must never be published, such as personal data.
    `on_step` is told each step in words, before it begins. `keep_sets` is how many earlier nights can be rolled back
    to, and how many blocked sets are kept. Publishing the same run twice changes nothing.

    Raises UserError when validate.verdicts has no row for this date and run, when a mart is missing or holds rows of
    another date or run, when a forbidden column would be published, when the published set cannot be read or its folder
    cannot hold a link, or when Postgres fails; NotReleased, a UserError, when the verdict is no or publishing is on
    hold since a rollback. In all of these readers keep what they have.
    """
    if COMMIT_TABLE not in keys:
        raise ValueError(f"{COMMIT_TABLE} must be among the published tables: it says which set is current")
    night = SetId(as_of_date, run_id)
    # The connection is held to the end: it is the lock that keeps a second publish away.
    with warehouse.connect(settings) as con:
        passed, reason, page = _verdict(con, night)
        if not passed:
            # Whatever of it can be looked at is kept; what was never finished only says why.
            _refuse_incomplete(con, night, keys, unless=reason)
        else:
            _refuse_incomplete(con, night, keys)
        _refuse_forbidden(con, keys, forbidden_columns)
        _settle_ledger(con, settings)
        held = hold_publishing(ReleaseLedger(settings).events())
        if not passed or held:
            blocked = _kept_back(
                con, settings, night, keys, docs or {}, keep_sets, reason, page, held if passed else None
            )
            # A server that is away must not hide why the night is blocked; the next command settles.
            with suppress(UserError), postgres_target(settings) as target:
                settle_targets(con, settings, target, keys, docs or {}, on_step)
            raise blocked
        return _publish_from(con, settings, "marts", night, "published", keys, docs or {}, on_step, keep_sets)


def release(
    settings: Settings,
    as_of_date: date,
    run_id: str,
    reason: str,
    by: str,
    keys: Mapping[str, Sequence[str]],
    docs: Mapping[str, MartDocs] | None = None,
    forbidden_columns: Collection[str] = (),
    on_step: Callable[[str], None] = lambda step: None,
    keep_sets: int = 1,
) -> PublishReport:
    """Publish the blocked set of that date and run because the person `by` says so, for `reason`; both are
    written into run_manifest and data_quality of the set, hence into its history, and into the ledger.

    Raises UserError without a reason, when there is no such blocked set, and as `publish` does.
    """
    reason, blocked_set = releasable(settings, as_of_date, run_id, reason)
    night = blocked_set.night
    with warehouse.connect(settings) as con:
        link = CurrentLink(settings.published_db)
        link.folder.mkdir(parents=True, exist_ok=True)
        signed = link.folder / ".releasing.tmp"
        shutil.copyfile(blocked_set.database, signed)
        con.execute(f"attach {literal(signed)} as released")
        try:
            _sign(con, night, by, reason)
            _refuse_forbidden(con, keys, forbidden_columns, "released")
            tables = {table: key for table, key in keys.items() if table in _tables(con, "released")}
            report = _publish_from(
                con, settings, "released.marts", night, "released", tables, docs or {}, on_step, keep_sets, by, reason
            )
        finally:
            con.execute("detach released")
            signed.unlink(missing_ok=True)
        drop_blocked_set(blocked_set)
        return report


def releasable(settings: Settings, as_of_date: date, run_id: str, reason: str) -> tuple[str, BlockedSet]:
    """(the reason on one line, the blocked set) of a release. Raises UserError without a reason or a blocked set."""
    reason = " ".join(reason.split())
    if not reason:
        raise UserError(
            "a release needs a reason, which is recorded for everybody to see",
            'say why these numbers may be shown: --reason "…"',
        )
    return reason, blocked_set_of(settings, SetId(as_of_date, run_id))


def _sign(con: duckdb.DuckDBPyConnection, night: SetId, by: str, reason: str) -> None:
    """Write who released the night, when and why into its own manifest and its list of checks."""
    manifest = {row[0] for row in con.execute(f"describe released.marts.{COMMIT_TABLE}").fetchall()}
    signature = {"verdict": "released", "released_by": by, "release_reason": reason}
    for column, value in signature.items():
        if column in manifest:
            con.execute(f"update released.marts.{COMMIT_TABLE} set {quoted(column)} = ?", [value])
    if "released_at" in manifest:
        con.execute(
            f"update released.marts.{COMMIT_TABLE} set released_at = cast(now() at time zone 'UTC' as timestamp)"
        )
    if "data_quality" in _tables(con, "released"):
        con.execute(
            "insert into released.marts.data_quality (as_of_date, run_id, kind, table_name, rule, severity, passed,"
            " n_checked, n_failed, observed, reason, checked_at)"
            f" values (?, ?, 'release', 'marts.{COMMIT_TABLE}', 'released_by_a_person', 'warning', true, 1, 0, ?, ?,"
            " cast(now() at time zone 'UTC' as timestamp))",
            [night.as_of_date, night.run_id, f"released by {by}", reason],
        )


def _publish_from(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    marts: str,
    night: SetId,
    kind: Kind,
    keys: Mapping[str, Sequence[str]],
    docs: Mapping[str, MartDocs],
    on_step: Callable[[str], None],
    keep_sets: int,
    by: str = "",
    reason: str = "",
) -> PublishReport:
    """Publish the marts in schema `marts` (`catalog.schema` allowed) of the connection."""
    link = CurrentLink(settings.published_db)
    folder = HistoryFolder(settings.published / "history")
    ledger = ReleaseLedger(settings)
    warnings: list[str] = []
    for path in (link.folder, folder.path):
        path.mkdir(parents=True, exist_ok=True)
    with postgres_target(settings, warnings.append) as target:
        settle_targets(con, settings, target, keys, docs, on_step)
        old_set = link.target()
        before, current = _published_now(con, old_set, folder)
        is_current = current is None or night.as_of_date >= current.as_of_date

        files: FilesInForce = {table: dict(dates) for table, dates in before.items()}
        # The commit table comes last: see HistoryFolder.adopted.
        for table in sorted(keys, key=lambda name: (name == COMMIT_TABLE, name)):
            on_step(f"write history of {table}")
            known = before.get(table, {}).get(night.as_of_date)
            files.setdefault(table, {})[night.as_of_date] = _write_history(
                con, folder, f"{marts}.{quoted(table)}", table, keys[table], night, known
            )

        shown = night if is_current else current
        new_set = link.new_file(shown.as_of_date, shown.run_id, shown_files(ledger.events()))
        unfinished = new_set.with_name(f".{new_set.name}.tmp")
        unfinished.unlink(missing_ok=True)
        if not is_current:
            shutil.copyfile(old_set, unfinished)
        on_step("write the database")
        write_database(con, unfinished, folder, files, keys if is_current else {}, docs, on_step, marts)
        sync_path(unfinished)
        unfinished.replace(new_set)
        sync_path(link.folder)

        if target is not None and is_current:
            target.load(con, new_set, shown, keys, docs, on_step)
            on_step("swap Postgres")
            target.swap()
        on_step("swap")
        link.point_at(new_set)
        on_step("record")
        ledger.append(kind, shown, new_set.name, by, reason)

        on_step("remove files that nothing lists")
        kept = _kept_sets(ledger.events(), link.folder, keep_sets) | {new_set} | ({old_set} if old_set else set())
        n_removed = folder.remove_all_but([before, files, *(_listed_by(con, path) for path in kept - {new_set})])
        link.remove_all_but(kept | {link.folder / ".releasing.tmp"})
        if target is not None:
            target.remove_all_but(keep_sets)
        on_step("done")
    return PublishReport(
        path=link.path,
        as_of_date=night.as_of_date,
        run_id=night.run_id,
        is_current=is_current,
        current_as_of_date=shown.as_of_date,
        table_rows={
            table: con.execute(f"select count(*) from {marts}.{quoted(table)}").fetchone()[0] for table in keys
        },
        n_history_dates=len(files[COMMIT_TABLE]),
        n_files_removed=n_removed,
        size_bytes=new_set.stat().st_size,
        targets=("duckdb", "postgres") if settings.publish_postgres else ("duckdb",),
        warnings=tuple(warnings),
    )


def settle_targets(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    target: PostgresTarget | None,
    keys: Mapping[str, Sequence[str]],
    docs: Mapping[str, MartDocs],
    on_step: Callable[[str], None] = lambda step: None,
) -> None:
    """Finish what a killed run left: the ledger gets the set that readers see, Postgres shows the same one."""
    _settle_ledger(con, settings)
    shown_file = CurrentLink(settings.published_db).target()
    if target is not None and shown_file is not None:
        target.show(con, shown_file, night_of(con, shown_file), keys, docs, on_step)


def _settle_ledger(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    ledger, shown_file = ReleaseLedger(settings), CurrentLink(settings.published_db).target()
    if shown_file is None or last_shown(ledger.events()) == shown_file.name:
        return
    kind: Kind = "rolled_back" if shown_file.name in shown_files(ledger.events()) else "published"
    reason = "found shown; the run that showed it died before saying so"
    ledger.append(kind, night_of(con, shown_file), shown_file.name, reason=reason)


def _kept_sets(events: Sequence[Event], folder: Path, keep: int) -> set[Path]:
    """The newest set of each of the last `keep` nights that readers have seen, the shown one included by the caller. A
    night that was published again with a longer history counts once."""
    night_of_file = {event.file: event.shown for event in events if event.file}
    kept: dict[SetId, Path] = {}
    for name in sorted(shown_files(events), key=set_number, reverse=True):
        night = night_of_file[name]
        if (folder / name).exists() and night not in kept and len(kept) <= keep:
            kept[night] = folder / name
    return set(kept.values())


def _kept_back(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    night: SetId,
    keys: Mapping[str, Sequence[str]],
    docs: Mapping[str, MartDocs],
    keep: int,
    reason: str,
    page: str | None,
    held: Event | None,
) -> NotReleased:
    """Keep the night as a blocked set and say why it is not published."""
    release_it = f'holdfast release --as-of {night.as_of_date} --run {night.run_id} --reason "…"'
    if held:
        what = (
            f"publishing is on hold: {held.by or 'somebody'} rolled back to the set as of {held.shown.as_of_date} at"
            f" {held.at}" + (f" ({held.reason})" if held.reason else "")
        )
        page = (
            f"# The night of {night.as_of_date} waits\n\nEvery blocking check passed, but {what}. Readers keep that"
            " set.\n\n## What to do\n\n"
            f"* If the cause of the rollback is mended, show this night: `{release_it}`. This ends the hold.\n"
            "* Or end the hold and run again: `holdfast rollback --resume`.\n"
        )
        remedy = f"when the cause is mended: {release_it}   (or: holdfast rollback --resume, then run again)"
    else:
        what = f"the marts as of {night.as_of_date} did not pass validation: {reason}"
        page = page or f"# The night of {night.as_of_date} is blocked\n\n{reason}\n"
        remedy = (
            "mend what it names and run that date again; readers keep the last complete set. To release it all the"
            f" same, deliberately: {release_it}"
        )

    def write(path: Path) -> None:
        write_database(con, path, HistoryFolder(settings.published / "history"), {}, keys, docs)

    blocked_set = keep_blocked_set(settings, night, page, write, keep)
    ReleaseLedger(settings).append("blocked", night, reason=what)
    remedy += f"\n  the page with everything: {blocked_set.page}\n  the tables, read-only: {blocked_set.database}"
    return NotReleased(what, remedy, page, blocked_set.folder)


def _verdict(con: duckdb.DuckDBPyConnection, night: SetId) -> tuple[bool, str, str | None]:
    """(passed, reason, page) of the newest verdict on this night; the page is None where validation wrote none."""
    try:
        found = con.execute(
            "select * from validate.verdicts where as_of_date = ? and run_id = ? order by decided_at desc limit 1",
            [night.as_of_date, night.run_id],
        )
        names, row = [column[0] for column in found.description], found.fetchone()
    except duckdb.CatalogException:
        row = None
    if row is None:
        raise UserError(
            f"the marts as of {night.as_of_date} made by run {night.run_id} have not been validated",
            f"run the whole job for that date: holdfast run --as-of {night.as_of_date}",
        )
    verdict = dict(zip(names, row, strict=True))
    return verdict["passed"], verdict["reason"], verdict.get("page")


def _refuse_incomplete(con: duckdb.DuckDBPyConnection, night: SetId, tables: Collection[str], unless: str = "") -> None:
    """Raise UserError when a mart is missing or of another night. `unless`: why the night was refused already."""
    remedy = f"run the whole job for that date again: holdfast run --as-of {night.as_of_date}"
    also = f"; besides, validation said: {unless}" if unless else ""
    present = _tables(con)
    if missing := sorted(set(tables) - present):
        raise UserError(f"marts are missing in the working warehouse: {', '.join(missing)}{also}", remedy)
    for table in tables:
        n_strange, n_rows = con.execute(
            "select count(*) filter (where as_of_date is distinct from $1 or run_id is distinct from $2), count(*)"
            f" from marts.{quoted(table)}",
            [night.as_of_date, night.run_id],
        ).fetchone()
        if n_strange or (table == COMMIT_TABLE and n_rows != 1):
            raise UserError(
                f"marts.{table} holds rows of another date or run than {night.as_of_date}, {night.run_id}: it was"
                f" rebuilt since the verdict{also}",
                remedy,
            )


def _refuse_forbidden(
    con: duckdb.DuckDBPyConnection, tables: Collection[str], forbidden_columns: Collection[str], catalog: str = ""
) -> None:
    forbidden = {name.lower() for name in forbidden_columns}
    found = [
        f"{table}.{column}"
        for table, column in con.execute(
            "select table_name, column_name from duckdb_columns()"
            " where database_name = coalesce(nullif(?, ''), current_database()) and schema_name = 'marts' order by all",
            [catalog],
        ).fetchall()
        if table in tables and column.lower() in forbidden
    ]
    if found:
        raise UserError(
            f"personal data would be published: {', '.join(found)}",
            "remove these columns from the marts; readers keep the last complete set",
        )


def _tables(con: duckdb.DuckDBPyConnection, catalog: str = "") -> set[str]:
    rows = con.execute(
        "select table_name from information_schema.tables"
        " where table_catalog = coalesce(nullif(?, ''), current_database()) and table_schema = 'marts'",
        [catalog],
    ).fetchall()
    return {name for (name,) in rows}


def night_of(con: duckdb.DuckDBPyConnection, database: Path) -> SetId:
    """The night in schema `marts` of the set at `database`."""
    with _attached(con, database) as name:
        return _newest(con, name)


def _published_now(
    con: duckdb.DuckDBPyConnection, target: Path | None, folder: HistoryFolder
) -> tuple[FilesInForce, SetId | None]:
    """Files active and the current night of the set that readers have now."""
    if target is None:
        return folder.adopted(), None
    with _attached(con, target) as name:
        return _views(con, name), _newest(con, name)


def _listed_by(con: duckdb.DuckDBPyConnection, database: Path) -> FilesInForce:
    """The history files that the set at `database` lists."""
    with _attached(con, database) as name:
        return _views(con, name)


@contextmanager
def _attached(con: duckdb.DuckDBPyConnection, database: Path) -> Iterator[str]:
    try:
        con.execute(f"attach {literal(database)} as readers (read_only)")
    except duckdb.Error as error:
        raise UserError(
            f"the published database {database} cannot be read: {str(error).splitlines()[0]}",
            "move it away and publish again; the history beside it is kept",
        ) from None
    try:
        yield "readers"
    finally:
        con.execute("detach readers")


def _views(con: duckdb.DuckDBPyConnection, catalog: str) -> FilesInForce:
    views = con.execute(
        "select view_name, sql from duckdb_views() where database_name = ? and schema_name = 'history'", [catalog]
    ).fetchall()
    return listed_files(dict(views))


def _newest(con: duckdb.DuckDBPyConnection, catalog: str) -> SetId:
    return SetId(
        *con.execute(
            f"select as_of_date, run_id from {catalog}.marts.{COMMIT_TABLE} order by as_of_date desc limit 1"
        ).fetchone()
    )


def _write_history(
    con: duckdb.DuckDBPyConnection,
    folder: HistoryFolder,
    mart: str,
    table: str,
    key: Sequence[str],
    night: SetId,
    known: str | None,
) -> str:
    """Write the Parquet file of one mart and return its name; the one active is kept when its rows are the same."""
    if known and is_of_run(known, night.run_id):
        published = f"read_parquet({literal(folder.file(table, known))})"
        if _fingerprint(con, mart) == _fingerprint(con, published):
            return known
    name = folder.new_name(table, night.as_of_date, night.run_id)
    path = folder.file(table, name)
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_name(f".{name}.tmp")
    con.execute(
        f"copy (select * from {mart} order by {ordering(key)}) to {literal(unfinished)}"
        " (format parquet, compression zstd)"
    )
    sync_path(unfinished)
    unfinished.replace(path)
    sync_path(path.parent)
    return name


def _fingerprint(con: duckdb.DuckDBPyConnection, relation: str) -> tuple:
    """Column names, number of rows and an order-independent sum of row hashes."""
    columns = [row[0] for row in con.execute(f"describe select * from {relation}").fetchall()]
    return (columns, *con.execute(f"select count(*), sum(hash(rows)) from {relation} as rows").fetchone())
