"""The whole gate on a small warehouse: what it writes, that it judges itself, and that it can be repeated."""

import json
from datetime import UTC, date, datetime

import duckdb
import pytest
from small_warehouse import AS_OF, RUN_ID, build

from assets.shared.params import load_params
from assets.shared.settings import Settings
from assets.shared.tables import declared_table, tables_of
from assets.shared.warehouse import ensure_tables
from assets.validate import release_gate
from assets.validate.checks import CheckResult, write_rows
from assets.validate.release_gate import check_tables, validate_run

PARAMS = load_params({"validate_max_quarantine_share": 0.1, "actions_global_holdout_share": 0.2})
OWN = tables_of("validate")
STARTED = datetime(2018, 1, 1, 2, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path) -> Settings:
    settings = Settings(home=tmp_path, sources=("shop",))
    with duckdb.connect(str(settings.warehouse)) as con:
        build(con)
        ensure_tables(con, OWN)
        for mart, table in (("data_quality", "check_results"), ("run_manifest", "run_manifest")):
            con.execute(
                f"create view marts.{mart} as select * from validate.{table}"
                f" where as_of_date = date '{AS_OF}' and run_id = '{RUN_ID}'"
            )
    return settings


@pytest.fixture
def suites(monkeypatch):
    """The suites' answers, given by the test: the real ones are tested with the expectations."""
    answers = {"marts.churn_scores": True, "marts.data_quality": True, "marts.run_manifest": True}
    seen = []

    def check_suites(con, run_values, tables=None, without=()):
        chosen = [t for t in answers if t not in without and (tables is None or t in tables)]
        rows = con.execute("select count(*) from marts.data_quality").fetchone()[0]
        seen.append((chosen, rows, run_values["run_id"]))
        return [
            CheckResult("expectation", t, "rule", None, "blocking", answers[t], 1, 0 if answers[t] else 1, "x", "Why.")
            for t in chosen
        ]

    monkeypatch.setattr(release_gate, "check_suites", check_suites)
    return answers, seen


def rows(settings: Settings, sql: str) -> list[tuple]:
    with duckdb.connect(str(settings.warehouse)) as con:
        return con.execute(sql).fetchall()


def run(settings: Settings, as_of: date = AS_OF, run_id: str = RUN_ID):
    return validate_run(settings, as_of, run_id, PARAMS, STARTED, "abc123")


def test_a_sound_run_passes_and_leaves_results_manifest_and_verdict(settings, suites):
    found = run(settings)
    assert found.verdict.passed, found.verdict.reason
    ((passed, n_checks, reason),) = rows(settings, "select passed, n_checks, reason from validate.verdicts")
    assert passed and n_checks == len(found.results) and reason == found.verdict.reason
    assert rows(settings, "select count(*) from marts.data_quality") == [(len(found.results),)]
    ((verdict, sources, model, rows_in, parameters, versions, table_rows, started, code),) = rows(
        settings,
        "select verdict, sources, model_version, rows_in, parameters, versions, table_rows, started_at, code_version"
        " from marts.run_manifest",
    )
    assert (verdict, sources, model, rows_in, code) == ("passed", "shop", "2017-12-01-m1", 25, "abc123")
    assert started == datetime(2018, 1, 1, 2)
    assert json.loads(parameters) == PARAMS.model_dump() and "duckdb" in json.loads(versions)
    counted = json.loads(table_rows)
    assert counted["churn_scores"] == 5 and counted["run_manifest"] == 1
    assert counted["data_quality"] == len(found.results)


def test_marts_about_the_results_are_checked_once_the_results_are_there(settings, suites):
    found = run(settings)
    (first, rows_before, _), (last, rows_then, _) = suites[1]
    assert (first, rows_before) == (["marts.churn_scores"], 0)
    assert last == ["marts.data_quality", "marts.run_manifest"]
    assert 0 < rows_then < len(found.results)


@pytest.mark.parametrize("table", ["marts.churn_scores", "marts.run_manifest"])
def test_a_failing_suite_fails_the_verdict_and_the_manifest(settings, suites, table):
    suites[0][table] = False
    found = run(settings)
    assert not found.verdict.passed and f"{table} rule" in found.verdict.reason
    assert rows(settings, "select verdict, verdict_reason from marts.run_manifest") == [
        ("failed", found.verdict.reason)
    ]


def test_a_failing_reconciliation_fails_the_verdict(settings, suites):
    rows(settings, "delete from score.churn_scores where customer_id = 'c1' returning 1")
    found = run(settings)
    assert not found.verdict.passed and "covers_every_customer" in found.verdict.reason


def test_marts_of_another_run_fail_the_verdict(settings, suites):
    found = run(settings, run_id="another")
    assert not found.verdict.passed and "one_date_one_run" in found.verdict.reason


def test_repeating_doubles_nothing_and_other_dates_stay(settings, suites):
    run(settings)
    with duckdb.connect(str(settings.warehouse)) as con:
        write_rows(
            con,
            "validate.verdicts",
            date(2017, 6, 1),
            [
                {
                    "as_of_date": date(2017, 6, 1),
                    "run_id": "old",
                    "passed": True,
                    "n_checks": 1,
                    "n_failed_blocking": 0,
                    "n_failed_warning": 0,
                    "reason": "",
                    "page": None,
                    "decided_at": datetime(2017, 6, 1),
                }
            ],
        )
    again = run(settings)
    assert rows(settings, "select count(*) from validate.check_results") == [(len(again.results),)]
    assert rows(settings, "select as_of_date, run_id from validate.verdicts order by all") == [
        (date(2017, 6, 1), "old"),
        (AS_OF, RUN_ID),
    ]
    assert rows(settings, "select count(*) from validate.run_manifest") == [(1,)]


def test_a_validation_that_dies_leaves_no_verdict(settings, suites, monkeypatch):
    run(settings)

    def die(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(release_gate, "check_suites", die)
    with pytest.raises(RuntimeError):
        run(settings)
    assert rows(settings, "select count(*) from validate.verdicts") == [(0,)]


def test_a_stage_alone_is_shown_what_the_rules_about_its_tables_find(settings, suites):
    """The same results as the whole validation has for them, and nothing is written or decided."""
    tables = {"features.customer_day", "score.churn_scores", "marts.churn_scores", "marts.run_manifest"}
    rows(settings, "delete from score.churn_scores where customer_id = 'c1' returning 1")
    suites[0]["marts.churn_scores"] = False
    found = check_tables(settings, AS_OF, RUN_ID, PARAMS, tables)
    assert [rows(settings, f"select count(*) from {table.name}") for table in OWN] == [[(0,)]] * 3
    assert {result.table_name for result in found} == tables - {"marts.run_manifest"}
    failed = {(result.table_name, result.rule) for result in found if not result.passed}
    assert {("score.churn_scores", "covers_every_customer"), ("marts.churn_scores", "rule")} <= failed
    whole = [result for result in run(settings).results if result.table_name in tables - {"marts.run_manifest"}]
    assert sorted(found, key=str) == sorted(whole, key=str)


def test_a_stage_before_the_marts_is_judged_without_them(settings, suites):
    rows(settings, "drop schema marts cascade; create schema marts; create table marts.data_quality (a int)")
    found = check_tables(settings, AS_OF, RUN_ID, PARAMS, ["features.customer_day"])
    assert {result.rule: result.passed for result in found} == dict.fromkeys(
        (
            "net_sales_by_day",
            "id_changes_have_an_end",
            "old_ids_have_ended",
            "most_old_ids_have_ended",
            "aliases_name_customers",
            "ids_go_on",
        ),
        True,
    )


def test_ensure_tables_keeps_rows_and_mends_columns(settings):
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("insert into validate.verdicts (as_of_date) values (date '2017-01-01')")
        con.execute("alter table validate.run_manifest drop column code_version")
        ensure_tables(con, OWN)
        assert con.execute("select count(*) from validate.verdicts").fetchone() == (1,)
        columns = [row[0] for row in con.execute("describe validate.run_manifest").fetchall()]
        assert columns == list(declared_table("validate.run_manifest").duckdb_types)


def test_tables_are_written_as_they_are_declared(settings, project):
    """Every table that the project declares for this stage, and no other."""
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("drop schema validate cascade")
        ensure_tables(con, OWN)
        assert {f"validate.{name}" for name in project.source_tables("validate")} == {table.name for table in OWN}
        for table in OWN:
            written = [(row[0], row[1]) for row in con.execute(f"describe {table.name}").fetchall()]
            assert written == [(name, kind.upper()) for name, kind in table.duckdb_types.items()]
