"""Converted rows as the files of a batch, and what is counted of them.

In: the table `converted` and the view or table `record_texts`. Out: Parquet files of accepted and of quarantined rows,
sorted, and the counts that the ledger keeps. Where the files are put does not belong here (`batches`).
"""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb

from assets.ingest.batches import Batch
from assets.ingest.canonical import ENTITIES, Entity
from assets.ingest.mapping.rules import LEFT_OUT
from assets.shared.quoting import literal
from assets.shared.warehouse import fetch_row


@dataclass(frozen=True)
class Counts:
    """What `converted` holds: rows, accepted rows, rows left out on purpose, first and last moment of the accepted
    ones, accepted rows by ISO day (of transactions), and whether one of them names a channel."""

    rows_in: int
    rows_accepted: int
    rows_left_out: int
    first_occurred_at: datetime | None
    last_occurred_at: datetime | None
    has_channel: bool
    days: tuple[tuple[str, int], ...]


def count_converted(con: duckdb.DuckDBPyConnection, entity: Entity) -> Counts:
    """Count the rows of `converted`."""
    event = entity.event or "cast(null as timestamp)"
    rows_in, accepted, left_out, first, last, channels = fetch_row(
        con,
        f"""
        select
            count(*),
            count(*) filter (where rule is null),
            count(*) filter (where rule = '{LEFT_OUT}'),
            min({event}) filter (where rule is null),
            max({event}) filter (where rule is null),
            {"count(channel) filter (where rule is null)" if "channel" in entity.names else "0"}
        from converted
        """,
    )
    days = days_of_accepted(con) if entity.name == "transactions" else ()
    return Counts(rows_in, accepted, left_out, _moment(first), _moment(last), channels > 0, days)


def days_of_accepted(con: duckdb.DuckDBPyConnection) -> tuple[tuple[str, int], ...]:
    """(ISO day, rows) of the accepted rows of `converted`."""
    return tuple(
        con.execute(
            "select cast(cast(occurred_at as date) as varchar), count(*) from converted where rule is null "
            "group by all order by 1"
        ).fetchall()
    )


def write_accepted(con: duckdb.DuckDBPyConnection, batch: Batch, path: Path) -> None:
    """Write the accepted rows of `converted`, sorted by time, then customer, so that a filter on days reads few row
    groups; the rest of the order only makes the file the same each time."""
    entity = ENTITIES[batch.entity]
    order = [f"{name} nulls first" for name in (entity.event, "customer_id", "line_number") if name]
    con.execute(
        f"""
        copy (
            select {", ".join(entity.names)}, {literal(batch.source)} as source, {literal(batch.batch_id)} as batch_id
            from converted where rule is null
            order by {", ".join(order)}
        ) to {literal(path)} (format parquet, compression zstd)
        """
    )


def write_quarantined(con: duckdb.DuckDBPyConnection, batch: Batch, path: Path) -> None:
    """Write the refused rows of `converted` with their texts."""
    write_refused_rows(
        con,
        batch,
        f"""
        select converted.line_number, converted.rule, converted.reason, record_texts.raw_text
        from converted
        left join record_texts on record_texts.line_number = converted.line_number
        where converted.rule is not null and converted.rule <> {literal(LEFT_OUT)}
        """,
        path,
    )


def write_refused_rows(con: duckdb.DuckDBPyConnection, batch: Batch, rows: str, path: Path) -> None:
    """Write the result of the query `rows` (line_number, rule, reason, raw_text) as a quarantine of the batch."""
    con.execute(
        f"""
        copy (
            select
                {literal(batch.batch_id)} as batch_id,
                {literal(batch.source)} as source,
                {literal(batch.entity)} as entity,
                {literal(batch.file)} as file,
                line_number,
                rule,
                reason,
                raw_text
            from ({rows}) as refused_rows
            order by line_number
        ) to {literal(path)} (format parquet, compression zstd)
        """
    )


def _moment(value: datetime | date | None) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime(value.year, value.month, value.day)
