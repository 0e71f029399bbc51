"""What a check found, and the tables of stage validate that keep it.

In: results of suites, reconciliations. Out: rows of validate.check_results, and the run's verdict and manifest rows.
Which rules exist does not belong here (`expectations`, `reconciliations`), nor what follows from them (`verdict`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime
from typing import Any, Literal

import duckdb

from assets.shared.quoting import quoted
from assets.shared.tables import declared_table

Severity = Literal["blocking", "warning"]


@dataclass(frozen=True)
class CheckResult:
    """One rule on one table. `n_checked` and `n_failed` count rows, or are 1 and 0 or 1 where a whole table is judged;
    `observed` and `reason` are words for people, `failed_keys` the keys of rows that break it, where they are known."""

    kind: Literal["expectation", "reconciliation", "release"]
    table_name: str
    rule: str
    column_name: str | None
    severity: Severity
    passed: bool
    n_checked: int
    n_failed: int
    observed: str
    reason: str
    failed_keys: str | None = None


def check_suites(
    con: duckdb.DuckDBPyConnection,
    run_values: Mapping[str, Any],
    tables: Iterable[str] | None = None,
    without: Iterable[str] = (),
) -> list[CheckResult]:
    """Run the suites of `tables` (default all) but those of `without`; one result a rule.

    `run_values` holds as_of_date, run_id and every business parameter by name.
    """
    # Here and not above: a process that only publishes or only shows the asset graph needs no suites.
    from expectations.runner import run_suites
    from expectations.suite import all_suites

    wanted = set(tables) if tables is not None else None
    left_out = set(without)
    suites = [
        suite for suite in all_suites() if suite.table not in left_out and (wanted is None or suite.table in wanted)
    ]
    return [CheckResult("expectation", *astuple(found)) for found in run_suites(con, suites, run_values)]


def write_rows(
    con: duckdb.DuckDBPyConnection,
    table: str,
    as_of_date: date,
    rows: Sequence[Mapping[str, Any]],
    replace: bool = True,
) -> None:
    """Write `rows` (column to value) of `as_of_date` into a table of this stage. With `replace`, what any earlier run
    wrote for that date goes: a date that is validated again is judged by its newest run alone."""
    names = list(declared_table(table).duckdb_types)
    con.begin()
    try:
        if replace:
            con.execute(f"delete from {quoted(table)} where as_of_date = ?", [as_of_date])
        if rows:
            marks = ", ".join("?" for _ in names)
            con.executemany(
                f"insert into {quoted(table)} ({', '.join(map(quoted, names))}) values ({marks})",
                [[row[name] for name in names] for row in rows],
            )
        con.commit()
    except BaseException:
        con.rollback()
        raise


def as_rows(
    results: Iterable[CheckResult], as_of_date: date, run_id: str, checked_at: datetime
) -> list[dict[str, Any]]:
    """Rows of validate.check_results."""
    return [
        {"as_of_date": as_of_date, "run_id": run_id, "checked_at": checked_at, **vars(result)} for result in results
    ]
