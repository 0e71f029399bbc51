"""How a suite is declared: plain data, light at import.

In: nothing. Out: `Suite`, `Rule` and one small constructor for each kind of rule. Great Expectations itself is
imported only by `runner`, when a suite runs.

What belongs in a suite: plausibility (ranges, shares, volumes, identities between columns), and keys and nulls of
tables that Python writes. Keys, nulls and accepted values of SQL models are dbt data tests; agreement between tables
is `assets.validate.reconciliations`.

`blocking` means that the number cannot be right whatever the business looks like: nothing is published.
`warning` means that it is unusual enough to look at.
"""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import expectations

Severity = Literal["blocking", "warning"]


@dataclass(frozen=True)
class FromRun:
    """A bound known only in the run: `as_of_date`, `run_id` or the name of a business parameter."""

    name: str


@dataclass(frozen=True)
class Rule:
    """One expectation on one table. `name` is unique in its suite; `reason` says in words what must hold and why;
    `broken_where`, an SQL condition on a row, where the kind alone does not say which rows break it."""

    name: str
    expectation: str
    arguments: Mapping[str, Any]
    severity: Severity
    reason: str
    broken_where: str | None = None

    @property
    def column(self) -> str | None:
        """The column or columns the rule speaks of, None for a rule about the whole table."""
        columns = self.arguments.get("column_list") or [
            self.arguments[key] for key in ("column", "column_A", "column_B") if key in self.arguments
        ]
        return ", ".join(columns) or None


@dataclass(frozen=True)
class Suite:
    """All rules of `table` (`schema.table`)."""

    table: str
    rules: tuple[Rule, ...]

    def __post_init__(self):
        names = [rule.name for rule in self.rules]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated or not names:
            raise ValueError(f"suite of {self.table}: rules are missing or named twice: {repeated}")


def values_between(
    column: str,
    low: Any = None,
    high: Any = None,
    *,
    reason: str,
    severity: Severity = "blocking",
    mostly: float = 1.0,
    strict_high: bool = False,
    name: str | None = None,
) -> Rule:
    """Every value that is not null lies in [low, high] (`strict_high`: [low, high)); at least the share `mostly` of
    them if below 1."""
    arguments: dict[str, Any] = {"column": column, "min_value": low, "max_value": high}
    if mostly < 1:
        arguments["mostly"] = mostly
    if strict_high:
        arguments["strict_max"] = True
    return Rule(name or f"{column}_in_range", "ExpectColumnValuesToBeBetween", arguments, severity, reason)


def values_in_set(
    column: str,
    values: Sequence[Any],
    *,
    reason: str,
    severity: Severity = "blocking",
    mostly: float = 1.0,
    name: str | None = None,
) -> Rule:
    """Every value that is not null is one of `values`; at least the share `mostly` of them if below 1."""
    arguments: dict[str, Any] = {"column": column, "value_set": list(values)}
    if mostly < 1:
        arguments["mostly"] = mostly
    return Rule(name or f"{column}_is_known", "ExpectColumnValuesToBeInSet", arguments, severity, reason)


def never_null(column: str, *, reason: str, severity: Severity = "blocking") -> Rule:
    return Rule(f"{column}_present", "ExpectColumnValuesToNotBeNull", {"column": column}, severity, reason)


def share_known(column: str, low: float, *, reason: str, severity: Severity = "warning") -> Rule:
    """At least the share `low` of the rows has a value."""
    arguments = {"column": column, "min_value": low}
    expectation = "ExpectColumnProportionOfNonNullValuesToBeBetween"
    return Rule(f"{column}_mostly_known", expectation, arguments, severity, reason)


def unique(*columns: str, reason: str, severity: Severity = "blocking") -> Rule:
    """No two rows share the value, or the combination of values."""
    name = f"{'_'.join(columns)}_unique"
    if len(columns) == 1:
        return Rule(name, "ExpectColumnValuesToBeUnique", {"column": columns[0]}, severity, reason)
    return Rule(name, "ExpectCompoundColumnsToBeUnique", {"column_list": list(columns)}, severity, reason)


def at_least(larger: str, smaller: str, *, reason: str, severity: Severity = "blocking") -> Rule:
    """larger >= smaller on every row where both are known."""
    arguments = {
        "column_A": larger,
        "column_B": smaller,
        "or_equal": True,
        "ignore_row_if": "either_value_is_missing",
    }
    return Rule(f"{larger}_at_least_{smaller}", "ExpectColumnPairValuesAToBeGreaterThanB", arguments, severity, reason)


def mean_between(
    column: str, low: float | None, high: float | None, *, reason: str, severity: Severity = "warning"
) -> Rule:
    arguments = {"column": column, "min_value": low, "max_value": high}
    return Rule(f"{column}_mean_plausible", "ExpectColumnMeanToBeBetween", arguments, severity, reason)


def distinct_between(
    column: str, low: int | None, high: int | None, *, reason: str, severity: Severity = "warning"
) -> Rule:
    arguments = {"column": column, "min_value": low, "max_value": high}
    return Rule(f"{column}_variety", "ExpectColumnUniqueValueCountToBeBetween", arguments, severity, reason)


def rows_between(low: int | None, high: int | None = None, *, reason: str, severity: Severity = "blocking") -> Rule:
    arguments = {"min_value": low, "max_value": high}
    return Rule("row_count", "ExpectTableRowCountToBeBetween", arguments, severity, reason)


def no_rows_where(name: str, condition: str, *, reason: str, severity: Severity = "blocking") -> Rule:
    """No row fulfils the SQL `condition`. For what the kinds above cannot say; a null condition is no hit."""
    arguments = {"unexpected_rows_query": f"select 1 from {{batch}} where {condition}"}
    return Rule(name, "UnexpectedRowsExpectation", arguments, severity, reason, condition)


def no_total_where(name: str, totals: str, condition: str, *, reason: str, severity: Severity = "blocking") -> Rule:
    """The `totals` of all rows (SQL aggregates with names) do not fulfil the SQL `condition`; a null one is no hit."""
    query = f"select 1 from (select {totals} from {{batch}}) as totals where {condition}"
    return Rule(name, "UnexpectedRowsExpectation", {"unexpected_rows_query": query}, severity, reason)


def all_suites() -> tuple[Suite, ...]:
    """Every suite of the project, found by its path: `expectations/<stage>/<table>.py` holds `SUITE` of
    `<stage>.<table>`. Raises ValueError where path and table differ."""
    suites = []
    for stage in pkgutil.iter_modules(expectations.__path__):
        if not stage.ispkg:
            continue
        package = importlib.import_module(f"expectations.{stage.name}")
        for module in pkgutil.iter_modules(package.__path__):
            suite = importlib.import_module(f"expectations.{stage.name}.{module.name}").SUITE
            if suite.table != f"{stage.name}.{module.name}":
                raise ValueError(f"expectations/{stage.name}/{module.name}.py declares a suite of {suite.table}")
            suites.append(suite)
    return tuple(suites)
