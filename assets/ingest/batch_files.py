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

#: Columns of a quarantine's Parquet files, with their types. `day`: when it happened, as far as that can be told.
QUARANTINED = (
    "batch_id varchar, source varchar, entity varchar, file varchar, "
    "line_number bigint, rule varchar, reason varchar, raw_text varchar, day date"
)


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
        select refused.line_number, refused.rule, refused.reason, record_texts.raw_text, refused.day
        from ({refused_with_days_sql(ENTITIES[batch.entity])}) as refused
        left join record_texts on record_texts.line_number = refused.line_number
        """,
        path,
    )


def refused_with_days_sql(entity: Entity) -> str:
    """Query: (line_number, rule, reason, day) of the refused rows of `converted`. A row whose own day cannot be read is
    taken to be of the day of the accepted row before it, or after it; NULL for entities without an event."""
    refused = f"select * from converted where rule is not null and rule <> {literal(LEFT_OUT)}"
    accepted = f"select line_number, {entity.event} from converted where rule is null"
    if entity.event is None:
        return f"select line_number, rule, reason, cast(null as date) as day from ({refused}) as rows_without_days"
    return f"""
        select own.line_number, own.rule, own.reason,
            cast(coalesce(own.{entity.event}, above.{entity.event}, below.{entity.event}) as date) as day
        from ({refused}) as own
        asof left join ({accepted}) as above on own.line_number >= above.line_number
        asof left join ({accepted}) as below on own.line_number <= below.line_number
    """


def write_refused_rows(con: duckdb.DuckDBPyConnection, batch: Batch, rows: str, path: Path) -> None:
    """Write the result of the query `rows` (line_number, rule, reason, raw_text, day) as a quarantine of the batch."""
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
                raw_text,
                day
            from ({rows}) as refused_rows
            order by line_number
        ) to {literal(path)} (format parquet, compression zstd)
        """
    )


def _moment(value: datetime | date | None) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime(value.year, value.month, value.day)
