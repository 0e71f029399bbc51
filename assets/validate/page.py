"""The one page of a night that is not published: what failed, which rows, what to do.

In: verdict and results. Out: Markdown for the terminal, the UI and the folder of the blocked set.
"""

from collections.abc import Sequence
from datetime import date

from assets.shared.commands import command, release_command
from assets.shared.plausibility import DAY_DOUBTS, DOUBTS
from assets.validate.checks import CheckResult
from assets.validate.verdict import Verdict

#: Failures that are reported in full; a page is read, a list is not.
N_TOLD = 12

#: Rules of accepted rows whose own words say how the source is corrected.
_SAY_THEIR_REMEDY = frozenset(doubt.rule for doubt in (*DOUBTS, *DAY_DOUBTS))


def page(
    as_of_date: date, run_id: str, verdict: Verdict, results: Sequence[CheckResult], knowledge_time: str = ""
) -> str:
    """The page of a failed verdict. knowledge_time: the moment of a run as known then, which has a home of its own."""
    blocking = [r for r in results if not r.passed and r.severity == "blocking"]
    warnings = [r for r in results if not r.passed and r.severity == "warning"]
    lines = [
        f"# The night of {as_of_date} is blocked",
        "",
        f"{len(blocking)} of {verdict.n_checks} checks forbid publishing run {run_id}. Readers keep the last complete"
        " set; the tables of this night are kept as a blocked set.",
        "",
        "## What failed",
        "",
    ]
    for result in blocking[:N_TOLD]:
        lines += [f"* **{result.table_name}: {result.rule}** ({_counted(result)})", f"  {result.reason}"]
        if result.failed_keys:
            lines.append(f"  Rows: {result.failed_keys}")
        lines.append(f"  To do: {what_to_do(result, as_of_date)}")
    if len(blocking) > N_TOLD:
        lines.append(f"* and {len(blocking) - N_TOLD} more, in marts.data_quality of the blocked set")
    if not blocking:
        lines.append(f"* {verdict.reason}")
    if warnings:
        named = ", ".join(f"{r.table_name} {r.rule}" for r in warnings[:N_TOLD])
        lines += ["", f"Other warnings, which do not block: {named}."]
    lines += ["", "## What to do", "", *_ways_on(as_of_date, run_id, knowledge_time), ""]
    return "\n".join(lines)


def _ways_on(as_of_date: date, run_id: str, knowledge_time: str) -> list[str]:
    if knowledge_time:
        return [
            "1. Remove the cause and run the date again: "
            f"`{command('run', '--as-of', as_of_date, '--knowledge-time', knowledge_time)}`."
            " Nothing has to be undone.",
            f"2. Nobody but you reads the sets of runs as known at {knowledge_time}."
            " The numbers are in the blocked set.",
        ]
    return [
        f"1. Remove the cause and run the date again: `{command('run', '--as-of', as_of_date)}`."
        " Nothing has to be undone.",
        "2. If the numbers are right all the same, release this very night, with a reason that is recorded:",
        f"   `{release_command(as_of_date, run_id)}`",
    ]


def what_to_do(result: CheckResult, as_of_date: date) -> str:
    """The first thing to try for one failed check."""
    if result.observed == "could not be checked":
        return "a table or column is missing: run the date again; if it comes back, report the rule by its name."
    if result.rule == "model_is_young":
        return f"`{command('retrain', '--as-of', as_of_date)}`, then run the date again."
    if result.kind == "release":
        return (
            "look at the files that came in since the last release. If the business really changed, release the night,"
            " or widen the named parameter for one run with `--param`."
        )
    if result.rule in _SAY_THEIR_REMEDY:
        return "correct the source as the rule says; no row was refused for it."
    stage = result.table_name.split(".")[0]
    if stage in ("ingest", "staging"):
        return "look at the refused rows and their reasons, correct the mapping or ask for the file again."
    if result.rule.startswith("plan_within") or result.table_name == "marts.retention_actions":
        return "look at the playbook (dbt_project/seeds) and the actions_* parameters of this run."
    return "look these rows up in the blocked set; correct the source rows or the parameter behind them, and run again."


def _counted(result: CheckResult) -> str:
    if result.n_checked > 1 or result.n_failed > 1:
        return f"{result.n_failed:,} of {result.n_checked:,} break it"
    return result.observed
