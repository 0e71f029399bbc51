"""Movement alerts: each with its own evidence, pointing the way its numbers moved."""

from expectations.suite import Suite, no_rows_where, values_between

SUITE = Suite(
    "marts.movement_alerts",
    (
        no_rows_where(
            "movement_is_a_number",
            "not isfinite(robust_z) or not isfinite(money_moved)",
            reason="An infinite movement comes from a division by zero, not from a customer.",
        ),
        values_between(
            "n_baseline_windows",
            4,
            6,
            reason="A movement is judged against four to six earlier windows of the same customer.",
        ),
        no_rows_where(
            "direction_follows_numbers",
            "(direction = 'down') <> (recent_value < expected_value) or (direction = 'down') <> (robust_z < 0)",
            reason="Down means less than was to be expected: an alert that points the wrong way sends the wrong call.",
        ),
        no_rows_where(
            "gains_are_opportunities",
            "(direction = 'up') <> (severity = 'opportunity')",
            reason="Who buys more is no emergency: only losses have a severity.",
        ),
        values_between(
            "recent_value",
            0,
            None,
            severity="warning",
            mostly=0.9,
            reason="Few customers return more than they buy in a month; many mean an inverted sign.",
        ),
    ),
)
