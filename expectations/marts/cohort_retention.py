"""Cohort curves: shares that are shares, hazards that are probabilities, open months shown as open."""

from expectations.suite import Suite, at_least, no_rows_where, rows_between, values_between

SUITE = Suite(
    "marts.cohort_retention",
    (
        rows_between(1, reason="A business with purchases has at least one cohort."),
        values_between("months_since_first", 0, 1200, reason="Months are counted from the first purchase."),
        values_between("n_customers", 1, None, reason="A cohort without customers does not exist."),
        at_least("n_customers", "n_retained", reason="No more customers stayed than the cohort has."),
        values_between("retained_share", 0, 1, reason="A share lies between 0 and 1."),
        values_between("hazard", 0, 1, reason="The hazard is a probability."),
        no_rows_where(
            "open_month_has_no_share",
            "not is_complete and (retained_share is not null or hazard is not null)",
            reason="While a month is open its share is unknown and must not be shown as a number.",
        ),
        no_rows_where(
            "month_not_in_the_future",
            "cohort_month + to_months(cast(months_since_first as int)) >= as_of_date",
            reason="A month that has not begun can have no row.",
        ),
        no_rows_where(
            "first_month_is_full",
            "months_since_first = 0 and is_complete and n_retained <> n_customers",
            severity="warning",
            reason="Everybody buys in the month of their first purchase, unless they returned it at once.",
        ),
    ),
)
