"""Each suite passes a good table and fails one broken table for each of its rules."""

from datetime import date, timedelta

import duckdb
import pytest
from good_tables import BREAKING, GOOD

from assets.shared.params import load_params
from expectations.runner import run_suites
from expectations.suite import FromRun, Rule, Suite, all_suites

SUITES = {suite.table: suite for suite in all_suites()}
RUN_VALUES = {**load_params().model_dump(), "as_of_date": date(2017, 12, 31), "run_id": "run-1"}
RULES = [(table, rule) for table, suite in SUITES.items() for rule in suite.rules]


@pytest.fixture
def con():
    with duckdb.connect() as con:
        yield con


def make_good(con, table: str) -> None:
    con.execute(f"create schema if not exists {table.split('.')[0]}")
    con.execute(f"create or replace table {table} as {GOOD[table]}")


def break_rule(con, table: str, rule: Rule) -> None:
    """Change the good `table` so that `rule` no longer holds, by its kind or by the statement kept for it."""
    if (table, rule.name) in BREAKING:
        con.execute(BREAKING[table, rule.name].replace("update t ", f"update {table} "))
        return
    arguments = {k: RUN_VALUES[v.name] if isinstance(v, FromRun) else v for k, v in rule.arguments.items()}
    column, low, high = (arguments.get(name) for name in ("column", "min_value", "max_value"))
    one_row = "" if "mostly" in arguments else f" where rowid = (select min(rowid) from {table})"
    kind = rule.expectation
    if kind == "ExpectColumnValuesToBeBetween":
        if arguments.get("strict_max"):
            value = high
        else:
            step = timedelta(days=1) if isinstance(low or high, date) else 1
            value = high + step if high is not None else low - step
        con.execute(f"update {table} set {column} = ?{one_row}", [value])
    elif kind == "ExpectColumnMeanToBeBetween":
        con.execute(f"update {table} set {column} = ?", [high + 0.01])
    elif kind == "ExpectColumnValuesToBeInSet":
        con.execute(f"update {table} set {column} = ?{one_row}", [False if True in arguments["value_set"] else "odd"])
    elif kind == "ExpectColumnValuesToNotBeNull":
        con.execute(f"update {table} set {column} = null{one_row}")
    elif kind in {"ExpectColumnValuesToBeUnique", "ExpectCompoundColumnsToBeUnique"}:
        con.execute(f"insert into {table} from {table} limit 1")
    elif kind == "ExpectColumnPairValuesAToBeGreaterThanB":
        con.execute(f"update {table} set {arguments['column_A']} = {arguments['column_B']} - 1{one_row}")
    elif kind == "ExpectColumnUniqueValueCountToBeBetween":
        con.execute(f"update {table} set {column} = (select max({column}) from {table})")
    elif kind == "ExpectColumnProportionOfNonNullValuesToBeBetween":
        con.execute(f"update {table} set {column} = null")
    elif kind == "ExpectTableRowCountToBeBetween":
        con.execute(f"delete from {table}" if low else f"insert into {table} from {table}")
    else:
        raise AssertionError(f"no way to break {table} {rule.name}: add one to BREAKING")


@pytest.mark.parametrize("table", sorted(SUITES))
def test_a_good_table_passes(con, table):
    make_good(con, table)
    results = run_suites(con, [SUITES[table]], RUN_VALUES)
    assert [r.rule for r in results] == [rule.name for rule in SUITES[table].rules]
    assert {r.rule: r.reason for r in results if not r.passed} == {}


@pytest.mark.parametrize("table, rule", RULES, ids=[f"{table}-{rule.name}" for table, rule in RULES])
def test_every_rule_can_fail(con, table, rule):
    make_good(con, table)
    break_rule(con, table, rule)
    (result,) = run_suites(con, [Suite(table, (rule,))], RUN_VALUES)
    assert not result.passed
    assert 1 <= result.n_failed <= result.n_checked
    assert result.severity == rule.severity
    assert result.reason.startswith(rule.reason) and result.observed in result.reason


def test_no_leftover_statements():
    known = {(table, rule.name) for table, rule in RULES}
    assert set(BREAKING) <= known and set(GOOD) == set(SUITES)


def test_reasons_are_sentences():
    for table, rule in RULES:
        assert not rule.reason[0].islower() and rule.reason.endswith("."), (table, rule.name)


def test_suites_of_marts_name_only_promised_columns(con, project):
    """A rule on a column that the mart's contract does not have would block every release."""
    for node in project.models_in("marts").values():
        table = f"marts.{node['alias']}"
        columns = ", ".join(f"{c['name']} {c['data_type']}" for c in node["columns"].values())
        con.execute("create schema if not exists marts")
        con.execute(f"create or replace table {table} ({columns})")
        unchecked = [r.reason for r in run_suites(con, [SUITES[table]], RUN_VALUES) if not r.n_checked and not r.passed]
        assert unchecked == []
