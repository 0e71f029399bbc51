"""The decision to publish, from results alone."""

from dataclasses import replace

from assets.validate.checks import CheckResult
from assets.validate.verdict import decide_verdict

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
