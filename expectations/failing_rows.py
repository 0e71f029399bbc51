"""The rows that break a rule, as an SQL condition, for rules that speak of single rows.

In: a rule and the values of the run. Out: a condition with its values, or None for rules about a whole table.
Great Expectations counts; this names, because it can name the rows of five kinds out of seven
(docs/decisions/0019-failing-rows.md). The two say the same of every kind of rule (tested on all suites).
"""

from collections.abc import Mapping
from typing import Any

from assets.shared.quoting import identifier
from expectations.suite import FromRun, Rule


def failing_rows(rule: Rule, run_values: Mapping[str, Any], table: str) -> tuple[str, list[Any]] | None:
    """(condition on a row of `table`, its values in order), None where the rule is not about single rows. `table` is
    quoted by the caller."""
    given = {k: run_values[v.name] if isinstance(v, FromRun) else v for k, v in rule.arguments.items()}
    kind = rule.expectation
    if kind == "ExpectColumnValuesToBeBetween":
        column, values, parts = identifier(given["column"]), [], []
        if given["min_value"] is not None:
            parts.append(f"{column} < ?")
            values.append(given["min_value"])
        if given["max_value"] is not None:
            parts.append(f"{column} {'>=' if given.get('strict_max') else '>'} ?")
            values.append(given["max_value"])
        return f"({' or '.join(parts)})", values
    if kind == "ExpectColumnValuesToBeInSet":
        marks = ", ".join("?" for _ in given["value_set"])
        return f"{identifier(given['column'])} not in ({marks})", list(given["value_set"])
    if kind == "ExpectColumnValuesToNotBeNull":
        return f"{identifier(given['column'])} is null", []
    if kind in ("ExpectColumnValuesToBeUnique", "ExpectCompoundColumnsToBeUnique"):
        columns = ", ".join(map(identifier, given.get("column_list") or [given["column"]]))
        return f"({columns}) in (select ({columns}) from {table} group by {columns} having count(*) > 1)", []
    if kind == "ExpectColumnPairValuesAToBeGreaterThanB":
        return f"{identifier(given['column_A'])} < {identifier(given['column_B'])}", []
    return None if rule.broken_where is None else (f"({rule.broken_where})", [])
