"""The active bounds behind the segments."""

from expectations.suite import Suite, distinct_between, no_rows_where, rows_between

SUITE = Suite(
    "marts.segment_thresholds",
    (
        rows_between(3, reason="RFM, value classes and lifecycle stages each publish their bounds."),
        distinct_between(
            "segmentation",
            3,
            None,
            severity="warning",
            reason="Bounds of RFM, value classes and lifecycle stages are all published.",
        ),
        no_rows_where(
            "bounds_are_numbers",
            "not isfinite(cutoff_value)",
            reason="An infinite bound puts everybody on one side.",
        ),
        no_rows_where(
            "lifecycle_bounds_are_days",
            "segmentation = 'lifecycle' and cutoff_value < 1",
            reason="Lifecycle bounds are days of silence.",
        ),
    ),
)
