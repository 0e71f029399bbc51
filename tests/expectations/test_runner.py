"""The runner: views, counts, what cannot be checked, and that nothing is imported before it is needed."""

import subprocess
import sys
from datetime import date

import duckdb
import pytest

from expectations.runner import run_suites
from expectations.suite import Rule, Suite, read_rule


def rule_of(column: str | None = None, **given) -> Rule:
    return read_rule("marts.people", column, {"reason": "It must.", **given})


@pytest.fixture
def con():
    with duckdb.connect() as con:
        con.execute("create schema marts; create schema score")
        con.execute("create table score.people as select i as id, i % 10 as digit from range(5000) t(i)")
        con.execute("create view marts.people as select * from score.people")
        yield con


def test_views_and_tables_of_one_name_are_told_apart(con):
    con.execute("create or replace table score.people as select -1 as id")
    con.execute("create or replace view marts.people as select 7 as id")
    rule = rule_of("id", between=[0, None])
    found = run_suites(con, [Suite("marts.people", (rule,)), Suite("score.people", (rule,))], {})
    assert [(r.table, r.passed, r.n_failed) for r in found] == [("marts.people", True, 0), ("score.people", False, 1)]


def test_failed_rows_are_counted_exactly(con):
    rules = (
        rule_of("digit", between=[0, 6]),
        rule_of(name="not_seven", no_rows_where="digit = 7"),
        rule_of("digit", unique=True),
        rule_of("digit", between=[0, 8], mostly=0.9, name="mostly"),
    )
    between, where, unique, mostly = run_suites(con, [Suite("marts.people", rules)], {})
    assert (between.n_checked, between.n_failed) == (5000, 1500)
    assert where.n_failed == 500 and where.n_checked == 5000 and "500 of 5000 rows" in where.reason
    assert unique.n_failed == 5000
    assert mostly.passed and mostly.n_failed == 500


def test_nulls_are_not_checked_and_an_empty_table_has_no_failures(con):
    con.execute("create table marts.sparse as select case when i = 0 then 1 end as x from range(10) t(i)")
    con.execute("create table marts.empty (x int)")
    rule = rule_of("x", between=[0, 5])
    sparse, empty = run_suites(con, [Suite("marts.sparse", (rule,)), Suite("marts.empty", (rule,))], {})
    assert (sparse.n_checked, sparse.passed) == (1, True)
    assert (empty.n_checked, empty.n_failed, empty.passed) == (0, 0, True)


def test_a_column_that_no_source_brings_has_no_implausible_values(con):
    con.execute("create table marts.absent as select null::double as x from range(3)")
    con.execute("create table marts.zeros as select 0.0::double as x from range(3)")
    rules = (
        rule_of("x", mean_between=[0.001, 1]),
        rule_of("x", distinct_between=[2, None]),
        rule_of("x", share_known=0.5, severity="warning"),
    )
    absent = run_suites(con, [Suite("marts.absent", rules)], {})
    zeros = run_suites(con, [Suite("marts.zeros", rules)], {})
    assert [r.passed for r in absent] == [True, True, False] and absent[0].n_checked == 0
    assert [r.passed for r in zeros] == [False, False, True]


def test_what_cannot_be_checked_fails_as_blocking(con):
    rules = (
        rule_of("absent", never_null=True, severity="warning"),
        rule_of("id", never_null=True),
        rule_of(name="broken", no_rows_where="nonsense(id)"),
    )
    nobody = Suite("marts.nobody", (rule_of(rows_between=[1, None], severity="warning"),))
    absent, present, bad_sql, no_table = run_suites(con, [Suite("marts.people", rules), nobody], {})
    assert present.passed
    for result, words in ((absent, "absent"), (no_table, "marts.nobody does not exist"), (bad_sql, "nonsense")):
        assert not result.passed and result.severity == "blocking"
        assert words in result.reason and "could not be checked" in result.reason


def test_bounds_come_from_the_run(con):
    con.execute("create table marts.stamped as select date '2017-05-01' as as_of_date, 30 as horizon_days")
    rules = (
        rule_of("as_of_date", between=[{"run": "as_of_date"}, {"run": "as_of_date"}]),
        rule_of("horizon_days", between=[{"run": "churn_horizon_days"}, None]),
    )
    stamped = Suite("marts.stamped", rules)
    good = run_suites(con, [stamped], {"as_of_date": date(2017, 5, 1), "churn_horizon_days": 30})
    bad = run_suites(con, [stamped], {"as_of_date": date(2017, 5, 2), "churn_horizon_days": 31})
    assert [r.passed for r in good] == [True, True] and [r.passed for r in bad] == [False, False]
    with pytest.raises(KeyError):
        run_suites(con, [stamped], {"as_of_date": date(2017, 5, 1)})


def test_a_suite_needs_rules_with_names_of_their_own():
    rule = rule_of(rows_between=[1, None])
    with pytest.raises(ValueError, match="row_count"):
        Suite("marts.people", (rule, rule))
    with pytest.raises(ValueError, match="marts.people"):
        Suite("marts.people", ())


@pytest.mark.parametrize(
    ("column", "given"),
    [
        ("digit", {}),
        ("digit", {"between": [0, 1], "never_null": True}),
        ("digit", {"rows_between": [0, 1]}),
        (None, {"between": [0, 1]}),
        (None, {"no_rows_where": "digit = 7"}),
        ("digit", {"between": [0, 1], "severity": "fatal"}),
        ("digit", {"between": [0, 1], "reason": ""}),
        ("digit", {"between": [0, 1], "colour": "red"}),
    ],
)
def test_a_rule_that_cannot_be_read_is_an_error(column, given):
    with pytest.raises(ValueError, match=r"marts\.people"):
        rule_of(column, **given)


def test_declaring_all_suites_imports_neither_great_expectations_nor_pandas():
    code = (
        "import sys; from expectations.suite import all_suites; from assets.validate import release_gate;"
        " assert len(all_suites()) > 10;"
        " print([m for m in ('great_expectations', 'pandas', 'sqlalchemy', 'dagster') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_running_a_suite_fetches_no_rows_and_sends_nothing(con, monkeypatch):
    import socket

    import great_expectations  # noqa: F401  (its import must not be charged to the check below)
    from sqlalchemy.engine import Engine

    def refuse(*_, **__):
        raise AssertionError("a check must not open a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    fetched = []
    from sqlalchemy import event

    def note(conn, cursor, statement, parameters, context, executemany):
        fetched.append(statement)

    event.listen(Engine, "after_cursor_execute", note)
    try:
        rules = (
            rule_of("digit", between=[0, 3]),
            rule_of("digit", one_of=[1, 2]),
            rule_of("id", unique=True),
        )
        run_suites(con, [Suite("marts.people", rules)], {})
    finally:
        event.remove(Engine, "after_cursor_execute", note)
    assert fetched
    plain = [sql for sql in fetched if "count" not in sql.lower() and "limit" not in sql.lower()]
    assert [sql for sql in plain if "duckdb_columns" not in sql] == []
