"""The results of the checks themselves: a result that cannot be read is no result."""

from expectations.suite import Suite, at_least, distinct_between, no_rows_where, rows_between, values_in_set

SUITE = Suite(
    "marts.data_quality",
    (
        rows_between(10, reason="Fewer results than ten mean that most checks did not run."),
        distinct_between(
            "table_name",
            5,
            None,
            severity="blocking",
            reason="Checks that cover fewer than five tables leave most unseen.",
        ),
        values_in_set("severity", ["blocking", "warning"], reason="A result either blocks the release or warns."),
        values_in_set(
            "kind",
            ["expectation", "reconciliation", "release", "quarantine", "refused_file", "extract", "schema_change"],
            reason="Each result says what kind of check it is.",
        ),
        at_least("n_checked", "n_failed", reason="No more can fail than was checked."),
        no_rows_where(
            "failure_says_why",
            "not passed and (reason is null or trim(reason) = '')",
            reason="A failure without a reason in words cannot be mended.",
        ),
    ),
)
