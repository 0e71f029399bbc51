"""The decision to publish, from results alone."""

from dataclasses import replace

from assets.validate.checks import CheckResult
from assets.validate.defs import words_of
from assets.validate.verdict import decide_verdict
from expectations.runner import _in_words

GOOD = CheckResult("expectation", "marts.t", "rule", None, "blocking", True, 10, 0, "0 of 10 rows", "It must hold.")
BAD = replace(GOOD, rule="broken", passed=False, n_failed=3, reason="It must hold. Observed: 3 of 10 rows.")
UNUSUAL = replace(BAD, rule="odd", severity="warning")


def test_all_passed():
    verdict = decide_verdict([GOOD, GOOD])
    assert verdict.passed and (verdict.n_checks, verdict.n_failed_blocking, verdict.n_failed_warning) == (2, 0, 0)


def test_one_blocking_failure_forbids_and_is_named_with_what_to_do():
    verdict = decide_verdict([GOOD, BAD, UNUSUAL])
    assert not verdict.passed and (verdict.n_failed_blocking, verdict.n_failed_warning) == (1, 1)
    assert "marts.t broken: It must hold. Observed: 3 of 10 rows." in verdict.reason
    assert "run this date again" in verdict.reason and "odd" not in verdict.reason


def test_warnings_never_forbid():
    verdict = decide_verdict([GOOD, UNUSUAL])
    assert verdict.passed and verdict.n_failed_warning == 1 and "marts.t odd" in verdict.reason


def test_nothing_checked_is_no_pass():
    assert not decide_verdict([]).passed


def test_long_lists_are_cutoff_but_counted():
    """Five are named."""
    failed = [replace(BAD, rule=f"rule_{i}") for i in range(8)]
    assert "more" not in decide_verdict(failed[:5]).reason
    verdict = decide_verdict(failed)
    assert "and 3 more" in verdict.reason and "rule_4" in verdict.reason and "rule_5" not in verdict.reason


def test_a_check_says_what_blocks_first_each_rule_and_the_file_once():
    said = words_of([UNUSUAL, BAD], "dbt_project/models/marts/t.yml")
    assert said is not None
    assert said.startswith("blocking: broken: It must hold. Observed: 3 of 10 rows. warning: odd: ")
    assert said.endswith("(rules: dbt_project/models/marts/t.yml)")
    assert said.count("broken") == 1 and said.count(".yml") == 1 and "None" not in said


def test_rules_that_no_table_declares_name_no_file_of_one():
    between = replace(BAD, kind="reconciliation")
    assert words_of([between], "dbt_project/models/marts/t.yml") == f"blocking: broken: {BAD.reason}"
    assert words_of([], "t.yml") is None


def test_what_was_not_observed_is_said_in_words():
    assert [_in_words(value) for value in (None, 1.5, 3)] == ["no value", "1.5", "3"]
