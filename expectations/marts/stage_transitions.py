"""Movement between lifecycle stages: months in order, nobody counted from the future."""

from expectations.suite import Suite, at_least, no_rows_where, values_between, values_in_set

STAGES = ["never_purchased", "new", "active", "silent", "dormant", "lost"]

SUITE = Suite(
    "marts.stage_transitions",
    (
        values_in_set("from_stage", STAGES, severity="warning", reason="Movements start in a known stage."),
        values_in_set("to_stage", STAGES, severity="warning", reason="Movements end in a known stage."),
        values_between("n_customers", 1, None, reason="A movement of nobody is no movement."),
        at_least("to_month", "from_month", reason="Time runs forward."),
        no_rows_where(
            "money_moved_adds_up",
            "abs(net_sales_moved - (net_sales_after - net_sales_before)) > 0.01",
            reason="The money that moved is what the customers spent after less what they spent before.",
        ),
        no_rows_where(
            "month_begun",
            "to_month > as_of_date",
            reason="A month that has not begun can have no movement.",
        ),
    ),
)
