"""Do two makers of customer_day and customer_features say the same? Compared cell by cell in DuckDB."""

import duckdb

from benchmarks.peers.sql import DAY_COLUMNS, FEATURES

#: Doubles may differ in their last digits with the order of summation, and by cancellation where large sums are
#: subtracted; anything beyond is a difference.
RELATIVE, ABSOLUTE = 1e-6, 1e-6

KEYS = {"customer_day": ("customer_id", "day"), "customer_features": ("customer_id",)}
MEASURES = {"customer_day": DAY_COLUMNS[2:], "customer_features": FEATURES}


def differences(con: duckdb.DuckDBPyConnection, table: str, one: str, other: str) -> dict[str, int]:
    """Rows of `table` that differ between the relations `one` and `other` (names or quoted paths known to `con`), by
    column; rows that only one of them has stand under `missing`. Only columns that differ are in the result."""
    keys, measures = KEYS[table], MEASURES[table]
    matched = " and ".join(f"a.{key} = b.{key}" for key in keys)
    counts = ", ".join(f"count(*) filter ({_differs(column)}) as {column}" for column in measures)
    row = con.execute(
        f"""
        select count(*) filter (a.{keys[0]} is null or b.{keys[0]} is null) as missing, {counts}
        from {one} as a full join {other} as b on {matched}
        """
    ).fetchall()[0]
    return {name: n for name, n in zip(("missing", *measures), row, strict=True) if n}


def _differs(column: str) -> str:
    if column == "channel":
        return f"a.{column} is distinct from b.{column}"
    a, b = f"cast(a.{column} as double)", f"cast(b.{column} as double)"
    # A missing value is null to SQL and NaN to pandas.
    a, b = (f"case when isnan({x}) then null else {x} end" for x in (a, b))
    far = f"abs({a} - {b}) > {ABSOLUTE} + {RELATIVE} * abs({b})"
    return f"({a} is null) <> ({b} is null) or coalesce({far}, false)"
