"""The manifest of the run: one row that lets anybody repeat it."""

from expectations.suite import Suite, no_rows_where, rows_between, values_between

SUITE = Suite(
    "marts.run_manifest",
    (
        rows_between(1, 1, reason="One row a run."),
        values_between("rows_in", 1, None, reason="A run without any input row has nothing to publish."),
        no_rows_where(
            "rows_add_up",
            "rows_in <> rows_accepted + rows_quarantined",
            reason="Every row that came in was either accepted or put in quarantine.",
        ),
        no_rows_where(
            "started_is_not_future",
            "started_at > now()",
            reason="A run that starts in the future has a wrong clock.",
        ),
        no_rows_where(
            "parameters_are_readable",
            "not json_valid(parameters) or not json_valid(versions) or not json_valid(table_rows)"
            " or not json_valid(stages)",
            reason="Parameters, versions and row counts are stored as JSON so that a run can be repeated.",
        ),
        no_rows_where(
            "run_is_named",
            "run_id in ('', 'none')",
            reason="Rows of an unnamed run cannot be traced: run through the pipeline, not through dbt alone.",
        ),
        no_rows_where(
            "sources_are_named",
            "sources is null or trim(sources) = ''",
            reason="A result must say from which sources it comes.",
        ),
    ),
)
