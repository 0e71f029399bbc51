"""How good the money was, made by Python: possible metrics, money that is far off, intervals that hold too few."""

from expectations.suite import Suite, never_null, no_rows_where, rows_between, values_in_set

SUITE = Suite(
    "marts.value_performance",
    (
        rows_between(
            1,
            severity="warning",
            reason="Without a test cutoff nobody knows how good the expected margins are; it needs two horizons.",
        ),
        never_null("model_version", reason="A quality belongs to one model version."),
        values_in_set(
            "target", ["horizon", "window", "next_order", "profit"], reason="A quality belongs to a stated target."
        ),
        no_rows_where(
            "shares_are_shares",
            "metric in ('captured_by_top_tenth', 'oracle_by_top_tenth', 'coverage', 'emp_contacted_share')"
            " and not value between -0.000000001 and 1.000000001",
            reason="Captured shares, coverage and contacted shares lie between 0 and 1.",
        ),
        no_rows_where(
            "correlations_are_possible",
            "metric in ('spearman', 'gini') and not value between -1.000001 and 1.000001",
            reason="A rank correlation lies between -1 and 1.",
        ),
        no_rows_where(
            "errors_are_not_negative",
            "metric in ('mae', 'mae_days', 'deviance', 'emp', 'emp_one_value') and value < 0",
            reason="Errors cannot be negative, nor a maximum profit, for contacting nobody earns nothing.",
        ),
        no_rows_where(
            "money_is_about_right",
            "is_scoring and metric = 'actual_over_expected' and cutoff_date is null and n_rows >= 200"
            " and not value between 0.5 and 2",
            severity="warning",
            reason="Actual margin below half or above twice the expected: business has changed, or the labels have.",
        ),
        no_rows_where(
            "intervals_hold_enough",
            "metric = 'coverage' and cutoff_date is null and n_rows >= 200 and value < 0.65",
            severity="warning",
            reason="Intervals that should hold eight outcomes in ten hold far fewer: do not rely on their ends.",
        ),
    ),
)
