"""The published set: what BI tools and retention teams open, replaced as a whole.

In: a night's marts, or the file of an earlier set. Out: `published/holdfast.duckdb` with schema `marts` (the newest
as-of date, native tables sorted by key) and schema `history` (the same tables over all dates, views on one immutable
Parquet file a date); where the settings name one, the same marts in Postgres. Which night may be shown does not belong
here (`publication`, `releases`, `rollback`), nor what the marts mean.

A reader who has the old set open keeps it; one who opens now gets the new one (`current_link` says how). Until then,
and when anything fails or is killed, the old set is complete and untouched. Nothing is ever written into a file that a
reader may have open, so no reader meets a lock.

Two targets cannot change in one instant. Postgres goes first, because it is the one that can fail: when it is away or
refuses, nothing is published at all. A run that dies between the two leaves Postgres one set ahead; the link says what
is published, so every later publish, release and rollback first makes Postgres show that set (`settle`).
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from assets.publish.current_link import CurrentLink, set_number
from assets.publish.history_files import COMMIT_TABLE, HistoryFolder
from assets.publish.marts import Marts
from assets.publish.postgres_target import PostgresTarget, postgres_target
from assets.publish.release_ledger import Event, Kind, ReleaseLedger, SetId, last_shown, shown_files
from assets.publish.set_database import set_database
from assets.shared.errors import UserError
from assets.shared.files import replacing
from assets.shared.published_history import ActiveFiles, listed_files
from assets.shared.quoting import literal
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_row, fetch_value

Step = Callable[[str], None]


@dataclass(frozen=True)
class PublishReport:
    """What a publish did. `is_current` is False when the date is older than the one in schema `marts`, which then only
    entered `history`. `table_rows` counts the rows of this date by mart."""

    path: Path
    as_of_date: date
    run_id: str
    is_current: bool
    current_as_of_date: date
    table_rows: dict[str, int]
    n_history_dates: int
    n_files_removed: int
    size_bytes: int
    targets: tuple[str, ...] = ("duckdb",)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Signature:
    """Under what name a set enters the ledger: as what, by whom and why where a person says so."""

    kind: Kind
    by: str = ""
    reason: str = ""


#: A night whose checks passed is published without a person.
BY_ITSELF = Signature("published")


@contextmanager
def open_published_set(
    con: duckdb.DuckDBPyConnection, settings: Settings, marts: Marts, on_step: Step = lambda step: None
) -> Iterator["PublishedSet"]:
    """The published set of the home, settled. `con` is a connection to the working warehouse: held to the end, it is
    the lock that keeps a second publish away. `on_step` is called with each step in words, before it begins.

    Raises UserError when the published database cannot be read, or Postgres cannot be reached or refuses.
    """
    warnings: list[str] = []
    with postgres_target(settings, marts, on_step, warnings.append) as target:
        published = PublishedSet(con, settings, marts, target, on_step, warnings)
        published.settle()
        yield published


class PublishedSet:
    """What readers of one home see, in every target, and the only thing that changes it."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        settings: Settings,
        marts: Marts,
        target: PostgresTarget | None,
        on_step: Step,
        warnings: Sequence[str],
    ):
        self._con, self._marts, self._target, self._on_step, self._warnings = con, marts, target, on_step, warnings
        self.link = CurrentLink(settings.published_db)
        self.ledger = ReleaseLedger(settings)
        self._history = HistoryFolder(settings.published / "history")

    def settle(self) -> None:
        """Finish what a killed run left: the ledger gets the set that readers see, Postgres shows the same one."""
        settle_ledger(self._con, self.link, self.ledger)
        shown_file = self.link.target()
        if self._target is not None and shown_file is not None:
            self._target.show(self._con, shown_file, night_of(self._con, shown_file))

    def show_night(self, night: SetId, signature: Signature, keep_sets: int) -> PublishReport:
        """Publish the marts as of `night`, and keep the sets of `keep_sets` nights before. A night older than the shown
        one enters the history only. The same rows twice change nothing."""
        for folder in (self.link.folder, self._history.path):
            folder.mkdir(parents=True, exist_ok=True)
        old_set = self.link.target()
        before, current = self._published_now(old_set)
        is_current = current is None or night.as_of_date >= current.as_of_date
        shown = night if current is None or night.as_of_date >= current.as_of_date else current

        files = self._history.write_night(self._con, self._marts, night, before, self._on_step)
        new_set = self._write_set(shown, files, None if is_current else old_set)
        if self._target is not None and is_current:
            self._target.load(self._con, new_set, shown)
            self._on_step("swap Postgres")
            self._target.swap()
        self._switch(new_set, shown, signature)
        n_removed = self._clear(new_set, old_set, [before, files], keep_sets)
        return PublishReport(
            path=self.link.path,
            as_of_date=night.as_of_date,
            run_id=night.run_id,
            is_current=is_current,
            current_as_of_date=shown.as_of_date,
            table_rows=self._rows(),
            n_history_dates=len(files[COMMIT_TABLE]),
            n_files_removed=n_removed,
            size_bytes=new_set.stat().st_size,
            targets=("duckdb",) if self._target is None else ("duckdb", "postgres"),
            warnings=tuple(self._warnings),
        )

    def show_file(self, database: Path, signature: Signature) -> None:
        """Show a set that is kept, in every target."""
        night = night_of(self._con, database)
        if self._target is not None:
            self._target.show(self._con, database, night)
        self._switch(database, night, signature)

    def _published_now(self, shown_file: Path | None) -> tuple[ActiveFiles, SetId | None]:
        """The active files and the night of the set that readers have now."""
        if shown_file is None:
            return self._history.adopted(), None
        with _attached(self._con, shown_file) as catalog:
            return _listed(self._con, catalog), _night(self._con, catalog)

    def _write_set(self, shown: SetId, files: ActiveFiles, old_set: Path | None) -> Path:
        """Write the database of a new set: its marts from `old_set`, or from tonight's."""
        new_set = self.link.new_file(shown.as_of_date, shown.run_id, shown_files(self.ledger.events()))
        with replacing(new_set) as unfinished:
            if old_set is not None:
                shutil.copyfile(old_set, unfinished)
            self._on_step("write the database")
            with set_database(self._con, unfinished) as database:
                if old_set is None:
                    database.write_marts(self._marts, self._on_step)
                database.write_history(self._history.paths(files), self._marts)
        return new_set

    def _switch(self, database: Path, night: SetId, signature: Signature) -> None:
        self._on_step("swap")
        self.link.point_at(database)
        self._on_step("record")
        self.ledger.append(signature.kind, night, database.name, signature.by, signature.reason)

    def _clear(self, new_set: Path, old_set: Path | None, files: list[ActiveFiles], keep_sets: int) -> int:
        """Remove sets and files that nothing lists any more, in every target; returns how many files."""
        self._on_step("remove files that nothing lists")
        kept = _kept_sets(self.ledger.events(), self.link.folder, keep_sets) | {new_set}
        kept |= {old_set} if old_set is not None else set()
        n_removed = self._history.remove_all_but([*files, *(self._listed_by(path) for path in kept - {new_set})])
        self.link.remove_all_but(kept)
        if self._target is not None:
            self._target.remove_all_but(keep_sets)
        self._on_step("done")
        return n_removed

    def _listed_by(self, database: Path) -> ActiveFiles:
        """The history files that the set at `database` lists."""
        with _attached(self._con, database) as catalog:
            return _listed(self._con, catalog)

    def _rows(self) -> dict[str, int]:
        return {
            table: fetch_value(self._con, f"select count(*) from {self._marts.relation(table)}")
            for table in self._marts.tables
        }


def settle_ledger(con: duckdb.DuckDBPyConnection, link: CurrentLink, ledger: ReleaseLedger) -> None:
    """Record the set that readers see where the run that showed it died before saying so."""
    shown_file = link.target()
    if shown_file is None or last_shown(ledger.events()) == shown_file.name:
        return
    kind: Kind = "rolled_back" if shown_file.name in shown_files(ledger.events()) else "published"
    reason = "found shown; the run that showed it died before saying so"
    ledger.append(kind, night_of(con, shown_file), shown_file.name, reason=reason)


def night_of(con: duckdb.DuckDBPyConnection, database: Path) -> SetId:
    """The night in schema `marts` of the set at `database`. Raises UserError when it cannot be read."""
    with _attached(con, database) as catalog:
        return _night(con, catalog)


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


@contextmanager
def _attached(con: duckdb.DuckDBPyConnection, database: Path) -> Iterator[str]:
    try:
        con.execute(f"attach {literal(database)} as readers (read_only)")
    except duckdb.Error as error:
        raise UserError(
            f"the published database {database} cannot be read: {str(error).splitlines()[0]}",
            "move it away and publish again; the history next to it is kept",
        ) from None
    try:
        yield "readers"
    finally:
        con.execute("detach readers")


def _listed(con: duckdb.DuckDBPyConnection, catalog: str) -> ActiveFiles:
    views = con.execute(
        "select view_name, sql from duckdb_views() where database_name = ? and schema_name = 'history'", [catalog]
    ).fetchall()
    return listed_files(dict(views))


def _night(con: duckdb.DuckDBPyConnection, catalog: str) -> SetId:
    return SetId(
        *fetch_row(
            con, f"select as_of_date, run_id from {catalog}.marts.{COMMIT_TABLE} order by as_of_date desc limit 1"
        )
    )
