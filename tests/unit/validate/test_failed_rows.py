"""Failing rows are named by their keys, and the page says everything."""

from datetime import date

import duckdb
import pytest
import yaml

from assets.shared.tables import read_table
from assets.validate.checks import CheckResult
from assets.validate.failed_rows import in_words, with_failed_keys
from assets.validate.page import page, what_to_do
from assets.validate.verdict import decide_verdict
from expectations import suite as suite_module
from expectations.failing_rows import failing_rows
from expectations.suite import FromRun, suite_of

DAY = date(2017, 12, 31)
SUITE = suite_of(
    read_table(
        "marts.t",
        yaml.safe_load("""
        config:
          meta:
            rules:
              - {unique: [customer_id, x], reason: r}
              - {at_least: [x, y], reason: r}
              - {name: odd, no_rows_where: x = 5 and y = 9, reason: r}
              - {rows_between: [100, null], reason: r}
        columns:
          - name: x
            config:
              meta:
                rules:
                  - {name: range, between: [{run: low}, 10], reason: r}
                  - {name: below, between: [null, 5], strict_high: true, reason: r}
                  - {mean_between: [0, 1], reason: r}
          - name: word
            config:
              meta:
                rules:
                  - {name: words, one_of: [a, b], reason: r}
                  - {never_null: true, reason: r}
          - name: customer_id
            config: {meta: {rules: [{unique: true, reason: r}]}}
        """),
    )
)
ROWS = """
create schema marts;
create table marts.t as select * from (values
    ('c1', 1, 1, 'a'), ('c2', 11, 1, 'b'), ('c3', -1, -2, 'z'), ('c4', 5, 9, null), ('c5', 2, 1, 'a'), ('c5', 2, 0, 'b')
) as t (customer_id, x, y, word)
"""
BROKEN_BY = {
    "range": "c2 c3",
    "below": "c2 c4",
    "words": "c3",
    "word_present": "c4",
    "customer_id_unique": "c5",
    "customer_id_x_unique": "c5",
    "x_at_least_y": "c4",
    "odd": "c4",
    "x_mean_plausible": None,
    "row_count": None,
}


@pytest.fixture
def con():
    con = duckdb.connect()
    con.execute(ROWS)
    return con


@pytest.mark.parametrize("rule", SUITE.rules, ids=lambda rule: rule.name)
def test_each_kind_of_rule_names_its_rows(con, rule, monkeypatch):
    monkeypatch.setattr(suite_module, "all_suites", lambda: (SUITE,))
    result = CheckResult("expectation", "marts.t", rule.name, None, "blocking", False, 6, 2, "x", "r")
    (found,) = with_failed_keys(con, [result], {"low": 0}, {"marts.t": ["customer_id"]})
    expected = BROKEN_BY[rule.name]
    assert found.failed_keys == (expected and "; ".join(f"customer_id={c}" for c in expected.split()))


def test_the_condition_and_great_expectations_count_the_same_rows(con):
    from expectations.runner import run_suites

    for result, rule in zip(run_suites(con, [SUITE], {"low": 0}), SUITE.rules, strict=True):
        condition = failing_rows(rule, {"low": 0}, '"marts"."t"')
        if condition is not None:
            counted = con.execute(f"select count(*) from marts.t where {condition[0]}", condition[1]).fetchone()[0]
            assert counted == result.n_failed, rule.name


def test_every_rule_about_rows_of_every_suite_can_be_said_as_a_condition():
    about_tables = {
        "ExpectColumnMeanToBeBetween",
        "ExpectColumnUniqueValueCountToBeBetween",
        "ExpectTableRowCountToBeBetween",
        "ExpectColumnProportionOfNonNullValuesToBeBetween",
    }
    for suite in suite_module.all_suites():
        for rule in suite.rules:
            values = {v.name: 1 for v in rule.arguments.values() if isinstance(v, FromRun)}
            found = failing_rows(rule, values, "t")
            is_of_totals = "as totals where" in rule.arguments.get("unexpected_rows_query", "")
            is_of_table = rule.expectation in about_tables or is_of_totals
            assert (found is None) == is_of_table, f"{suite.table} {rule.name}"


def test_without_a_declared_key_a_row_is_named_by_what_names_rows(con, monkeypatch):
    monkeypatch.setattr(suite_module, "all_suites", lambda: (SUITE,))
    result = CheckResult("expectation", "marts.t", "odd", None, "blocking", False, 6, 1, "x", "r")
    assert with_failed_keys(con, [result], {}, {})[0].failed_keys == "customer_id=c4"


def test_many_rows_are_cutoff_short_and_counted():
    rows = [(f"c{n}",) for n in range(21)]
    words = in_words(("customer_id",), rows, 500)
    assert words.startswith("customer_id=c0; ") and words.endswith("; and 480 more")
    assert in_words(("a", "b"), [(1, 2), (3, 4)], 2) == "a=1; b=2 | a=3; b=4"
    assert in_words(("a",), [], 3) is None


def result(rule: str, severity: str = "blocking", **changes) -> CheckResult:
    values = {
        "kind": "expectation",
        "table_name": "marts.churn_scores",
        "rule": rule,
        "column_name": None,
        "severity": severity,
        "passed": False,
        "n_checked": 10,
        "n_failed": 2,
        "observed": "2 of 10 rows",
        "reason": f"Why {rule}.",
        "failed_keys": "customer_id=c1; customer_id=c2",
    }
    return CheckResult(**{**values, **changes})


def test_the_page_says_what_failed_which_rows_and_what_to_do():
    results = [
        result("range"),
        result("odd_share", "warning"),
        result("model_is_young", kind="release", n_checked=1, n_failed=1, observed="60 days", failed_keys=None),
        result("fine", passed=True),
    ]
    text = page(DAY, "run-1", decide_verdict(results), results)
    for words in (
        "2 of 4 checks forbid publishing run run-1",
        "marts.churn_scores: range** (2 of 10 break it)",
        "Why range.",
        "Rows: customer_id=c1; customer_id=c2",
        "holdfast retrain --as-of 2017-12-31",
        "marts.churn_scores odd_share",
        "holdfast release --as-of 2017-12-31 --run run-1 --reason 'why these numbers are right'",
        "holdfast run --as-of 2017-12-31",
    ):
        assert words in text
    assert "fine" not in text


def test_the_page_of_a_run_as_known_then_names_its_own_command():
    results = [result("range")]
    text = page(DAY, "run-1", decide_verdict(results), results, "2018-02-01")
    assert "holdfast run --as-of 2017-12-31 --knowledge-time 2018-02-01" in text and "holdfast release" not in text


@pytest.mark.parametrize(
    ("rule", "words"),
    [("last_days_keep_the_scale", "as the rule says"), ("few_quarantined", "look at the refused rows")],
)
def test_only_refused_rows_are_to_be_looked_for_among_the_refused(rule, words):
    assert words in what_to_do(result(rule, table_name="ingest.batches"), DAY)


def test_a_page_stays_a_page():
    results = [result(f"rule{n}") for n in range(50)]
    text = page(DAY, "run-1", decide_verdict(results), results)
    assert text.count("Why rule") == 12 and "and 38 more" in text and len(text.splitlines()) < 80
