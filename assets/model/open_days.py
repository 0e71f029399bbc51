"""Open days: long closures of the business are no silence of its customers.

In: the closed days (`ingest.business_days`). Out: when so many open days are over. What a closure is, ingest says; SQL
counts by macro `open_day`.
"""

from collections.abc import Collection
from datetime import date, timedelta

import duckdb


def closed_days(con: duckdb.DuckDBPyConnection) -> frozenset[date]:
    """Days of long closures before the as-of date."""
    found = con.execute("select day from ingest.business_days where is_closed").fetchall()
    return frozenset(day for (day,) in found)


def open_days_after(start: date, n_days: int, closed: Collection[date]) -> date:
    """The first day before which `n_days` open days lie, counted from `start`, which is the first of them where it is
    open. Without closures `start` plus `n_days`."""
    end = start + timedelta(n_days)
    if not closed:
        return end
    n_open = sum(start + timedelta(n) not in closed for n in range(n_days))
    while n_open < n_days:
        n_open += end not in closed
        end += timedelta(1)
    return end
