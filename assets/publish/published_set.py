"""The published set: what BI tools and retention teams open, replaced as a whole.

In: a night's marts, or an earlier set. Out: `published/holdfast.duckdb` with schema `marts` (the newest as-of date,
native tables sorted by key) and schema `history` (the same tables over all dates, views on one immutable Parquet file
a date); where the settings name one, the same marts in Postgres. Which night may be shown does not belong here
(`publication`, `releases`, `rollback`), nor what the marts mean.

A reader who has the old set open keeps it; one who opens now gets the new one (`current_link` says how). Until then,
and when anything fails or is killed, the old set is complete and untouched. Nothing is ever written into a file that a
reader may have open, and no database that readers see is opened here: what earlier sets hold is read from their
`set.json` and from Parquet files. So no reader meets a lock of a night, and no night one of a reader.

Two targets cannot change in one instant. Postgres goes first, because it is the one that can fail: when it is away or
refuses, nothing is published at all. A run that dies between the two leaves Postgres one set ahead; the link says what
is published, so every later publish, release and rollback first makes Postgres show that set (`settle`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from assets.publish.current_link import CurrentLink, set_number
from assets.publish.exports import export_night, withdraw_after
from assets.publish.history_files import COMMIT_TABLE, HistoryFolder, without_old_persons
from assets.publish.marts import Marts
from assets.publish.morning.facts import TABLES
from assets.publish.morning.page import PAGE, morning_page
from assets.publish.postgres_target import PostgresTarget, postgres_target
from assets.publish.release_ledger import Event, Kind, ReleaseLedger, SetId, last_shown, shown_sets
from assets.publish.set_database import set_database
from assets.shared.files import make_read_only, new_folder
from assets.shared.published_history import (
    DATABASE,
    ActiveFiles,
    SetContents,
    read_contents,
    write_contents,
)
from assets.shared.quoting import path_literal
from assets.shared.retention import periods_of
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_value

#: The mart that says whom to contact.
PLAN_TABLE = "retention_actions"

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
    #: Contacts in the export file of each channel.
    exported: Mapping[str, int] = field(default_factory=dict)


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

    Raises UserError when the contents of the published set cannot be read, or Postgres cannot be reached or refuses.
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
        warnings: list[str],
    ):
        self._con, self._marts, self._target, self._on_step, self._warnings = con, marts, target, on_step, warnings
        self.link = CurrentLink(settings)
        self.ledger = ReleaseLedger(settings)
        self._settings = settings
        self._published = settings.published
        self._history = HistoryFolder(settings.published / "history")

    def settle(self) -> None:
        """Finish what a killed run left: the ledger gets the set that readers see, Postgres shows the same one. Say so
        where somebody has written into that set."""
        settle_ledger(self.link, self.ledger)
        shown = self.link.target()
        if shown is None:
            return
        if self.link.is_changed():
            self._warnings.append(
                f"the published database {shown / DATABASE} was changed after it was published, by a program that"
                " opened it for writing: what readers saw since may be wrong. The history next to it is as it was, and"
                " the next publish replaces the database. Let that program open it read-only"
            )
        if self._target is not None:
            contents = read_contents(shown)
            self._target.show(self._con, contents.marts(self._published), night_of(contents))

    def show_night(self, night: SetId, signature: Signature, keep_sets: int) -> PublishReport:
        """Publish the marts as of `night`, and keep the sets of `keep_sets` nights before. A night older than the shown
        one enters the history only. The same rows twice change nothing."""
        for folder in (self.link.folder, self._history.path):
            folder.mkdir(parents=True, exist_ok=True)
        old_set = self.link.target()
        old = None if old_set is None else read_contents(old_set)
        before = self._history.adopted() if old is None else old.files
        current = None if old is None else night_of(old)
        is_current = current is None or night.as_of_date >= current.as_of_date
        shown = night if current is None or night.as_of_date >= current.as_of_date else current

        files = self._history.write_night(self._con, self._marts, night, before, self._on_step)
        days = periods_of(self._settings.home)["history"].days
        files = without_old_persons(files, self._marts, shown.as_of_date, days)
        new_set = self._write_set(shown, files, is_current)
        if self._target is not None and is_current:
            self._target.load(self._con, read_contents(new_set).marts(self._published), shown)
            self._on_step("swap Postgres")
            self._target.swap()
        self._switch(new_set, shown, signature)
        exported: Mapping[str, int] = {}
        if is_current and PLAN_TABLE in self._marts.tables:
            exported = self._export(self._marts.relation(PLAN_TABLE), night)
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
            size_bytes=(new_set / DATABASE).stat().st_size,
            targets=("duckdb",) if self._target is None else ("duckdb", "postgres"),
            warnings=tuple(self._warnings),
            exported=exported,
        )

    def show_set(self, folder: Path, signature: Signature) -> None:
        """Show a set that is kept, in every target."""
        contents = read_contents(folder)
        if self._target is not None:
            self._target.show(self._con, contents.marts(self._published), night_of(contents))
        self._switch(folder, night_of(contents), signature)
        withdraw_after(self._con, self._settings, contents.as_of_date, self._target)
        plan = contents.marts(self._published).get(PLAN_TABLE)
        # The day of an earlier night is over, unless its files are those that a sender finds now.
        if plan is not None and (self._settings.exports / contents.as_of_date.isoformat()).exists():
            self._export(f"read_parquet({path_literal(plan)})", night_of(contents))

    def _export(self, plan: str, night: SetId) -> Mapping[str, int]:
        """Say what is to be sent, now that the plan is public. A run as known earlier is about a day that is over."""
        if self._settings.raw_home is not None:
            return {}
        self._on_step("export the contacts")
        return export_night(self._con, self._settings, plan, night, self._target)

    def _write_set(self, shown: SetId, files: ActiveFiles, is_tonight: bool) -> Path:
        """Write a new set: its marts are tonight's, or those of the history as of the night that is shown."""
        new_set = self.link.new_set(shown.as_of_date, shown.run_id, shown_sets(self.ledger.events()))
        with new_folder(new_set) as unfinished:
            self._on_step("write the database")
            with set_database(self._con, unfinished / DATABASE) as database:
                if is_tonight:
                    database.write_marts(self._marts, self._on_step)
                else:
                    held = SetContents(shown.as_of_date, shown.run_id, files, "")
                    database.write_files(held.marts(self._published), self._marts)
                database.write_history(self._published, self._history.paths(files), self._marts)
            make_read_only(unfinished / DATABASE)
            if self._marts.tables.keys() >= TABLES:
                self._on_step("write the morning page")
                self._write_page(unfinished)
            write_contents(unfinished, shown.as_of_date, shown.run_id, files)
        return new_set

    def _write_page(self, folder: Path) -> None:
        """The morning page of a set whose database is written. A night of an earlier version, which somebody releases
        now, may lack a column that the page shows; readers get its tables all the same."""
        with duckdb.connect(str(folder / DATABASE), read_only=True) as finished:
            try:
                (folder / PAGE).write_text(morning_page(finished), encoding="utf-8")
            except duckdb.BinderException as missing:
                self._warnings.append(f"this set has no morning page, its tables are of an earlier version: {missing}")

    def _switch(self, folder: Path, night: SetId, signature: Signature) -> None:
        self._on_step("swap")
        self.link.point_at(folder)
        self._on_step("record")
        self.ledger.append(signature.kind, night, folder.name, signature.by, signature.reason)

    def _clear(self, new_set: Path, old_set: Path | None, files: list[ActiveFiles], keep_sets: int) -> int:
        """Remove sets and files that nothing lists any more, in every target; returns how many files."""
        self._on_step("remove files that nothing lists")
        kept = _kept_sets(self.ledger.events(), self.link.folder, keep_sets) | {new_set}
        kept |= {old_set} if old_set is not None else set()
        n_removed = self._history.remove_all_but([*files, *(read_contents(path).files for path in kept - {new_set})])
        self.link.remove_all_but(kept)
        if self._target is not None:
            self._target.remove_all_but(keep_sets)
        self._on_step("done")
        return n_removed

    def _rows(self) -> dict[str, int]:
        return {
            table: fetch_value(self._con, f"select count(*) from {self._marts.relation(table)}")
            for table in self._marts.tables
        }


def settle_ledger(link: CurrentLink, ledger: ReleaseLedger) -> None:
    """Record the set that readers see where the run that showed it died before saying so."""
    shown = link.target()
    if shown is None or last_shown(ledger.events()) == shown.name:
        return
    kind: Kind = "rolled_back" if shown.name in shown_sets(ledger.events()) else "published"
    reason = "found shown; the run that showed it died before saying so"
    ledger.append(kind, night_of(read_contents(shown)), shown.name, reason=reason)


def night_of(contents: SetContents) -> SetId:
    """The night in schema `marts` of a set."""
    return SetId(contents.as_of_date, contents.run_id)


def _kept_sets(events: Sequence[Event], folder: Path, keep: int) -> set[Path]:
    """The newest set of each of the last `keep` nights that readers have seen, the shown one included by the caller. A
    night that was published again with a longer history counts once."""
    night_of_set = {event.file: event.shown for event in events if event.file}
    kept: dict[SetId, Path] = {}
    for name in sorted(shown_sets(events), key=set_number, reverse=True):
        night = night_of_set[name]
        if (folder / name).exists() and night not in kept and len(kept) <= keep:
            kept[night] = folder / name
    return set(kept.values())
