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


def break_rule(con, table: str, copy: str, rule: Rule) -> None:
    """Change `copy`, a good copy of `table`, so that `rule` fails, by its kind or a statement of `BREAKING`."""
    if (table, rule.name) in BREAKING:
        con.execute(BREAKING[table, rule.name].replace("update t ", f"update {copy} "))
        return
    arguments = {k: RUN_VALUES[v.name] if isinstance(v, FromRun) else v for k, v in rule.arguments.items()}
    column, low, high = (arguments.get(name) for name in ("column", "min_value", "max_value"))
    one_row = "" if "mostly" in arguments else f" where rowid = (select min(rowid) from {copy})"
    kind = rule.expectation
    if kind == "ExpectColumnValuesToBeBetween":
        if arguments.get("strict_max"):
            value = high
        else:
            step = timedelta(days=1) if isinstance(low or high, date) else 1
            value = high + step if high is not None else low - step
        con.execute(f"update {copy} set {column} = ?{one_row}", [value])
    elif kind == "ExpectColumnMeanToBeBetween":
        con.execute(f"update {copy} set {column} = ?", [high + 0.01])
    elif kind == "ExpectColumnValuesToBeInSet":
        con.execute(f"update {copy} set {column} = ?{one_row}", [False if True in arguments["value_set"] else "odd"])
    elif kind == "ExpectColumnValuesToNotBeNull":
        con.execute(f"update {copy} set {column} = null{one_row}")
    elif kind in {"ExpectColumnValuesToBeUnique", "ExpectCompoundColumnsToBeUnique"}:
        con.execute(f"insert into {copy} from {copy} limit 1")
    elif kind == "ExpectColumnPairValuesAToBeGreaterThanB":
        con.execute(f"update {copy} set {arguments['column_A']} = {arguments['column_B']} - 1{one_row}")
    elif kind == "ExpectColumnUniqueValueCountToBeBetween":
        con.execute(f"update {copy} set {column} = (select max({column}) from {copy})")
    elif kind == "ExpectColumnProportionOfNonNullValuesToBeBetween":
        con.execute(f"update {copy} set {column} = null")
    elif kind == "ExpectTableRowCountToBeBetween":
        con.execute(f"delete from {copy}" if low else f"insert into {copy} from {copy}")
    else:
        raise AssertionError(f"no way to break {table} {rule.name}: add one to BREAKING")


@pytest.mark.parametrize("table", sorted(SUITES))
def test_a_good_table_passes(con, table):
    make_good(con, table)
    results = run_suites(con, [SUITES[table]], RUN_VALUES)
    assert [r.rule for r in results] == [rule.name for rule in SUITES[table].rules]
    assert {r.rule: r.reason for r in results if not r.passed} == {}


@pytest.mark.parametrize("table", sorted(SUITES))
def test_every_rule_can_fail(con, table):
    broken = []
    for position, rule in enumerate(SUITES[table].rules):
        copy = f"{table}_{position}"
        make_good(con, table)
        con.execute(f"create table {copy} as from {table}")
        break_rule(con, table, copy, rule)
        broken.append(Suite(copy, (rule,)))
    for result, suite in zip(run_suites(con, broken, RUN_VALUES), broken, strict=True):
        (rule,) = suite.rules
        assert result.rule == rule.name and not result.passed, rule.name
        assert 1 <= result.n_failed <= result.n_checked, rule.name
        assert result.severity == rule.severity, rule.name
        assert result.reason.startswith(rule.reason) and result.observed in result.reason, rule.name


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


@pytest.mark.parametrize(("n", "high", "is_worse"), [(200, 0.5, False), (200, 0.499, True), (199, 0.499, False)])
def test_a_model_is_worse_than_a_coin_beyond_chance_only(con, n, high, is_worse):
    table = "marts.model_performance"
    make_good(con, table)
    con.execute(f"update {table} set value = 0.4, low = 0.3, high = ?, n_rows = ? where metric = 'auc'", [high, n])
    found = run_suites(con, [SUITES[table]], RUN_VALUES)
    assert ("scoring_model_beats_a_coin" in {result.rule for result in found if not result.passed}) == is_worse
