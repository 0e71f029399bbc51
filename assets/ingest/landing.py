"""From a file to a batch: read, convert, write what is accepted, keep what is refused, put both in place.

In: `Extract`s (one file or table of a source, with the mapping to read it by). Out: `Batch`es on disk. Rows in are
always rows accepted plus rows quarantined; that is checked for each batch before it is put in place. Which files a
source has (`sources`), and the tables made from the batches (`raw_views`), do not belong here.
"""

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
    hash_files,
    put_in_place,
    quarantine_file,
    read_batches,
    remove_batch,
    temporary_folder,
)
from assets.ingest.canonical import ENTITIES, Entity
from assets.ingest.conversion import Reading, convert_records, is_keyed
from assets.ingest.literals import literal
from assets.ingest.mapping import TableMapping
from assets.ingest.records import Records, count_records, read_records
from assets.shared.errors import UserError
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

    return Extract(source, entity, label, (path,), table, mapping, read, time_zone, currency)


@contextmanager
def landing_connection(settings: Settings | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine of its own, in memory and spilling into the home folder, so that the warehouse stays closed."""
    con = duckdb.connect()
    try:
        if settings is not None:
            configure(con, settings)
            con.execute("set temp_directory = ?", [str(settings.raw / ".spill")])
        con.execute("set TimeZone = 'UTC'")
        yield con
    finally:
        con.close()


def land_extracts(
    extracts: Sequence[Extract], settings: Settings, progress: Progress = lambda _: None
) -> list[Batch]:
    """Land every extract that is not landed yet, in the given order; later ones win where staging finds one row twice.

    Returns one batch an extract (the same content under two names gives the same batch twice), `is_new` for those
    that this call landed. A batch of the same file content under an older mapping is replaced. Raises UserError when
    a whole file is unusable; batches landed before it stay, and a repeated call goes on from there.
    """
    known = {batch.batch_id: batch for batch in read_batches(settings, {extract.source for extract in extracts})}
    landed: list[Batch] = []
    with landing_connection(settings) as con:
        for extract in extracts:
            sha256, size = _identified(extract)
            batch_id = batch_identity(sha256, extract.mapping)
            others = [b for b in known.values() if (b.source, b.entity) == (extract.source, extract.entity)]
            superseded = [b for b in others if b.sha256 == sha256 and b.batch_id != batch_id]
            if batch_id in known:
                landed.append(known[batch_id])
            else:
                superseded += _superseded_by_change(extract, sha256, others)
                progress(f"landing {extract.source}: {extract.file} as {extract.entity}")
                batch = _land(con, extract, settings, batch_id, sha256, size)
                known[batch_id] = batch
                landed.append(as_new(batch))
                progress(_summary(batch))
            for old in superseded:
                remove_batch(settings, old)
                del known[old.batch_id]
    return landed


def day_span(extract: Extract, settings: Settings) -> tuple[date, date] | None:
    """First and last day of the extract's transactions: from its batch where it is landed, else from a scan of its
    date column alone. None when it holds no valid date."""
    batch_id = batch_identity(_identified(extract)[0], extract.mapping)
    batch = next((b for b in read_batches(settings, [extract.source], extract.entity) if b.batch_id == batch_id), None)
    if batch is not None:
        return (date.fromisoformat(batch.days[0][0]), date.fromisoformat(batch.days[-1][0])) if batch.days else None
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


def _identified(extract: Extract) -> tuple[str, int]:
    try:
        return hash_files(extract.paths)
    except OSError as error:
        raise UserError(
            f"{extract.file} cannot be read: {error.strerror}", "check that the file exists and may be read"
        ) from None


def _superseded_by_change(extract: Extract, sha256: str, others: list[Batch]) -> list[Batch]:
    """Batches that an earlier content of the same file left, where the new content takes their place.

    A file that changed in place either grew (then its old rows are in it again) or was overwritten with the next
    day's rows. Rows with ids of their own can be added in both cases. Without ids only the user can know.
    """
    earlier = [b for b in others if b.file == extract.file and b.sha256 != sha256]
    if not earlier or extract.table.file_changes == "add":
        return []
    if extract.table.file_changes == "replace":
        return earlier
    if is_keyed(ENTITIES[extract.entity], extract.table):
        return []
    raise UserError(
        f"{extract.file} was landed before with other content, and its rows of {extract.entity} carry no id that "
        "would tell old rows from new ones",
        f"in the source's YAML, set `file_changes` of tables.{extract.entity}: `replace` if the file is exported as a "
        "whole each time, `add` if it only holds what is new",
    )


def _land(
    con: duckdb.DuckDBPyConnection, extract: Extract, settings: Settings, batch_id: str, sha256: str, size: int
) -> Batch:
    entity = ENTITIES[extract.entity]
    records = extract.read(con)
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
        loaded_at=datetime.now(UTC).replace(tzinfo=None),
        has_channel=channels > 0,
        days=_days(con) if extract.entity == "transactions" else (),
    )
    folder = temporary_folder(settings, extract.source, extract.entity, batch_id)
    _write_accepted(con, entity, extract.source, batch_id, folder / "data.parquet")
    quarantined = folder / "quarantined.parquet" if batch.rows_quarantined else None
    if quarantined is not None:
        _write_quarantined(con, batch, quarantined)
    else:
        # A leftover of a landing that died before its batch was in place.
        quarantine_file(settings, extract.source, extract.entity, batch_id).unlink(missing_ok=True)
    put_in_place(settings, batch, folder, quarantined)
    return batch


def _write_accepted(
    con: duckdb.DuckDBPyConnection, entity: Entity, source: str, batch_id: str, path: Path
) -> None:
    """Sorted by time, then customer, so that a filter on days reads few row groups; the rest of the order only makes
    the file the same each time."""
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


def _days(con: duckdb.DuckDBPyConnection) -> tuple[tuple[str, int], ...]:
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


