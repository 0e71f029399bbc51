"""Whether two warehouses hold the same rows: what Spark built against what DuckDB built.

In: two warehouse files. Out: for each table that differs, how. Everything but doubles is exact; doubles may differ by
1e-9 of their size, since sums of doubles depend on their order.
"""

from collections.abc import Collection
from pathlib import Path

import duckdb

#: Of a run or a moment, not of the data.
NOT_COMPARED = frozenset(("run_id", "trained_at", "loaded_at", "started_at", "checked_at", "stages", "parameters"))


def differences(ours: Path, theirs: Path, schemas: Collection[str]) -> dict[str, str]:
    """Table to words, for tables of `schemas` whose rows differ. Raises AssertionError where a table is missing."""
    return {table: words for table, words in compare(ours, theirs, schemas).items() if words}


def compare(ours: Path, theirs: Path, schemas: Collection[str]) -> dict[str, str]:
    """Each table of `schemas` to how its rows differ, in words; empty where they are equal. Raises as above."""
    with duckdb.connect() as con:
        for name, path in (("ours", ours), ("theirs", theirs)):
            con.execute(f"attach '{path}' as {name} (read_only)")
        tables = [_tables(con, name, schemas) for name in ("ours", "theirs")]
        assert tables[0] == tables[1] and tables[0], set(tables[0]) ^ set(tables[1])
        return {table: _difference(con, table) for table in tables[0]}


def _tables(con: duckdb.DuckDBPyConnection, database: str, schemas: Collection[str]) -> list[str]:
    rows = con.execute(
        "select table_schema || '.' || table_name from information_schema.tables"
        " where table_catalog = ? and table_schema in (select unnest(?)) order by all",
        [database, list(schemas)],
    ).fetchall()
    return [name for (name,) in rows]


def _difference(con: duckdb.DuckDBPyConnection, table: str) -> str:
    types = {side: dict(con.execute(f"select column_name, column_type from (describe {side}.{table})").fetchall())
             for side in ("ours", "theirs")}  # fmt: skip
    if types["ours"] != types["theirs"]:
        return f"columns: {set(types['ours'].items()) ^ set(types['theirs'].items())}"
    columns = [c for c in types["ours"] if c not in NOT_COMPARED]
    exact = [f'"{c}"' for c in columns if types["ours"][c] not in ("DOUBLE", "FLOAT")]
    doubles = [f'"{c}"' for c in columns if types["ours"][c] in ("DOUBLE", "FLOAT")]
    sides = [f"{side}.{table}" for side in ("ours", "theirs")]
    # Rows are paired by their exact columns, and those that have these alike by their doubles in order.
    order = ", ".join([*exact, *doubles]) or "1"
    near = [
        f"not (o.{c} is not distinct from t.{c} or abs(o.{c} - t.{c}) <= 1e-9 * greatest(abs(o.{c}), abs(t.{c})))"
        for c in doubles
    ]
    for side, other in (sides, sides[::-1]):
        n, example = con.execute(
            f"select count(*), any_value(row) from (select {', '.join(exact)} from {side} except all"
            f" select {', '.join(exact)} from {other}) as row"
        ).fetchone()  # type: ignore[misc]
        if n:
            return f"{n} rows of {side} are not in {other}, such as {example}"
    if not near:
        return ""
    numbered = "select *, row_number() over (order by {order}) as _number from {side}"
    pairs = (
        f"({numbered.format(order=order, side=sides[0])}) as o"
        f" inner join ({numbered.format(order=order, side=sides[1])}) as t on o._number = t._number"
    )
    n = con.execute(
        f"select count(*) from {pairs} where {' or '.join(f'coalesce({x}, true)' for x in near)}"
    ).fetchone()
    return f"{n[0]} rows differ in doubles" if n and n[0] else ""
