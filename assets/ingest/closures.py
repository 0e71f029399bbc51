"""When was the business closed for so long that its days do not count as silence of its customers?

In: which days of which source have rows (`ingest.batch_days`), and which a person has declared closed (`closed_on`).
Out: `ingest.business_days`. How days of silence are counted by it is macro `open_day`.

A weekly day of rest belongs to everybody's rhythm and counts as a day. A closure is longer: a stretch of at least
`LEAST_DAYS` days without any row of any source, from its first to its last declared day, most of which are declared.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

import duckdb
import pyarrow as pa

from assets.ingest.extract_guard import Expectation, is_closed
from assets.shared.warehouse import replace_table

#: Shorter closures are part of the rhythm: a gap of a week hides them.
LEAST_DAYS = 7
#: Of the days of a closure so many are declared; the others are days of rest that were learned.
DECLARED_SHARE = 0.7

_DAY = timedelta(days=1)
_BUSINESS_DAYS = pa.schema(
    [("day", pa.date32()), ("closed_days_before", pa.int32()), ("open_day", pa.date32()), ("is_closed", pa.bool_())]
)


class Closure(NamedTuple):
    """Both days are closed."""

    first_day: date
    last_day: date


def find_closures(days_with_rows: Iterable[date], as_of: date, expected: Iterable[Expectation | None]) -> list[Closure]:
    """The closures between the first day with rows and `as_of`, oldest first. One that goes on ends the day before."""
    declared = [expects for expects in expected if expects is not None and expects.closed_on]
    bought = sorted(day for day in set(days_with_rows) if day < as_of)
    if not declared or not bought:
        return []
    found = []
    for before, after in zip(bought, [*bought[1:], as_of], strict=True):
        silent = [before + _DAY * n for n in range(1, (after - before).days)]
        if len(silent) < LEAST_DAYS:
            continue
        closed = [day for day in silent if any(is_closed(day, expects) for expects in declared)]
        if closed:
            closure = Closure(closed[0], closed[-1])
            n_days = (closure.last_day - closure.first_day).days + 1
            if n_days >= LEAST_DAYS and len(closed) >= DECLARED_SHARE * n_days:
                found.append(closure)
    return found


def write_business_days(
    con: duckdb.DuckDBPyConnection, as_of: date, expected: Mapping[str, Expectation | None]
) -> list[Closure]:
    """Write `ingest.business_days`: a row a day from the first closure to `as_of`, none where there was no closure.
    Returns the closures."""
    rows = con.execute(
        "select day from ("
        " select day, n_rows as n from ingest.batch_days union all select day, -n_rows from ingest.replaced_days"
        ") as delivered_and_replaced group by day having sum(n) > 0"
    ).fetchall()
    closures = find_closures((day for (day,) in rows), as_of, expected.values())
    replace_table(con, "ingest.business_days", pa.Table.from_pylist(_counted(closures, as_of), schema=_BUSINESS_DAYS))
    return closures


def _counted(closures: list[Closure], as_of: date) -> list[dict]:
    if not closures:
        return []
    counted, n_closed = [], 0
    first = closures[0].first_day
    for day in (first + _DAY * n for n in range((as_of - first).days + 1)):
        closed = any(closure.first_day <= day <= closure.last_day for closure in closures)
        counted.append(
            {"day": day, "closed_days_before": n_closed, "open_day": day - _DAY * n_closed, "is_closed": closed}
        )
        n_closed += closed
    return counted
