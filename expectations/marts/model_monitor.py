"""Checks of the active model, made by Python: one active, shares, verdicts, shifts that are out of all measure."""

from expectations.suite import Suite, never_null, no_rows_where, unique, values_in_set

SUITE = Suite(
    "marts.model_monitor",
    (
        unique("adjustment_id", reason="A check is made once."),
        never_null("reason", reason="Nothing is recalibrated or retrained without a reason."),
        values_in_set(
            "verdict", ["kept", "recalibrated", "retrain", "too few to judge"], reason="A check ends in one verdict."
        ),
        no_rows_where(
            "no_check_of_the_future",
            "checked_as_of > as_of_date or cutoff_date >= checked_as_of",
            reason="A check knows nothing of the days after it, and its horizon has closed.",
        ),
        no_rows_where(
            "kept_means_no_shift",
            "verdict in ('kept', 'too few to judge') and shift <> 0",
            reason="A model that is kept scores as trained.",
        ),
        no_rows_where(
            "shift_is_small",
            "abs(shift) > 1.5",
            severity="warning",
            reason="So large a shift says that the business or its data has changed, not its base rate.",
        ),
    ),
)
