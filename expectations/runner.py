"""Runs suites with Great Expectations inside the engine, through SQL, on the caller's own DuckDB connection.

In: a connection, suites, the values of the run. Out: one `RuleResult` a rule. No table is pulled into memory: every
query returns aggregates. Tables and views alike.

Great Expectations (two to seven seconds, 300 MB) is imported when the first suite runs, never before.
One context and one data source serve all suites; the column rules of a table are bundled into one query by Great
Expectations itself, which leaves about 6 ms a rule.
"""

import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import duckdb

from assets.shared.quoting import quoted
from expectations.suite import FromRun, Rule, Severity, Suite

#: Rules about the values that are there, and what they observe where there is none, as in a column that no source
#: delivers. They then have nothing to judge and hold; that values are there at all is the business of other rules.
WITHOUT_VALUES = {"ExpectColumnMeanToBeBetween": None, "ExpectColumnUniqueValueCountToBeBetween": 0}


@dataclass(frozen=True)
class RuleResult:
    """What a rule found. `n_checked` and `n_failed` count rows for rules about rows, and are 1 and 0 or 1 for rules
    about a whole table or an aggregate. `observed` and `reason` are words for people."""

    table: str
    rule: str
    column: str | None
    severity: Severity
    passed: bool
    n_checked: int
    n_failed: int
    observed: str
    reason: str


def run_suites(
    con: duckdb.DuckDBPyConnection, suites: Iterable[Suite], run_values: Mapping[str, Any]
) -> list[RuleResult]:
    """Check every suite and return a result for each of its rules, in the order of declaration.

    `run_values` holds `as_of_date`, `run_id` and every business parameter by name (see `FromRun`). A rule that cannot
    be evaluated, for instance because its table or column is missing, fails as blocking: what was not checked has not
    passed. Raises KeyError for a `FromRun` that the run does not know.
    """
    suites = list(suites)
    present = {suite.table for suite in suites if _exists(con, suite.table)}
    results: list[RuleResult] = []
    with _data_source(con) if present else nullcontext() as source:
        for suite in suites:
            if suite.table in present:
                results += _run_suite(con, source, suite, run_values)
            else:
                results += [_unchecked(suite, rule, f"table {suite.table} does not exist") for rule in suite.rules]
    return results


def _run_suite(con, source, suite: Suite, run_values: Mapping[str, Any]) -> list[RuleResult]:
    import great_expectations as gx

    schema, table = suite.table.split(".")
    n_rows = con.execute(f"select count(*) from {quoted(suite.table)}").fetchone()[0]
    asset = source.add_table_asset(suite.table, table_name=table, schema_name=schema)
    batch = asset.add_batch_definition_whole_table("all rows").get_batch()
    declared = gx.ExpectationSuite(
        name=suite.table,
        expectations=[_expectation(rule, run_values, position) for position, rule in enumerate(suite.rules)],
    )
    # No sample of failing values is asked for: the counts go into the tables, values might be personal.
    outcome = batch.validate(declared, result_format={"result_format": "BASIC", "partial_unexpected_count": 0})
    by_position = {result.expectation_config.meta["position"]: result for result in outcome.results}
    return [_result(suite, rule, by_position[position], n_rows) for position, rule in enumerate(suite.rules)]


@contextmanager
def _without_spark() -> Iterator[None]:
    """Let Great Expectations find no Spark. It imports Spark where that is installed, which takes a second and, in the
    processes that Dagster's daemon starts for its runs, ends the process: Spark takes them for doctests."""
    hidden = "pyspark" not in sys.modules
    if hidden:
        cast(dict[str, Any], sys.modules)["pyspark"] = None
    try:
        yield
    finally:
        if hidden:
            del sys.modules["pyspark"]


@contextmanager
def _data_source(con: duckdb.DuckDBPyConnection) -> Iterator[Any]:
    """An SQL data source of Great Expectations whose connections are cursors of `con`, all closed on exit: one left
    open would keep the file locked after `con` is closed.

    A second connection to the file of its own would need the same settings as `con`, or DuckDB refuses it.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with _without_spark():
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig
    from sqlalchemy import event

    from expectations import duckdb_dialect

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    duckdb_dialect.register()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    source = context.data_sources.add_sql("warehouse", connection_string=duckdb_dialect.URL)
    # Great Expectations holds two engines: one that looks whether a table is there, one that computes.
    engines = (source.get_engine(), source.get_execution_engine().engine)
    for engine in engines:
        event.listen(engine, "do_connect", lambda *_: con.cursor())
        engine.dispose()
    try:
        yield source
    finally:
        for engine in engines:
            engine.dispose()


def _expectation(rule: Rule, run_values: Mapping[str, Any], position: int):
    import great_expectations.expectations as kinds

    arguments = {
        key: run_values[value.name] if isinstance(value, FromRun) else value for key, value in rule.arguments.items()
    }
    return getattr(kinds, rule.expectation)(**arguments, meta={"position": position})


def _result(suite: Suite, rule: Rule, outcome: Any, n_rows: int) -> RuleResult:
    error = _error(outcome.exception_info)
    if error:
        return _unchecked(suite, rule, error)
    found, passed = outcome.result, bool(outcome.success)
    if "unexpected_count" in found:
        n_checked = found["element_count"] - (found.get("missing_count") or 0)
        n_failed = found["unexpected_count"] or 0
        observed = f"{n_failed} of {n_checked} rows break the rule"
    elif rule.expectation == "UnexpectedRowsExpectation":
        n_checked, n_failed = n_rows, found["observed_value"]
        observed = f"{n_failed} of {n_checked} rows break the rule"
    elif rule.expectation in WITHOUT_VALUES and found["observed_value"] == WITHOUT_VALUES[rule.expectation]:
        passed, n_checked, n_failed, observed = True, 0, 0, "no value"
    else:
        n_checked, n_failed = 1, int(not passed)
        observed = _in_words(found["observed_value"])
    reason = rule.reason if passed else f"{rule.reason} Observed: {observed}."
    return RuleResult(
        suite.table, rule.name, rule.column, rule.severity, passed, int(n_checked), int(n_failed), observed, reason
    )


def _unchecked(suite: Suite, rule: Rule, why: str) -> RuleResult:
    return RuleResult(
        suite.table,
        rule.name,
        rule.column,
        "blocking",
        False,
        0,
        0,
        "could not be checked",
        f"{rule.reason} This could not be checked: {why}.",
    )


def _error(info: Mapping[str, Any] | None) -> str | None:
    """The message of the first error, None if there was none. Great Expectations nests them by metric."""
    if not info:
        return None
    if "raised_exception" in info:
        return str(info.get("exception_message") or "unknown error") if info["raised_exception"] else None
    messages = [message for nested in info.values() if (message := _error(nested))]
    return messages[0].splitlines()[0] if messages else None


def _in_words(value: Any) -> str:
    if value is None:
        return "no value"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _exists(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    schema, name = table.split(".")
    found: Sequence = con.execute(
        "select 1 from information_schema.tables"
        " where table_catalog = current_database() and table_schema = ? and table_name = ?",
        [schema, name],
    ).fetchall()
    return bool(found)
