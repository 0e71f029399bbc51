"""The profit curve: possible shares, every ranking ends at the same everybody, a stop point for each basis."""

from expectations.suite import Suite, never_null, no_rows_where, rows_between, values_between, values_in_set

SUITE = Suite(
    "marts.profit_curve",
    (
        rows_between(
            1,
            severity="warning",
            reason="Without a test cutoff or a candidate there is no curve; it needs two horizons of history.",
        ),
        values_in_set("basis", ["out_of_time", "tonight"], reason="Earned and expected money must not be mixed."),
        never_null("ranking", reason="A curve belongs to one ranking."),
        values_between("contacted_share", 0, 1, reason="A share lies between 0 and 1."),
        values_between("spend", 0, None, reason="Contacts cost money or nothing."),
        never_null("profit", reason="A point of the curve without profit is no point."),
        no_rows_where(
            "nobody_is_contacted_twice",
            "n_contacted > n_customers + 0.000001",
            reason="No more customers can be contacted than there are.",
        ),
        no_rows_where(
            "the_best_earns",
            "is_best and profit <= 0",
            reason="Where every contact loses there is no best share: contacting nobody is better.",
        ),
    ),
)
