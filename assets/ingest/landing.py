"""From a file to a batch: read, convert, write what is accepted, keep what is refused, put both in place.

In: `Extract`s (one file or table of a source, with the mapping to read it by). Out: `Batch`es on disk. Rows in are
always rows accepted plus rows quarantined; that is checked for each batch before it is put in place. A file that is
unusable as a whole is recorded as a refusal and stops no other one. Which files a source has (`sources`), and the
tables made from the batches (`raw_views`), do not belong here.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol

import duckdb

from assets.ingest.batches import (
    Batch,
    as_new,
    batch_identity,
    deliver_again,
    reactivate_batch,
    read_all_batches,
    read_batches,
    supersede_batch,
    write_batch,
)
from assets.ingest.canonical import ENTITIES, Entity
from assets.ingest.conversion import Reading, convert_records, is_keyed
from assets.ingest.known_content import KnownContent
from assets.ingest.mapping import TableMapping
from assets.ingest.records import Records, count_records, damaged_parquet, is_parquet, read_records
from assets.ingest.refusals import FileRefused, Refusal, record_refusals, refusal
from assets.shared.quoting import literal, literals
from assets.shared.settings import Settings
from assets.shared.warehouse import configure

Progress = Callable[[str], None]


class RecordReader(Protocol):
    """Makes the views `records` and `record_texts` on a connection (see `records`)."""

    def __call__(self, con: duckdb.DuckDBPyConnection, max_rows: int | None = None) -> Records: ...


@dataclass(frozen=True)
class Extract:
    """One file (or, of the built-in source, a few that make one table) to be landed as one batch."""

    source: str
    entity: str
    file: str
    paths: tuple[Path, ...]
    table: TableMapping
    mapping: str
    read: RecordReader
    time_zone: str | None = None
    currency: str | None = None
    #: size and time of change when the file was found; None where it cannot change (a package's own files, a pull)
    seen: tuple[int, int] | None = None
    #: a file that is not even to be opened: it is not complete yet, or not one of the source's own
    refused: FileRefused | None = None

    def reading(self, batch_id: str) -> Reading:
        return Reading(batch_id=batch_id, time_zone=self.time_zone, currency=self.currency)


def file_extract(
    source: str,
    entity: str,
    path: Path,
    label: str,
    table: TableMapping,
    mapping: str,
    time_zone: str | None,
    currency: str | None,
) -> Extract:
    """An extract of one file on disk."""

    def read(con: duckdb.DuckDBPyConnection, max_rows: int | None = None) -> Records:
        return read_records(con, path, label, table, max_rows)

    try:
        seen = file_state(path)
    except OSError:
        seen = None
    return Extract(source, entity, label, (path,), table, mapping, read, time_zone, currency, seen)


@contextmanager
def landing_connection(settings: Settings | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine of its own, in memory and spilling into the home folder, so that the warehouse stays closed."""
    con = duckdb.connect()
    try:
        if settings is not None:
            configure(con, settings)
            # The engine makes the last folder only, and only when memory runs out.
            settings.raw.mkdir(parents=True, exist_ok=True)
            con.execute("set temp_directory = ?", [str(settings.raw / ".spill")])
        con.execute("set TimeZone = 'UTC'")
        # Landing a large file takes seconds; the engine's own bar would run through whatever we print.
        con.execute("set enable_progress_bar = false")
        yield con
    finally:
        con.close()


#: A file of at least so many rows of which most lack one required column, or cannot be read in it, is no file with bad
#: rows: the column was lost or became something else.
RETYPED_FROM_ROWS, RETYPED_SHARE = 20, 0.5


def land_extracts(extracts: Sequence[Extract], settings: Settings, progress: Progress = lambda _: None) -> list[Batch]:
    """Land every extract that is not landed yet, in the given order; later ones win where staging finds one row twice.

    Returns one batch an extract that is landed (the same content under two names gives the same batch twice), `is_new`
    for those that this call landed. What a batch replaces, by a newer mapping of the same content, by new content of
    the same file, or as its correction, is superseded. Files that cannot be used are recorded (`refusals`) and the
    others go on. Raises UserError, the first refusal, when a source is then left without any transactions.
    """
    known = {b.batch_id: b for b in read_all_batches(settings, {extract.source for extract in extracts})}
    landed: list[Batch] = []
    refused: list[Refusal] = []
    offered: list[tuple[Extract, str, int]] = []
    known_content = _known_content(settings)
    for extract in extracts:
        try:
            offered.append((extract, *_identified(extract, known_content)))
        except FileRefused as error:
            refused.append(_refused(extract, error, None, None, progress))
    known_content.save()
    content = {sha256 for _, sha256, _ in offered}
    with landing_connection(settings) as con:
        for extract, sha256, size in offered:
            batch_id = batch_identity(sha256, extract.mapping)
            others = [
                b
                for b in known.values()
                if (b.source, b.entity) == (extract.source, extract.entity) and b.batch_id != batch_id and b.counts_at()
            ]
            try:
                superseded = [b for b in others if b.sha256 == sha256]
                superseded += _superseded_by_change(extract, sha256, others, content)
                if batch_id not in known:
                    progress(f"landing {extract.source}: {extract.file} as {extract.entity}")
                    batch = _land(con, extract, settings, batch_id, sha256, size)
                    landed.append(as_new(batch))
                    progress(_summary(batch))
                else:
                    batch = known[batch_id]
                    undone = [b for b in _undone(extract, batch, others, content) if b not in superseded]
                    if _version_key(extract, extract.file) is not None:
                        superseded += undone
                    left = [b for b in others if b not in superseded]
                    if not batch.counts_at() and _corrected_by(extract, batch, left) is None:
                        batch = reactivate_batch(settings, batch)
                    elif batch.counts_at() and undone:
                        batch = deliver_again(settings, batch, undone)
                        progress(f"{extract.file} holds again what it held before: its rows win over what came between")
                    landed.append(batch)
                known[batch_id] = batch
            except FileRefused as error:
                refused.append(_refused(extract, error, sha256, size, progress))
                continue
            for old in superseded:
                known[old.batch_id] = supersede_batch(settings, old)
        for extract in {(e.source, e.entity): e for e in extracts}.values():
            _apply_corrections(settings, extract, known, progress)
    record_refusals(settings, {(e.source, e.entity) for e in extracts}, refused)
    _stop_without_transactions(extracts, known, refused)
    return landed


def _refused(extract: Extract, error: FileRefused, sha256: str | None, size: int | None, progress: Progress) -> Refusal:
    found = refusal(extract.source, extract.entity, extract.file, error, sha256, size, hide=extract.paths)
    progress(f"{'waiting for' if found.is_waiting else 'REFUSED'} {extract.source}: {found.reason}; {found.remedy}")
    return found


def _stop_without_transactions(
    extracts: Sequence[Extract], known: dict[str, Batch], refused: Sequence[Refusal]
) -> None:
    """Nothing can go on for a source that has no transactions at all: its first refusal is the run's error."""
    have = {b.source for b in known.values() if b.entity == "transactions" and b.counts_at()}
    for found in refused:
        if found.entity == "transactions" and found.source not in have:
            raise FileRefused(found.rule, found.reason, found.remedy)


# -- Which batch takes whose place ----------------------------------------------------------------------------------


def _version_key(extract: Extract, file: str) -> str | None:
    """What the versions of one delivery share, by the table's pattern `corrects`; None for a file outside of it."""
    found = re.search(extract.table.corrects, file) if extract.table.corrects else None
    return found.group(1) if found else None


def _version(batch: Batch) -> tuple:
    """Order of the versions of one delivery: by name, numbers by their value, then by the time of delivery."""
    parts = re.split(r"(\d+)", batch.file.rsplit(".", 1)[0])
    return ([(0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts], batch.delivered_at, batch.batch_id)


def _corrected_by(extract: Extract, batch: Batch, others: Sequence[Batch]) -> Batch | None:
    """The newest active batch that corrects `batch`."""
    key = _version_key(extract, batch.file)
    newer = [
        b for b in others if key is not None and _version_key(extract, b.file) == key and _version(b) > _version(batch)
    ]
    return max(newer, key=_version, default=None)


def _apply_corrections(settings: Settings, extract: Extract, known: dict[str, Batch], progress: Progress) -> None:
    """Of several versions of one delivery only the last counts, whichever came first."""
    if not extract.table.corrects:
        return
    own = [b for b in known.values() if (b.source, b.entity) == (extract.source, extract.entity) and b.counts_at()]
    for batch in own:
        newer = _corrected_by(extract, batch, own)
        if newer is not None:
            known[batch.batch_id] = supersede_batch(settings, batch)
            progress(f"{newer.file} corrects {batch.file}, which no longer counts")


def day_span(extract: Extract, settings: Settings) -> tuple[date, date] | None:
    """First and last day of the extract's transactions: from its batch where it is landed, else from a scan of its
    date column alone. None when it holds no valid date. Raises FileRefused for a file that cannot be used."""
    batch_id = batch_identity(_identified(extract, _known_content(settings))[0], extract.mapping)
    known = read_all_batches(settings, [extract.source], extract.entity)
    batch = next((b for b in known if b.batch_id == batch_id), None)
    if batch is not None:
        days = batch.all_days
        return (date.fromisoformat(days[0][0]), date.fromisoformat(days[-1][0])) if days else None
    entity = ENTITIES[extract.entity]
    only_dates = extract.table.model_copy(
        update={
            "columns": {entity.event: extract.table.columns[entity.event]},
            "returns": "by_sign",
            "amount_is": "line_total",
            "discount_deducted": True,
            "exact_duplicates": "keep",
        }
    )
    with landing_connection(settings) as con:
        convert_records(con, extract.read(con), entity, only_dates, extract.reading(batch_id))
        first, last = con.execute(
            f"select min({entity.event}), max({entity.event}) from converted where rule is null"
        ).fetchone()
    return (first.date(), last.date()) if first is not None else None


def landed_span(settings: Settings, source: str) -> tuple[date, date] | None:
    """First and last day of all active transactions, whether their files are still there or not."""
    days = [b.all_days for b in read_batches(settings, [source], "transactions") if b.all_days]
    if not days:
        return None
    return date.fromisoformat(min(d[0][0] for d in days)), date.fromisoformat(max(d[-1][0] for d in days))


def _known_content(settings: Settings) -> KnownContent:
    return KnownContent(settings.raw / ".content.json")


def _identified(extract: Extract, content: KnownContent) -> tuple[str, int]:
    if extract.refused is not None:
        raise extract.refused
    try:
        found = content.hash(extract.paths)
    except OSError as error:
        raise FileRefused(
            "unreadable",
            f"{extract.file} cannot be read: {error.strerror}",
            "check that the file exists and may be read",
        ) from None
    refuse_unfinished(extract)
    return found


def refuse_unfinished(extract: Extract) -> None:
    """Raise FileRefused when the file is not the one that was found: somebody is writing it."""
    if extract.seen is None:
        return
    try:
        now = file_state(extract.paths[0])
    except OSError:
        now = None
    if now != extract.seen:
        raise _unfinished(extract.file, "it changed while it was read")
    settle = extract.table.settle_seconds
    if settle and time.time() - extract.seen[1] / 1e9 < settle:
        raise _unfinished(extract.file, f"it changed less than {settle} seconds ago")


def file_state(path: Path) -> tuple[int, int]:
    """(size in bytes, time of the last change in nanoseconds)."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _unfinished(file: str, why: str) -> FileRefused:
    return FileRefused(
        "still_being_written",
        f"{file} is still being written: {why}",
        "it is taken by the next run; writers that use another name until they are done (.tmp, .part) avoid the wait",
    )


def _superseded_by_change(extract: Extract, sha256: str, others: Sequence[Batch], content: set[str]) -> list[Batch]:
    """Batches that an earlier content of the same file left, where the new content takes their place. What is still
    offered under another name (`content`) stays.

    A file that changed in place either grew (then its old rows are in it again) or was overwritten with the next
    day's rows. Rows with ids of their own can be added in both cases. Without ids only the user can know.
    """
    earlier = [b for b in others if b.file == extract.file and b.sha256 != sha256 and b.sha256 not in content]
    if not earlier or extract.table.file_changes == "add":
        return []
    if extract.table.file_changes == "replace":
        return earlier
    can_tell = is_keyed(ENTITIES[extract.entity], extract.table) or extract.table.corrects
    if can_tell or extract.table.corrections != "replace_lines":
        return []
    raise FileRefused(
        "changed_without_ids",
        f"{extract.file} was landed before with other content, and its rows of {extract.entity} carry no id that "
        "would tell old rows from new ones",
        f"in the source's YAML, set `file_changes` of tables.{extract.entity}: `replace` if the file is exported as a "
        "whole each time, `add` if it only holds what is new",
    )


def _undone(extract: Extract, batch: Batch, others: Sequence[Batch], content: set[str]) -> list[Batch]:
    """Later contents of the same file that are offered no more: the file holds its earlier content, `batch`, again.
    Only a file has contents one after the other; pieces of a database's table share a label and hold beside each other.
    """
    if extract.seen is None:
        return []
    return [
        b for b in others if b.file == extract.file and b.sha256 not in content and b.delivered_at > batch.delivered_at
    ]


def _land(
    con: duckdb.DuckDBPyConnection, extract: Extract, settings: Settings, batch_id: str, sha256: str, size: int
) -> Batch:
    try:
        return _read_and_write(con, extract, settings, batch_id, sha256, size)
    except duckdb.Error as error:
        if _is_the_files_fault(extract, error):
            raise damaged_parquet(extract.file, error) from None
        raise


def _is_the_files_fault(extract: Extract, error: duckdb.Error) -> bool:
    """A damaged page shows only when it is read. Memory and disk are never the file's fault."""
    ours = (duckdb.OutOfMemoryException, duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
    if isinstance(error, ours) or any(w in str(error) for w in ("No space left", "could not write", "Could not write")):
        return False
    return len(extract.paths) == 1 and is_parquet(extract.paths[0], extract.table)


def _read_and_write(
    con: duckdb.DuckDBPyConnection, extract: Extract, settings: Settings, batch_id: str, sha256: str, size: int
) -> Batch:
    entity = ENTITIES[extract.entity]
    records = extract.read(con)
    _refuse_retyped(records, entity, extract.table)
    convert_records(con, records, entity, extract.table, extract.reading(batch_id))
    event = entity.event or "cast(null as timestamp)"
    rows_in, accepted, first, last, channels = con.execute(
        f"""
        select
            count(*),
            count(*) filter (where rule is null),
            min({event}) filter (where rule is null),
            max({event}) filter (where rule is null),
            {"count(channel) filter (where rule is null)" if "channel" in entity.names else "0"}
        from converted
        """
    ).fetchone()
    counted = count_records(con, records)
    if counted != rows_in:
        raise RuntimeError(f"{extract.file}: {counted} rows in the file, but {rows_in} rows converted")
    _refuse_lost(con, extract, entity, rows_in)
    # What was hashed must be what was read.
    refuse_unfinished(extract)
    now = datetime.now(UTC).replace(tzinfo=None)
    batch = Batch(
        batch_id=batch_id,
        source=extract.source,
        entity=extract.entity,
        file=extract.file,
        size_bytes=size,
        sha256=sha256,
        mapping=extract.mapping,
        rows_in=rows_in,
        rows_accepted=accepted,
        rows_quarantined=rows_in - accepted,
        first_occurred_at=_moment(first),
        last_occurred_at=_moment(last),
        loaded_at=now,
        has_channel=channels > 0,
        days=days_of_accepted(con) if extract.entity == "transactions" else (),
        columns=records.columns,
        is_text=records.is_text,
        replaces=extract.table.corrections.removeprefix("replace_"),
        periods=((now, None),),
    )
    write_batch(
        settings,
        batch,
        lambda path: write_accepted(con, entity, extract.source, batch_id, path),
        lambda path: _write_quarantined(con, batch, path),
    )
    return batch


def _refuse_retyped(records: Records, entity: Entity, table: TableMapping) -> None:
    """Raise FileRefused when a required column of a Parquet file has a type that cannot mean what it is mapped to."""
    if records.is_text:
        return
    for column in (entity.column(name) for name in entity.required if name in table.columns):
        for ref in table.columns[column.name].columns:
            alias_and_kind = records.raw.get(ref)
            if alias_and_kind is not None and not _may_become(alias_and_kind[1], column.kind):
                raise FileRefused(
                    "retyped_column",
                    f"{records.file}: column {ref!r} is of type {alias_and_kind[1]}, which cannot become "
                    f"{column.name} ({column.type})",
                    "export the column in its former type, or map another one",
                )


def _may_become(kind: str, wanted: str) -> bool:
    if any(mark in kind for mark in ("[", "STRUCT", "MAP", "UNION")) or kind in ("BLOB", "BIT", "INTERVAL"):
        return False
    is_time = kind in ("DATE", "TIME") or kind.startswith("TIMESTAMP")
    if wanted == "number":
        return kind != "BOOLEAN" and not is_time
    if wanted in ("timestamp", "date"):
        return kind not in ("BOOLEAN", "TIME", "FLOAT", "DOUBLE") and not kind.startswith("DECIMAL")
    return True


def _refuse_lost(con: duckdb.DuckDBPyConnection, extract: Extract, entity: Entity, rows_in: int) -> None:
    """Raise FileRefused when most rows fail in one required column: it was lost or became something else."""
    if rows_in < RETYPED_FROM_ROWS:
        return
    endings = ("_missing", "_not_a_number", "_not_a_date", "_not_allowed")
    rules = [f"{name}{ending}" for name in entity.required for ending in endings]
    for rule, n in con.execute(
        f"select rule, count(*) from converted where rule in {literals(rules)} group by rule order by 2 desc, 1 limit 1"
    ).fetchall():
        if n > RETYPED_SHARE * rows_in:
            reason = con.execute("select min(reason) from converted where rule = ?", [rule]).fetchone()[0]
            raise FileRefused(
                "lost_column" if rule.endswith("_missing") else "retyped_column",
                f"{extract.file}: {n:,} of {rows_in:,} rows break the rule {rule}, so the column is lost or means "
                f"something else ({reason.split(':')[0]})",
                "look at the file with `holdfast check-source`, then mend the file or the mapping",
            )


def write_accepted(con: duckdb.DuckDBPyConnection, entity: Entity, source: str, batch_id: str, path: Path) -> None:
    """Write the accepted rows of `converted`, sorted by time, then customer, so that a filter on days reads few row
    groups; the rest of the order only makes the file the same each time."""
    order = [f"{name} nulls first" for name in (entity.event, "customer_id", "line_number") if name]
    con.execute(
        f"""
        copy (
            select {", ".join(entity.names)}, {literal(source)} as source, {literal(batch_id)} as batch_id
            from converted where rule is null
            order by {", ".join(order)}
        ) to {literal(str(path))} (format parquet, compression zstd)
        """
    )


def _write_quarantined(con: duckdb.DuckDBPyConnection, batch: Batch, path: Path) -> None:
    con.execute(
        f"""
        copy (
            select
                {literal(batch.batch_id)} as batch_id,
                {literal(batch.source)} as source,
                {literal(batch.entity)} as entity,
                {literal(batch.file)} as file,
                converted.line_number,
                converted.rule,
                converted.reason,
                record_texts.raw_text
            from converted
            left join record_texts on record_texts.line_number = converted.line_number
            where converted.rule is not null
            order by converted.line_number
        ) to {literal(str(path))} (format parquet, compression zstd)
        """
    )


def days_of_accepted(con: duckdb.DuckDBPyConnection) -> tuple[tuple[str, int], ...]:
    """(ISO day, rows) of the accepted rows of `converted`."""
    return tuple(
        con.execute(
            "select cast(cast(occurred_at as date) as varchar), count(*) from converted where rule is null "
            "group by all order by 1"
        ).fetchall()
    )


def _moment(value: datetime | date | None) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime(value.year, value.month, value.day)


def _summary(batch: Batch) -> str:
    refused = f", {batch.rows_quarantined:,} quarantined" if batch.rows_quarantined else ""
    return f"landed {batch.rows_accepted:,} of {batch.rows_in:,} rows{refused} (batch {batch.batch_id})"
