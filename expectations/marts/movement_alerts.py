"""Movement alerts: few enough to be read, each with its own evidence."""

from expectations.suite import Suite, no_rows_where

SUITE = Suite(
    "marts.movement_alerts",
    (
        no_rows_where(
            "movement_is_a_number", "not isfinite(robust_z) or not isfinite(money_moved)",
            reason="An infinite movement comes from a division by zero, not from a customer.",
        ),
    ),
)
