"""May the marts of this run be published? A pure decision over the results of all checks.

In: check results. Out: a `Verdict` whose reason names what failed and what to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.validate.checks import CheckResult

#: Failures spelled out in the reason; all of them are in marts.data_quality.
N_NAMED = 5


@dataclass(frozen=True)
class Verdict:
    """`passed` is False as soon as one blocking check failed, or nothing was checked."""

    passed: bool
    n_checks: int
    n_failed_blocking: int
    n_failed_warning: int
    reason: str


def decide_verdict(results: Sequence[CheckResult]) -> Verdict:
    """The verdict over `results`. Warnings never block; no result at all does, since nothing was looked at."""
    blocking = [r for r in results if not r.passed and r.severity == "blocking"]
    warnings = [r for r in results if not r.passed and r.severity == "warning"]
    if not results:
        reason = "Nothing was checked, so nothing may be published. Run the validation of this date again."
    elif blocking:
        reason = (
            f"{len(blocking)} blocking check(s) failed: {_named(blocking)} "
            "Correct the input, the parameter or the model that they name and run this date again; "
            "until then readers keep the last complete set."
        )
    elif warnings:
        reason = (
            f"All blocking checks of {len(results)} passed. {len(warnings)} warning(s) to look at: {_named(warnings)}"
        )
    else:
        reason = f"All {len(results)} checks passed."
    return Verdict(bool(results) and not blocking, len(results), len(blocking), len(warnings), reason)


def _named(failed: Sequence[CheckResult]) -> str:
    words = [f"{r.table_name} {r.rule}: {r.reason}" for r in failed[:N_NAMED]]
    if len(failed) > N_NAMED:
        words.append(f"and {len(failed) - N_NAMED} more.")
    return " ".join(words)
