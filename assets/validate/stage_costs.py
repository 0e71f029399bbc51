"""What each stage of a run cost, so that growth shows in production: rows, seconds, bytes.

In: the working warehouse, seconds by stage as Dagster's event log has them. Out: one entry a stage for the run's
manifest. The manifest is part of what is published, so publish cannot stand in it: its entry has null seconds.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import duckdb

from assets.shared.quoting import quoted
from assets.shared.warehouse import fetch_row, fetch_value

#: Where seconds of a step go that no table of it took: start of dbt, data tests, plots.
OVERHEAD = "start, tests and plots"


def stage_seconds(
    steps: Mapping[str, float], tables: Iterable[tuple[str, str, float]], stages: Iterable[str]
) -> dict[str, float]:
    """Seconds by stage. steps: seconds by step; tables: (step, stage, seconds) of each table that dbt built.

    A step that is named like a stage is that stage. The others are dbt, which says the seconds of each table; what
    is left of such a step stands under `OVERHEAD`, so that the sum is the sum of the steps.
    """
    known = set(stages)
    found: dict[str, float] = {}
    built: dict[str, float] = {}
    for step, stage, seconds in tables:
        if step in steps and step not in known:
            found[stage] = found.get(stage, 0.0) + seconds
            built[step] = built.get(step, 0.0) + seconds
    for step, seconds in steps.items():
        if step in known:
            found[step] = found.get(step, 0.0) + seconds
        else:
            # dbt builds in several threads: its tables may take longer together than their step.
            found[OVERHEAD] = found.get(OVERHEAD, 0.0) + max(0.0, seconds - built.get(step, 0.0))
    return found


def stage_costs(
    con: duckdb.DuckDBPyConnection, stages: Iterable[str], seconds: Mapping[str, float]
) -> list[dict[str, Any]]:
    """One entry a stage in the order of the flow: stage, rows and bytes of its tables in the warehouse now (of ingest:
    lines accepted and bytes of the files they came in), seconds or None where they are not known."""
    rows: dict[str, int] = {}
    sizes: dict[str, int] = {}
    block = fetch_value(con, "select block_size from pragma_database_size()")
    tables = con.execute(
        "select schema_name, table_name, estimated_size from duckdb_tables() "
        "where database_name = current_database() and not temporary"
    ).fetchall()
    for schema, table, n_rows in tables:
        blocks = fetch_value(
            con,
            "select count(distinct block_id) from pragma_storage_info(?) where persistent",
            [quoted(f"{schema}.{table}")],
        )
        rows[schema] = rows.get(schema, 0) + n_rows
        sizes[schema] = sizes.get(schema, 0) + blocks * block
    with suppress(duckdb.CatalogException):  # a warehouse without ingest says nothing of it
        rows["ingest"], sizes["ingest"] = fetch_row(
            con,
            "select coalesce(sum(rows_accepted), 0)::bigint, coalesce(sum(size_bytes), 0)::bigint from ingest.batches",
        )
    costs = [
        {
            "stage": stage,
            "rows": rows.get(stage, 0),
            "bytes": sizes.get(stage, 0),
            "seconds": round(seconds[stage], 2) if stage in seconds else None,
        }
        for stage in stages
    ]
    if OVERHEAD in seconds:
        costs.append({"stage": OVERHEAD, "rows": None, "bytes": None, "seconds": round(seconds[OVERHEAD], 2)})
    return costs


def with_validation(costs: Iterable[Mapping[str, Any]], seconds: float, n_checks: int) -> list[dict[str, Any]]:
    """`costs` with what validation itself took until its manifest was written, and a row a check."""
    return [
        {**cost, "rows": n_checks, "seconds": round(seconds, 2)} if cost["stage"] == "validate" else dict(cost)
        for cost in costs
    ]
