"""Schemas `ingest` and `personal` of the warehouse: made from the batches on disk, and from nothing else.

In: the batches in place and the names of the selected sources. Out: a view an entity over the batches' Parquet files,
and the tables `batches`, `batch_days`, `quarantined_rows` and `source_status`. All of it can be dropped and made
again at any time. `ingest.touched_days` is not made here: it says what a run has to recompute.
"""

from collections.abc import Iterable, Sequence
from datetime import date

import duckdb
import pyarrow as pa

from assets.ingest.batches import Batch, batch_folder, quarantine_file, read_batches
from assets.ingest.canonical import ENTITIES, Column, Entity
from assets.ingest.literals import path_list
from assets.shared.settings import Settings
from assets.shared.warehouse import replace_table

SCHEMA = "ingest"

#: Who somebody is, apart from everything else: no later stage reads this schema.
PERSONAL = "personal"

_BATCHES = pa.schema(
    [
        *((name, pa.string()) for name in ("batch_id", "source", "entity", "file")),
        ("size_bytes", pa.int64()),
        ("sha256", pa.string()),
        *((name, pa.int64()) for name in ("rows_in", "rows_accepted", "rows_quarantined")),
        *((name, pa.timestamp("us")) for name in ("first_occurred_at", "last_occurred_at", "loaded_at")),
    ]
)
_BATCH_DAYS = pa.schema([("batch_id", pa.string()), ("day", pa.date32()), ("n_rows", pa.int64())])
_SOURCE_STATUS = pa.schema(
    [
        ("source", pa.string()),
        *((f"has_{entity}", pa.bool_()) for entity in ENTITIES if entity != "transactions"),
        ("has_channel", pa.bool_()),
        *((name, pa.date32()) for name in ("first_day", "last_day")),
        *((name, pa.int64()) for name in ("n_batches", "rows_in", "rows_accepted", "rows_quarantined")),
    ]
)
_QUARANTINED = (
    "batch_id varchar, source varchar, entity varchar, file varchar, "
    "line_number bigint, rule varchar, reason varchar, raw_text varchar"
)


def rebuild(con: duckdb.DuckDBPyConnection, settings: Settings, sources: Iterable[str]) -> list[Batch]:
    """(Re)build schema `ingest` over the batches of the named sources. Returns these batches, oldest loaded first.

    Costs one small file read a batch; the batches' data is not read.
    """
    names = sorted(set(sources))
    batches = read_batches(settings, names)
    for schema in (SCHEMA, PERSONAL):
        con.execute(f"create schema if not exists {schema}")
    for entity in ENTITIES.values():
        _replace_views(con, settings, entity, [b for b in batches if b.entity == entity.name])
    replace_table(con, f"{SCHEMA}.batches", _ledger(batches))
    replace_table(con, f"{SCHEMA}.batch_days", _day_counts(batches))
    replace_table(con, f"{SCHEMA}.source_status", _status(names, batches))
    _replace_quarantine(con, settings, batches)
    return batches


def _replace_views(
    con: duckdb.DuckDBPyConnection, settings: Settings, entity: Entity, batches: Sequence[Batch]
) -> None:
    """`ingest.<entity>`, where a personal column is only told of (`has_email`), and `personal.<entity>` with the
    columns themselves if there are any."""
    lineage = [Column("source", "varchar", "text"), Column("batch_id", "varchar", "text")]
    columns = [*entity.columns, *lineage]
    if batches:
        paths = [batch_folder(settings, b.source, b.entity, b.batch_id) / "data.parquet" for b in batches]
        rows = f"read_parquet({path_list(paths)}, hive_partitioning = false)"
    else:
        nulls = ", ".join(f"cast(null as {c.type}) as {c.name}" for c in columns)
        rows = f"(select {nulls} where false)"
    shown = [f"{c.name} is not null as has_{c.name}" if c.personal else c.name for c in columns]
    con.execute(f"create or replace view {SCHEMA}.{entity.name} as select {', '.join(shown)} from {rows}")
    if any(c.personal for c in columns):
        own = [c.name for c in columns if c.personal or c.name in ("customer_id", "source", "batch_id")]
        con.execute(f"create or replace view {PERSONAL}.{entity.name} as select {', '.join(own)} from {rows}")


def _ledger(batches: Sequence[Batch]) -> pa.Table:
    return pa.Table.from_pylist([{name: getattr(b, name) for name in _BATCHES.names} for b in batches], schema=_BATCHES)


def _day_counts(batches: Sequence[Batch]) -> pa.Table:
    days = [(b.batch_id, date.fromisoformat(day), n) for b in batches for day, n in b.days]
    columns = list(zip(*days, strict=True)) if days else [[], [], []]
    return pa.Table.from_arrays(
        [pa.array(values, type=field.type) for values, field in zip(columns, _BATCH_DAYS, strict=True)],
        schema=_BATCH_DAYS,
    )


def _status(sources: Sequence[str], batches: Sequence[Batch]) -> pa.Table:
    rows = []
    for source in sources:
        own = [b for b in batches if b.source == source]
        brings = {b.entity for b in own if b.rows_accepted}
        days = [date.fromisoformat(day) for b in own for day in ((b.days[0][0], b.days[-1][0]) if b.days else ())]
        rows.append(
            {
                "source": source,
                **{f"has_{entity}": entity in brings for entity in ENTITIES if entity != "transactions"},
                "has_channel": any(b.has_channel for b in own if b.entity == "transactions"),
                "first_day": min(days, default=None),
                "last_day": max(days, default=None),
                "n_batches": len(own),
                **{
                    name: sum(getattr(b, name) for b in own)
                    for name in ("rows_in", "rows_accepted", "rows_quarantined")
                },
            }
        )
    return pa.Table.from_pylist(rows, schema=_SOURCE_STATUS)


def _replace_quarantine(con: duckdb.DuckDBPyConnection, settings: Settings, batches: Sequence[Batch]) -> None:
    """`personal.quarantined_rows` with reason and raw text, which may quote anything; `ingest.quarantined_rows` with
    the place and the rule of each."""
    con.execute(f"create or replace table {PERSONAL}.quarantined_rows ({_QUARANTINED})")
    paths = [quarantine_file(settings, b.source, b.entity, b.batch_id) for b in batches if b.rows_quarantined]
    if paths:
        con.execute(f"insert into {PERSONAL}.quarantined_rows by name select * from read_parquet({path_list(paths)})")
    con.execute(
        f"create or replace table {SCHEMA}.quarantined_rows as "
        f"select batch_id, source, entity, file, line_number, rule from {PERSONAL}.quarantined_rows"
    )
