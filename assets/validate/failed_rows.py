"""Which rows break a rule: their keys, never their values, so that somebody can look them up.

In: failed results and the declarations behind them. Out: the same results with `failed_keys` in words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import duckdb

from assets.shared.quoting import quoted
from assets.validate.checks import CheckResult

N_KEYS = 20

#: Columns that name a row where no key is declared for its table, in the order in which they are shown.
NAMING = (
    "source", "batch_id", "file", "line_number", "customer_id", "order_id", "line_id", "day", "cutoff_date", "kpi_date",
    "candidate_id", "campaign_id", "action_id", "table_name", "rule", "metric", "measure", "boundary",
)  # fmt: skip


def with_failed_keys(
    con: duckdb.DuckDBPyConnection,
    results: Sequence[CheckResult],
    run_values: Mapping[str, Any],
    keys: Mapping[str, Sequence[str]],
) -> list[CheckResult]:
    """The results, failed expectations with the keys of their rows. `keys`: `schema.table` to its key columns."""
    if all(result.passed or result.kind != "expectation" for result in results):
        return list(results)
    from expectations.failing_rows import failing_rows
    from expectations.suite import all_suites

    rules = {(suite.table, rule.name): rule for suite in all_suites() for rule in suite.rules}
    found = []
    for result in results:
        rule = rules.get((result.table_name, result.rule))
        if result.passed or rule is None or not result.n_failed:
            found.append(result)
            continue
        condition = failing_rows(rule, run_values, quoted(result.table_name))
        words = _keys(con, result, keys, *condition) if condition else None
        found.append(replace(result, failed_keys=words))
    return found


def _keys(
    con: duckdb.DuckDBPyConnection,
    result: CheckResult,
    keys: Mapping[str, Sequence[str]],
    condition: str,
    values: Sequence[Any],
) -> str | None:
    try:
        present = [row[0] for row in con.execute(f"describe {quoted(result.table_name)}").fetchall()]
        key = [name for name in keys.get(result.table_name) or NAMING if name in present]
        if not key:
            return None
        columns = ", ".join(map(quoted, key))
        rows = con.execute(
            f"select distinct {columns} from {quoted(result.table_name)} where {condition} order by all"
            f" limit {N_KEYS + 1}",
            list(values),
        ).fetchall()
    except duckdb.Error:
        return None
    return in_words(key, rows, result.n_failed)


def in_words(key: Sequence[str], rows: Sequence[tuple], n_failed: int) -> str | None:
    """`customer_id=c1; customer_id=c2; and 7 more`: the rows of `key` in words, at most twenty of them."""
    if not rows:
        return None
    shown = ["; ".join(f"{name}={value}" for name, value in zip(key, row, strict=True)) for row in rows[:N_KEYS]]
    separator = " | " if len(key) > 1 else "; "
    more = max(n_failed - N_KEYS, len(rows) - N_KEYS)
    return separator.join(shown) + (f"{separator}and {more} more" if more > 0 else "")
