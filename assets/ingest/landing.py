"""The life of one file: found, read, converted, counted, written as a batch with its quarantine, recorded.

In: `Extract`s (one file or table of a source, with the mapping to read it by). Out: `Batch`es on disk. Rows in are
always rows accepted plus rows quarantined plus rows left out on purpose; that is checked for each batch before it is
put in place. A file that is unusable as a whole is recorded as a refusal and stops no other one. Which files a source
has (`sources`), and the tables made from the batches (`raw_views`), do not belong here.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import duckdb

from assets.ingest.batch_files import Counts, count_converted, write_accepted, write_quarantined
from assets.ingest.batches import (
    Batch,
    Content,
    as_new,
    deliver_again,
    reactivate_batch,
    read_all_batches,
    supersede_batch,
    write_batch,
)
from assets.ingest.conversion import convert_records
from assets.ingest.engine import landing_connection
from assets.ingest.erased_persons import leave_out_erased
from assets.ingest.extracts import Extract, content_of, refuse_unfinished
from assets.ingest.full_exports import Compared, compare_export, covered
from assets.ingest.known_content import KnownContent
from assets.ingest.lost_columns import refuse_lost, refuse_retyped
from assets.ingest.mapping.text_layout import is_parquet
from assets.ingest.personal_ids import refuse_personal_ids
from assets.ingest.records.reading import count_records
from assets.ingest.records.records import Records
from assets.ingest.records.typed import damaged_parquet
from assets.ingest.refusals import FileRefused, Refusal, record_refusals, refusal
from assets.ingest.succession import Succession, corrected_by
from assets.shared.settings import Settings

Progress = Callable[[str], None]


def land_file(
    con: duckdb.DuckDBPyConnection, settings: Settings, extract: Extract, content: Content, others: Sequence[Batch] = ()
) -> Batch:
    """Read one file, convert its rows, and put them in place as a batch: the accepted ones and, with its reason each,
    the quarantined ones. `others`: the batches of its table that count until then. Raises FileRefused when the file is
    unusable as a whole."""
    try:
        records = extract.read(con)
        refuse_retyped(records, extract.canonical, extract.table)
        convert_records(con, records, extract.canonical, extract.table, extract.reading(content.batch_id))
        n_erased = leave_out_erased(con, settings, extract.canonical)
        counts = count_converted(con, extract.canonical)
        _require_every_row(con, records, counts)
        refuse_lost(con, extract.file, extract.canonical, counts.rows_in)
        refuse_personal_ids(con, extract.file, extract.table)
        compared = Compared(0, 0)
        if extract.table.delivery == "full":
            compared = compare_export(con, settings, extract.file, counts.days, others)
        # What was hashed must be what was read.
        refuse_unfinished(extract)
        batch = replace(_batch(extract, content, records, counts), rows_erased=n_erased, **compared._asdict())
        write_batch(
            settings,
            batch,
            lambda path: write_accepted(con, batch, path),
            lambda path: write_quarantined(con, batch, path),
        )
    except duckdb.Error as error:
        if is_the_files_fault(extract, error):
            raise damaged_parquet(extract.file, error) from None
        raise
    return batch


def land_extracts(extracts: Sequence[Extract], settings: Settings, progress: Progress = lambda _: None) -> list[Batch]:
    """Land every extract that is not landed yet, in the given order; later ones win where staging finds one row twice.

    Returns one batch an extract that is landed (the same content under two names gives the same batch twice), `is_new`
    for those that this call landed. What a batch replaces, by a newer mapping of the same content, by new content of
    the same file, or as its correction, is superseded. Files that cannot be used are recorded (`refusals`) and the
    others go on. Raises UserError, the first refusal, when a source is then left without any transactions.
    """
    return _Landing(settings, extracts, progress).land_all()


class _Landing:
    """One call of `land_extracts`: the batches that are known so far, and the files that were refused."""

    def __init__(self, settings: Settings, extracts: Sequence[Extract], progress: Progress):
        self._settings, self._extracts, self._progress = settings, extracts, progress
        sources = {extract.source for extract in extracts}
        self._known = {b.batch_id: b for b in read_all_batches(settings, sources)}
        self._refused: list[Refusal] = []

    def land_all(self) -> list[Batch]:
        offered = self._offered()
        hashes = {content.sha256 for _, content in offered}
        tables = {(e.source, e.entity): e for e in self._extracts}
        with landing_connection(self._settings) as con:
            landed = [self._land(con, extract, content, hashes) for extract, content in offered]
            for extract in tables.values():
                self._apply_corrections(extract)
        record_refusals(self._settings, tables, self._refused)
        self._stop_without_transactions()
        return [batch for batch in landed if batch is not None]

    def _offered(self) -> list[tuple[Extract, Content]]:
        """The extracts that can be opened, with what they hold."""
        offered = []
        known_content = KnownContent.of_home(self._settings)
        for extract in self._extracts:
            try:
                offered.append((extract, content_of(extract, known_content)))
            except FileRefused as error:
                self._refuse(extract, error)
        known_content.save()
        return offered

    def _land(
        self, con: duckdb.DuckDBPyConnection, extract: Extract, content: Content, offered: set[str]
    ) -> Batch | None:
        """Land one extract, or find that it is landed already; None when it is refused."""
        others = [b for b in self._active(extract) if b.batch_id != content.batch_id]
        succession = Succession(extract, content, others, offered)
        try:
            superseded = succession.superseded()
            known = self._known.get(content.batch_id)
            if known is None:
                batch = self._land_new(con, extract, content, [b for b in others if b not in superseded])
            else:
                batch = self._deliver_known(succession, known, superseded)
        except FileRefused as error:
            self._refuse(extract, error, content)
            return None
        self._known[batch.batch_id] = batch
        if extract.table.delivery == "full" and batch.counts_at():
            superseded += [b for b in covered(batch, others) if b not in superseded]
        for old in superseded:
            self._known[old.batch_id] = supersede_batch(self._settings, old)
        return batch if known is not None else as_new(batch)

    def _land_new(
        self, con: duckdb.DuckDBPyConnection, extract: Extract, content: Content, others: Sequence[Batch]
    ) -> Batch:
        self._progress(f"landing {extract.source}: {extract.file} as {extract.entity}")
        batch = land_file(con, self._settings, extract, content, others)
        refused = f", {batch.rows_quarantined:,} quarantined" if batch.rows_quarantined else ""
        refused += f", {batch.rows_left_out:,} left out" if batch.rows_left_out else ""
        refused += f", {batch.rows_erased:,} of them of persons who are erased" if batch.rows_erased else ""
        self._progress(f"landed {batch.rows_accepted:,} of {batch.rows_in:,} rows{refused} (batch {batch.batch_id})")
        if batch.rows_replaced:
            self._progress(
                f"{extract.file} takes the place of {batch.rows_replaced:,} rows of its days, {batch.rows_gone:,} of"
                " which it does not hold any more"
            )
        return batch

    def _deliver_known(self, succession: Succession, batch: Batch, superseded: list[Batch]) -> Batch:
        """Content that was landed before is offered again: it counts again where it was superseded, and wins over what
        its file held in between, which is added to `superseded` where the file has versions."""
        extract = succession.extract
        undone = [b for b in succession.undone(batch) if b not in superseded]
        if extract.table.version_key(extract.file) is not None:
            superseded += undone
        if extract.table.delivery == "full" and not batch.counts_at():
            # An older export that still lies there stays superseded; one that its file holds again is the newest.
            return reactivate_batch(self._settings, batch) if undone else batch
        left = [b for b in succession.others if b not in superseded]
        if not batch.counts_at() and corrected_by(extract, batch, left) is None:
            return reactivate_batch(self._settings, batch)
        if batch.counts_at() and undone:
            batch = deliver_again(self._settings, batch, undone)
            self._progress(f"{extract.file} holds again what it held before: its rows win over what came between")
        return batch

    def _apply_corrections(self, extract: Extract) -> None:
        """Of several versions of one delivery only the last counts, whichever came first."""
        if not extract.table.corrects:
            return
        own = self._active(extract)
        for batch in own:
            newer = corrected_by(extract, batch, own)
            if newer is not None:
                self._known[batch.batch_id] = supersede_batch(self._settings, batch)
                self._progress(f"{newer.file} corrects {batch.file}, which no longer counts")

    def _active(self, extract: Extract) -> list[Batch]:
        """The batches of the extract's table that count now."""
        table = (extract.source, extract.entity)
        return [b for b in self._known.values() if (b.source, b.entity) == table and b.counts_at()]

    def _refuse(self, extract: Extract, error: FileRefused, content: Content | None = None) -> None:
        found = refusal(extract.source, extract.entity, extract.file, error, content, hide=extract.paths)
        self._refused.append(found)
        waits = "waiting for" if found.is_waiting else "REFUSED"
        self._progress(f"{waits} {extract.source}: {found.reason}; {found.remedy}")

    def _stop_without_transactions(self) -> None:
        """Nothing can go on for a source that has no transactions at all: its first refusal is the run's error."""
        have = {b.source for b in self._known.values() if b.entity == "transactions" and b.counts_at()}
        for found in self._refused:
            if found.entity == "transactions" and found.source not in have:
                raise FileRefused(found.rule, found.reason, found.remedy)


def _require_every_row(con: duckdb.DuckDBPyConnection, records: Records, counts: Counts) -> None:
    """Each row of the file was converted, whatever became of it."""
    counted = count_records(con, records)
    if counted != counts.rows_in:
        raise RuntimeError(f"{records.file}: {counted} rows in the file, but {counts.rows_in} rows converted")


def _batch(extract: Extract, content: Content, records: Records, counts: Counts) -> Batch:
    """The ledger's entry of a file that was landed just now."""
    now = datetime.now(UTC).replace(tzinfo=None)
    return Batch(
        batch_id=content.batch_id,
        source=extract.source,
        entity=extract.entity,
        file=extract.file,
        size_bytes=content.size_bytes,
        sha256=content.sha256,
        mapping=extract.mapping,
        rows_in=counts.rows_in,
        rows_accepted=counts.rows_accepted,
        rows_quarantined=counts.rows_in - counts.rows_accepted - counts.rows_left_out,
        rows_left_out=counts.rows_left_out,
        first_occurred_at=counts.first_occurred_at,
        last_occurred_at=counts.last_occurred_at,
        loaded_at=now,
        has_channel=counts.has_channel,
        days=counts.days,
        columns=records.columns,
        is_text=records.is_text,
        replaces=extract.table.replaces,
        amount_scales=extract.table.amount_scales,
        periods=((now, None),),
    )


def is_the_files_fault(extract: Extract, error: duckdb.Error) -> bool:
    """A damaged page shows only when it is read. Memory and disk are never the file's fault."""
    ours = (duckdb.OutOfMemoryException, duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
    if isinstance(error, ours) or any(w in str(error) for w in ("No space left", "could not write", "Could not write")):
        return False
    return len(extract.paths) == 1 and is_parquet(extract.paths[0], extract.table)
