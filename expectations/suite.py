"""The suites of Great Expectations, from the rules that stand next to the tables and columns in the dbt YAML.

In: declarations (`assets.shared.tables`). Out: `Suite`, one `Rule` for each. Great Expectations itself is imported
only by `runner`, when a suite runs.

What belongs under `rules`: plausibility (ranges, shares, volumes, identities between columns), and keys and nulls of
tables that Python writes. Keys, nulls and accepted values of SQL models are dbt data tests; agreement between tables
is `assets.validate.reconciliations`. A rule is one of the kinds of `COLUMN_KINDS` or `TABLE_KINDS`, with

* `reason`: in words, what must hold and why; a sentence.
* `severity`: `blocking` (default) means that the number cannot be right whatever the business looks like, and nothing
  is published; `warning` means that it is unusual enough to look at.
* `name`: only where the kind does not give a good one; unique in its table.

A bound may be `{run: NAME}`: known only in the run, which is `as_of_date`, `run_id` or a business parameter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from assets.shared.tables import Table, declared_tables

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

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.rules]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated or not names:
            raise ValueError(f"rules of {self.table}: missing, or names used twice: {repeated}")


#: What a rule asks of Great Expectations: name where none is given, expectation, arguments.
Asked = tuple[str | None, str, dict[str, Any]]


def _between(column: str, given: Mapping[str, Any]) -> Asked:
    """Every value that is not null lies in [low, high] (`strict_high`: [low, high)); at least the share `mostly`."""
    low, high = given["between"]
    arguments = {"column": column, "min_value": low, "max_value": high}
    arguments |= {"mostly": given["mostly"]} if "mostly" in given else {}
    arguments |= {"strict_max": True} if given.get("strict_high") else {}
    return f"{column}_in_range", "ExpectColumnValuesToBeBetween", arguments


def _one_of(column: str, given: Mapping[str, Any]) -> Asked:
    """Every value that is not null is one of the list; at least the share `mostly`."""
    arguments = {"column": column, "value_set": list(given["one_of"])}
    arguments |= {"mostly": given["mostly"]} if "mostly" in given else {}
    return f"{column}_is_known", "ExpectColumnValuesToBeInSet", arguments


def _never_null(column: str, given: Mapping[str, Any]) -> Asked:
    return f"{column}_present", "ExpectColumnValuesToNotBeNull", {"column": column}


def _unique_value(column: str, given: Mapping[str, Any]) -> Asked:
    return f"{column}_unique", "ExpectColumnValuesToBeUnique", {"column": column}


def _share_known(column: str, given: Mapping[str, Any]) -> Asked:
    """At least this share of the rows has a value."""
    arguments = {"column": column, "min_value": given["share_known"]}
    return f"{column}_mostly_known", "ExpectColumnProportionOfNonNullValuesToBeBetween", arguments


def _mean_between(column: str, given: Mapping[str, Any]) -> Asked:
    low, high = given["mean_between"]
    arguments = {"column": column, "min_value": low, "max_value": high}
    return f"{column}_mean_plausible", "ExpectColumnMeanToBeBetween", arguments


def _distinct_between(column: str, given: Mapping[str, Any]) -> Asked:
    low, high = given["distinct_between"]
    arguments = {"column": column, "min_value": low, "max_value": high}
    return f"{column}_variety", "ExpectColumnUniqueValueCountToBeBetween", arguments


def _rows_between(given: Mapping[str, Any]) -> Asked:
    low, high = given["rows_between"]
    return "row_count", "ExpectTableRowCountToBeBetween", {"min_value": low, "max_value": high}


def _unique_columns(given: Mapping[str, Any]) -> Asked:
    """No two rows share the combination of values."""
    columns = list(given["unique"])
    return f"{'_'.join(columns)}_unique", "ExpectCompoundColumnsToBeUnique", {"column_list": columns}


def _at_least(given: Mapping[str, Any]) -> Asked:
    """[larger, smaller]: larger >= smaller on every row where both are known."""
    larger, smaller = given["at_least"]
    arguments = {
        "column_A": larger,
        "column_B": smaller,
        "or_equal": True,
        "ignore_row_if": "either_value_is_missing",
    }
    return f"{larger}_at_least_{smaller}", "ExpectColumnPairValuesAToBeGreaterThanB", arguments


def _no_rows_where(given: Mapping[str, Any]) -> Asked:
    """No row meets the SQL condition; a null condition is no hit. For what the other kinds cannot say."""
    query = f"select 1 from {{batch}} where {given['no_rows_where'].strip()}"
    return None, "UnexpectedRowsExpectation", {"unexpected_rows_query": query}


def _no_total_where(given: Mapping[str, Any]) -> Asked:
    """The `totals` of all rows (SQL aggregates with names) do not meet the SQL condition; a null one is no hit."""
    totals, condition = given["totals"].strip(), given["no_total_where"].strip()
    query = f"select 1 from (select {totals} from {{batch}}) as totals where {condition}"
    return None, "UnexpectedRowsExpectation", {"unexpected_rows_query": query}


#: Kinds of rules under a column, by the key that names them.
COLUMN_KINDS: dict[str, Callable[[str, Mapping[str, Any]], Asked]] = {
    "between": _between,
    "one_of": _one_of,
    "never_null": _never_null,
    "unique": _unique_value,
    "share_known": _share_known,
    "mean_between": _mean_between,
    "distinct_between": _distinct_between,
}
#: Kinds of rules under a table.
TABLE_KINDS: dict[str, Callable[[Mapping[str, Any]], Asked]] = {
    "rows_between": _rows_between,
    "unique": _unique_columns,
    "at_least": _at_least,
    "no_rows_where": _no_rows_where,
    "no_total_where": _no_total_where,
}


def all_suites() -> tuple[Suite, ...]:
    """The suite of every declared table that has rules. Raises ValueError for a rule that cannot be read."""
    suites = [suite_of(table) for table in declared_tables().values()]
    return tuple(suite for suite in suites if suite is not None)


def suite_of(table: Table) -> Suite | None:
    """The rules of one table, those about the whole table first; None where it has none."""
    rules = [read_rule(table.name, None, given) for given in table.rules]
    rules += [read_rule(table.name, column.name, given) for column in table.columns for given in column.rules]
    return Suite(table.name, tuple(rules)) if rules else None


def read_rule(table: str, column: str | None, given: Mapping[str, Any]) -> Rule:
    """One rule as the YAML gives it, about a column or (None) about the table. Raises ValueError where its kind, name,
    reason or severity is missing or not known."""
    where, known = (f"{table}.{column}", list(COLUMN_KINDS)) if column else (table, list(TABLE_KINDS))
    kinds = [kind for kind in given if kind in known]
    unknown = set(given) - {*known, "name", "reason", "severity", "mostly", "strict_high", "totals"}
    if len(kinds) != 1 or unknown:
        raise ValueError(f"{where}: a rule has exactly one of {', '.join(known)}, but it is {dict(given)}")
    resolved = {key: _resolve(value) for key, value in given.items()}
    name, expectation, arguments = (
        TABLE_KINDS[kinds[0]](resolved) if column is None else COLUMN_KINDS[kinds[0]](column, resolved)
    )
    name, severity = given.get("name", name), given.get("severity", "blocking")
    if name is None or not given.get("reason") or severity not in ("blocking", "warning"):
        raise ValueError(f"{where}: a rule {kinds[0]} lacks its name, its reason or a known severity")
    broken_where = given["no_rows_where"].strip() if "no_rows_where" in given else None
    return Rule(name, expectation, arguments, severity, given["reason"].strip(), broken_where)


def _resolve(value: Any) -> Any:
    """Bounds of the run as `FromRun`."""
    if isinstance(value, Mapping) and set(value) == {"run"}:
        return FromRun(value["run"])
    return [_resolve(item) for item in value] if isinstance(value, list) else value
