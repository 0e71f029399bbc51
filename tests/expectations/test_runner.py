"""The runner: views, counts, what cannot be checked, and that nothing is imported before it is needed."""

import subprocess
import sys
from datetime import date

import duckdb
import pytest

from expectations import suite as declare
from expectations.runner import run_suites
from expectations.suite import FromRun, Suite

WHY = "It must."


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
    rule = declare.values_between("id", 0, None, reason=WHY)
    found = run_suites(con, [Suite("marts.people", (rule,)), Suite("score.people", (rule,))], {})
    assert [(r.table, r.passed, r.n_failed) for r in found] == [("marts.people", True, 0), ("score.people", False, 1)]


def test_failed_rows_are_counted_exactly(con):
    rules = (
        declare.values_between("digit", 0, 6, reason=WHY),
        declare.no_rows_where("not_seven", "digit = 7", reason=WHY),
        declare.unique("digit", reason=WHY),
        declare.values_between("digit", 0, 8, mostly=0.9, reason=WHY, name="mostly"),
    )
    between, where, unique, mostly = run_suites(con, [Suite("marts.people", rules)], {})
    assert (between.n_checked, between.n_failed) == (5000, 1500)
    assert where.n_failed == 500 and where.n_checked == 5000 and "500 of 5000 rows" in where.reason
    assert unique.n_failed == 5000
    assert mostly.passed and mostly.n_failed == 500


def test_nulls_are_not_checked_and_an_empty_table_has_no_failures(con):
    con.execute("create table marts.sparse as select case when i = 0 then 1 end as x from range(10) t(i)")
    con.execute("create table marts.empty (x int)")
    rule = declare.values_between("x", 0, 5, reason=WHY)
    sparse, empty = run_suites(con, [Suite("marts.sparse", (rule,)), Suite("marts.empty", (rule,))], {})
    assert (sparse.n_checked, sparse.passed) == (1, True)
    assert (empty.n_checked, empty.n_failed, empty.passed) == (0, 0, True)


def test_a_column_that_no_source_brings_has_no_implausible_values(con):
    con.execute("create table marts.absent as select null::double as x from range(3)")
    con.execute("create table marts.zeros as select 0.0::double as x from range(3)")
    rules = (
        declare.mean_between("x", 0.001, 1, reason=WHY),
        declare.distinct_between("x", 2, None, reason=WHY),
        declare.share_known("x", 0.5, reason=WHY),
    )
    absent = run_suites(con, [Suite("marts.absent", rules)], {})
    zeros = run_suites(con, [Suite("marts.zeros", rules)], {})
    assert [r.passed for r in absent] == [True, True, False] and absent[0].n_checked == 0
    assert [r.passed for r in zeros] == [False, False, True]


def test_what_cannot_be_checked_fails_as_blocking(con):
    rules = (
        declare.never_null("absent", reason=WHY, severity="warning"),
        declare.never_null("id", reason=WHY),
        declare.no_rows_where("broken", "nonsense(id)", reason=WHY),
    )
    nobody = Suite("marts.nobody", (declare.rows_between(1, reason=WHY, severity="warning"),))
    absent, present, bad_sql, no_table = run_suites(con, [Suite("marts.people", rules), nobody], {})
    assert present.passed
    for result, words in ((absent, "absent"), (no_table, "marts.nobody does not exist"), (bad_sql, "nonsense")):
        assert not result.passed and result.severity == "blocking"
        assert words in result.reason and "could not be checked" in result.reason


def test_bounds_come_from_the_run(con):
    con.execute("create table marts.stamped as select date '2017-05-01' as as_of_date, 30 as horizon_days")
    rules = (
        declare.values_between("as_of_date", FromRun("as_of_date"), FromRun("as_of_date"), reason=WHY),
        declare.values_between("horizon_days", FromRun("churn_horizon_days"), None, reason=WHY),
    )
    stamped = Suite("marts.stamped", rules)
    good = run_suites(con, [stamped], {"as_of_date": date(2017, 5, 1), "churn_horizon_days": 30})
    bad = run_suites(con, [stamped], {"as_of_date": date(2017, 5, 2), "churn_horizon_days": 31})
    assert [r.passed for r in good] == [True, True] and [r.passed for r in bad] == [False, False]
    with pytest.raises(KeyError):
        run_suites(con, [stamped], {"as_of_date": date(2017, 5, 1)})


def test_a_suite_needs_rules_with_names_of_their_own():
    rule = declare.rows_between(1, reason=WHY)
    with pytest.raises(ValueError, match="row_count"):
        Suite("marts.people", (rule, rule))
    with pytest.raises(ValueError, match="marts.people"):
        Suite("marts.people", ())


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
            declare.values_between("digit", 0, 3, reason=WHY),
            declare.values_in_set("digit", [1, 2], reason=WHY),
            declare.unique("id", reason=WHY),
        )
        run_suites(con, [Suite("marts.people", rules)], {})
    finally:
        event.remove(Engine, "after_cursor_execute", note)
    assert fetched
    plain = [sql for sql in fetched if "count" not in sql.lower() and "limit" not in sql.lower()]
    assert [sql for sql in plain if "duckdb_columns" not in sql] == []
