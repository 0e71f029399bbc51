"""Rows of small results. Knows no table."""

from typing import Any

import duckdb


def one_row(found: duckdb.DuckDBPyConnection) -> tuple[Any, ...]:
    """The first row of a result that has one, as totals do. Raises LookupError where it has none."""
    row = found.fetchone()
    if row is None:
        raise LookupError("a query that gives one row gave none")
    return row
