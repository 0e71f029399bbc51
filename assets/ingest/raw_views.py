"""Schemas `ingest` and `personal` of the warehouse: made from the batches on disk, and from nothing else.

In: the batches in place and the names of the selected sources. Out: a view an entity over the batches' Parquet files,
and the tables `batches`, `batch_days`, `batch_files`, `replaced_days`, `quarantined_rows`, `refused_files`,
`schema_changes`, `source_status` and `source_extracts`. All of it can be dropped and made again at any time, as it is
now or as it was known at a moment.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime

import duckdb
import pyarrow as pa

from assets.ingest.batch_files import QUARANTINED
from assets.ingest.batches import Batch, current_quarantine_file, data_files, read_batches
from assets.ingest.canonical import ENTITIES, Column, Entity
from assets.ingest.extract_guard import DayVerdict, Expectation, judge_extracts
from assets.ingest.mapping.accounts import Accounts
from assets.ingest.named_accounts import find_named_accounts
from assets.ingest.refusals import Refusal, read_refusals
from assets.ingest.schema_drift import Change, changes
from assets.shared.quoting import path_list
from assets.shared.settings import Settings
from assets.shared.warehouse import replace_table

SCHEMA = "ingest"

#: Who somebody is, apart from everything else: no later stage reads this schema.
PERSONAL = "personal"

#: Entities that got columns since the first version: a batch landed before has none of these.
_GROWN = ("customers",)

_BATCHES = pa.schema(
    [
        *((name, pa.string()) for name in ("batch_id", "source", "entity", "file")),
        ("size_bytes", pa.int64()),
        ("sha256", pa.string()),
        *(
            (name, pa.int64())
            for name in (
                "rows_in",
                "rows_accepted",
                "rows_quarantined",
                "rows_left_out",
                "rows_erased",
                "rows_redriven",
            )
        ),
        *((name, pa.timestamp("us")) for name in ("first_occurred_at", "last_occurred_at", "loaded_at")),
        ("replaces", pa.string()),
        ("amount_scales", pa.string()),
        *((name, pa.int64()) for name in ("rows_replaced", "rows_gone")),
    ]
)
_ACCOUNTS = pa.schema([(name, pa.string()) for name in ("source", "customer_id", "treatment")])
_REFUSED = pa.schema(
    [
        *((name, pa.string()) for name in ("refusal_id", "source", "entity", "file", "rule", "reason", "remedy")),
        ("sha256", pa.string()),
        ("size_bytes", pa.int64()),
        ("refused_at", pa.timestamp("us")),
        ("resolved_at", pa.timestamp("us")),
        ("is_waiting", pa.bool_()),
    ]
)
_SCHEMA_CHANGES = pa.schema(
    [
        *((name, pa.string()) for name in ("source", "entity", "column_name", "change", "was", "became", "file")),
        ("batch_id", pa.string()),
        ("noticed_at", pa.timestamp("us")),
        ("n_files", pa.int64()),
    ]
)
_SOURCE_EXTRACTS = pa.schema(
    [
        ("as_of_date", pa.date32()),
        ("source", pa.string()),
        ("day", pa.date32()),
        ("n_rows", pa.int64()),
        ("usual_rows", pa.float64()),
        ("least_rows", pa.float64()),
        ("verdict", pa.string()),
        ("is_blocking", pa.bool_()),
        ("basis", pa.string()),
        ("reason", pa.string()),
    ]
)
_BATCH_DAYS = pa.schema(
    [("batch_id", pa.string()), ("day", pa.date32()), ("n_rows", pa.int64()), ("source", pa.string())]
)
_BATCH_FILES = pa.schema([(name, pa.string()) for name in ("batch_id", "entity", "path")])
_REPLACED_DAYS = pa.schema(
    [
        *((name, pa.string()) for name in ("batch_id", "source")),
        ("day", pa.date32()),
        ("n_rows", pa.int64()),
        ("replaced_by", pa.string()),
    ]
)
_SOURCE_STATUS = pa.schema(
    [
        ("source", pa.string()),
        *((f"has_{entity}", pa.bool_()) for entity in ENTITIES if entity != "transactions"),
        ("has_channel", pa.bool_()),
        ("is_matched", pa.bool_()),
        *((name, pa.date32()) for name in ("first_day", "last_day")),
        *(
            (name, pa.int64())
            for name in ("n_batches", "rows_in", "rows_accepted", "rows_quarantined", "rows_left_out")
        ),
    ]
)


def rebuild_raw_views(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    sources: Iterable[str],
    knowledge_time: datetime | None = None,
    matched: Iterable[str] = (),
) -> list[Batch]:
    """(Re)build schema `ingest` over the batches of the named sources, as they are or as they were at `knowledge_time`
    (UTC). `matched`: those whose accounts are compared. Returns these batches, oldest loaded first.

    Costs one small file read a batch; the batches' data is not read. `source_extracts` is left as it is: it needs a
    date (`write_extracts`).
    """
    names = sorted(set(sources))
    batches = read_batches(settings, names, knowledge_time=knowledge_time)
    for schema in (SCHEMA, PERSONAL):
        con.execute(f"create schema if not exists {schema}")
    for entity in ENTITIES.values():
        _replace_views(con, settings, entity, [b for b in batches if b.entity == entity.name])
    replace_table(con, f"{SCHEMA}.batches", _ledger(batches))
    replace_table(con, f"{SCHEMA}.batch_days", _day_counts(batches))
    files = [
        {"batch_id": b.batch_id, "entity": b.entity, "path": str(path)}
        for b in batches
        for path in data_files(settings, b)
    ]
    replace_table(con, f"{SCHEMA}.batch_files", pa.Table.from_pylist(files, schema=_BATCH_FILES))
    replace_table(con, f"{SCHEMA}.replaced_days", pa.Table.from_pylist(replaced_days(batches), schema=_REPLACED_DAYS))
    replace_table(con, f"{SCHEMA}.source_status", _status(names, batches, frozenset(matched)))
    replace_table(con, f"{SCHEMA}.refused_files", _refused(read_refusals(settings, names), knowledge_time))
    replace_table(con, f"{SCHEMA}.schema_changes", _table(changes(batches), Change, _SCHEMA_CHANGES))
    _replace_quarantine(con, settings, batches)
    return batches


def write_extracts(
    con: duckdb.DuckDBPyConnection, as_of: date, expected: Mapping[str, Expectation | None]
) -> dict[str, list[DayVerdict]]:
    """Judge what each source of `expected` delivered on the days before `as_of`, from `batch_days`; write
    `ingest.source_extracts` and return the verdicts by source."""
    rows: dict[str, dict[date, int]] = {source: {} for source in expected}
    for source, day, n in con.execute(
        "select source, day, sum(n) from ("
        f" select source, day, n_rows as n from {SCHEMA}.batch_days union all"
        f" select source, day, -n_rows from {SCHEMA}.replaced_days"
        ") as delivered_and_replaced where day < ? group by all",
        [as_of],
    ).fetchall():
        rows.setdefault(source, {})[day] = int(n)
    found = {source: judge_extracts(rows[source], as_of, expects) for source, expects in expected.items()}
    flat = [
        {"as_of_date": as_of, "source": source, **vars(verdict)}
        for source, verdicts in found.items()
        for verdict in verdicts
    ]
    replace_table(con, f"{SCHEMA}.source_extracts", pa.Table.from_pylist(flat, schema=_SOURCE_EXTRACTS))
    return found


def write_accounts(con: duckdb.DuckDBPyConnection, accounts: Mapping[str, Accounts]) -> None:
    """Write `ingest.accounts`: what the YAML of each source says of ids that are customers or are not, and what the
    names of accounts say by themselves. Needs the views of `rebuild_raw_views`."""
    rows = [
        {"source": source, "customer_id": customer, "treatment": treatment}
        for source, said in accounts.items()
        for treatment, customers in (("include", said.include), ("exclude", said.exclude))
        for customer in dict.fromkeys(customers)
    ]
    rows += [
        {"source": source, "customer_id": customer, "treatment": treatment}
        for source, customer, treatment in find_named_accounts(con)
    ]
    replace_table(con, f"{SCHEMA}.accounts", pa.Table.from_pylist(rows, schema=_ACCOUNTS))


def _table(rows: Sequence[object], kind: type, schema: pa.Schema) -> pa.Table:
    names = [field.name for field in fields(kind)]
    return pa.Table.from_pylist([{name: getattr(row, name) for name in names} for row in rows], schema=schema)


def _refused(refusals: Sequence[Refusal], knowledge_time: datetime | None) -> pa.Table:
    """Those refused by then; what was resolved later was open then."""
    rows = []
    for r in refusals:
        if knowledge_time is None or r.refused_at <= knowledge_time:
            row = {name: getattr(r, name) for name in _REFUSED.names}
            if knowledge_time is not None and r.resolved_at is not None and r.resolved_at > knowledge_time:
                row["resolved_at"] = None
            rows.append(row)
    return pa.Table.from_pylist(rows, schema=_REFUSED)


def _replace_views(
    con: duckdb.DuckDBPyConnection, settings: Settings, entity: Entity, batches: Sequence[Batch]
) -> None:
    """`ingest.<entity>`, where of a personal column only its presence is shown (`has_email`), and `personal.<entity>`
    with the columns themselves if there are any."""
    lineage = [Column("source", "varchar", "text"), Column("batch_id", "varchar", "text")]
    columns = [*entity.columns, *lineage]
    nulls = ", ".join(f"cast(null as {c.type}) as {c.name}" for c in columns)
    rows = f"(select {nulls} where false)"
    if batches:
        paths = [path for b in batches for path in data_files(settings, b)]
        if entity.name in _GROWN:
            landed = f"read_parquet({path_list(paths)}, hive_partitioning = false, union_by_name = true)"
            rows = f"(from {rows} union all by name from {landed})"
        else:
            rows = f"read_parquet({path_list(paths)}, hive_partitioning = false)"
    shown = [f"{c.name} is not null as has_{c.name}" if c.personal else c.name for c in columns]
    con.execute(f"create or replace view {SCHEMA}.{entity.name} as select {', '.join(shown)} from {rows}")
    if any(c.personal for c in columns):
        own = [c.name for c in columns if c.personal or c.name in ("customer_id", "source", "batch_id")]
        con.execute(f"create or replace view {PERSONAL}.{entity.name} as select {', '.join(own)} from {rows}")


def _ledger(batches: Sequence[Batch]) -> pa.Table:
    rows = [
        {
            **{name: getattr(b, name) for name in _BATCHES.names if name not in ("rows_redriven", "loaded_at")},
            "loaded_at": b.delivered_at,
            "rows_redriven": sum(part.rows_accepted for part in b.parts),
        }
        for b in batches
    ]
    return pa.Table.from_pylist(rows, schema=_BATCHES)


def _day_counts(batches: Sequence[Batch]) -> pa.Table:
    """Rows re-driven later, and content that came again, are deliveries of their own here: they re-open their days. A
    full export has a row with none for each day that only earlier files knew."""
    emptied: dict[str, dict[str, int]] = {}
    for row in replaced_days(batches):
        emptied.setdefault(row["replaced_by"], {})[row["day"].isoformat()] = 0
    deliveries = [
        (b.source, identity, days)
        for b in batches
        for identity, days in (
            (b.delivery_id, tuple((emptied.get(b.batch_id, {}) | dict(b.days)).items())),
            *((part.part_id, part.days) for part in b.parts),
        )
    ]
    days = [(identity, date.fromisoformat(day), n, source) for source, identity, own in deliveries for day, n in own]
    columns = list(zip(*days, strict=True)) if days else [()] * len(_BATCH_DAYS)
    return pa.Table.from_arrays(
        [pa.array(values, type=field.type) for values, field in zip(columns, _BATCH_DAYS, strict=True)],
        schema=_BATCH_DAYS,
    )


def replaced_days(batches: Sequence[Batch]) -> list[dict]:
    """Days of batches whose rows do not count, because a later batch of the source replaces whole days, or all days
    from its first to its last: one row a batch and day, with the last such batch. 'Later' is the order in which staging
    lets the newest batch win."""
    order = {b.batch_id: (b.delivered_at, b.batch_id) for b in batches}
    known: dict[str, list[str]] = {}
    if any(b.replaces == "span" for b in batches):
        for source in {b.source for b in batches}:
            known[source] = sorted({day for b in batches if b.source == source for day, _ in b.all_days})
    last: dict[tuple[str, str], str] = {}
    for b in batches:
        if b.replaces in ("days", "span"):
            days = [day for day, _ in b.all_days]
            if b.replaces == "span" and days:
                of_all = known[b.source]
                days = of_all[bisect_left(of_all, days[0]) : bisect_right(of_all, days[-1])]
            for day in days:
                key = (b.source, day)
                last[key] = max(last.get(key, b.batch_id), b.batch_id, key=order.__getitem__)
    if not last:
        return []
    return [
        {"batch_id": b.batch_id, "source": b.source, "day": date.fromisoformat(day), "n_rows": n, "replaced_by": by}
        for b in batches
        for day, n in b.all_days
        if (by := last.get((b.source, day), b.batch_id)) != b.batch_id and order[b.batch_id] < order[by]
    ]


def accepted_rows_by_day(batches: Sequence[Batch]) -> dict[date, int]:
    """Accepted transaction rows of one source by day, without those whose day was replaced."""
    found: dict[date, int] = {}
    for batch in batches:
        for day, n in batch.all_days:
            found[date.fromisoformat(day)] = found.get(date.fromisoformat(day), 0) + n
    for row in replaced_days(batches):
        found[row["day"]] -= row["n_rows"]
    return found


def _status(sources: Sequence[str], batches: Sequence[Batch], matched: frozenset[str]) -> pa.Table:
    rows = []
    for source in sources:
        own = [b for b in batches if b.source == source]
        brings = {b.entity for b in own if b.rows_accepted}
        spans = [b.all_days for b in own if b.all_days]
        days = [date.fromisoformat(day) for span in spans for day in (span[0][0], span[-1][0])]
        rows.append(
            {
                "source": source,
                **{f"has_{entity}": entity in brings for entity in ENTITIES if entity != "transactions"},
                "has_channel": any(b.has_channel for b in own if b.entity == "transactions"),
                "is_matched": source in matched,
                "first_day": min(days, default=None),
                "last_day": max(days, default=None),
                "n_batches": len(own),
                **{
                    name: sum(getattr(b, name) for b in own)
                    for name in ("rows_in", "rows_accepted", "rows_quarantined", "rows_left_out")
                },
            }
        )
    return pa.Table.from_pylist(rows, schema=_SOURCE_STATUS)


def _replace_quarantine(con: duckdb.DuckDBPyConnection, settings: Settings, batches: Sequence[Batch]) -> None:
    """`personal.quarantined_rows` with reason and raw text, which may quote anything; `ingest.quarantined_rows` with
    the place and the rule of each."""
    con.execute(f"create or replace table {PERSONAL}.quarantined_rows ({QUARANTINED})")
    paths = [current_quarantine_file(settings, b) for b in batches if b.rows_quarantined]
    if paths:
        rows = f"read_parquet({path_list(paths)}, union_by_name = true)"
        con.execute(f"insert into {PERSONAL}.quarantined_rows by name select * from {rows}")
    con.execute(
        f"create or replace table {SCHEMA}.quarantined_rows as "
        f"select batch_id, source, entity, file, line_number, rule, day from {PERSONAL}.quarantined_rows"
    )
