"""The morning numbers: possible rates, and windows that are still open shown as open."""

from expectations.suite import Suite, at_least, no_rows_where, rows_between, values_between

SUITE = Suite(
    "marts.retention_kpis",
    (
        rows_between(1, reason="A business with transactions has at least one day of numbers."),
        no_rows_where(
            "day_before_as_of",
            "kpi_date >= as_of_date",
            reason="The date itself belongs to the future and must not show.",
        ),
        values_between("n_active_customers", 0, None, reason="Counts start at 0."),
        values_between("n_orders", 0, None, reason="Counts start at 0."),
        values_between("repeat_rate", 0, 1, reason="A rate lies between 0 and 1."),
        values_between("retention_rate", 0, 1, reason="A rate lies between 0 and 1."),
        values_between("churn_rate", 0, 1, reason="A rate lies between 0 and 1."),
        no_rows_where(
            "retained_or_churned",
            "abs(retention_rate + churn_rate - 1) > 0.000000001",
            reason="Of those who were active, everybody either stayed or left.",
        ),
        no_rows_where(
            "open_window_has_no_rate",
            "not is_complete"
            " and (retention_rate is not null or churn_rate is not null or n_retained_customers is not null)",
            reason="While its window is open a rate is unknown and must not be shown as a number.",
        ),
        no_rows_where(
            "first_days_have_no_rate",
            "is_left_censored and (retention_rate is not null or churn_rate is not null)",
            reason="On the first days of the data not all active customers are on record: a rate would mislead.",
        ),
        at_least("n_customers", "n_active_customers", reason="Active customers are customers."),
        at_least("n_active_customers", "n_retained_customers", reason="Only who was active can be retained."),
        at_least("n_buying_customers", "n_returning_customers", reason="Returning customers are buying customers."),
        at_least("n_buying_customers", "n_new_customers", reason="New customers are buying customers."),
        at_least("n_orders", "n_buying_customers", reason="Everybody who buys on a day has an order on it."),
        no_rows_where(
            "totals_are_labelled",
            "dimension = 'total' and (region, value_class, lifecycle_stage, channel) <> ('all', 'all', 'all', 'all')",
            reason="A total speaks of everybody: all its labels are 'all'.",
        ),
        no_rows_where(
            "days_with_sales_have_customers",
            "dimension = 'total' and net_sales > 0 and n_buying_customers = 0",
            reason="Sales without a customer on that day mean that two numbers were counted differently.",
        ),
        values_between(
            "net_sales",
            0,
            None,
            mostly=0.95,
            severity="warning",
            reason="On few days returns outweigh sales; many such days mean an inverted sign.",
        ),
    ),
)
