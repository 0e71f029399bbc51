"""Features as of D: nothing of the day D or later may show, and every share and count must be possible."""

from expectations.suite import FromRun, Suite, at_least, mean_between, no_rows_where, rows_between, values_between

SUITE = Suite(
    "features.customer_features",
    (
        rows_between(1, reason="At least one customer was seen before the date; none means a date before the data."),
        values_between(
            "as_of_date",
            FromRun("as_of_date"),
            FromRun("as_of_date"),
            reason="Features of another date would be scored as if they were today's.",
        ),
        values_between(
            "days_since_last_order",
            1,
            None,
            reason="The last order lies before the date: 0 or less means that the date itself or the future was seen.",
        ),
        values_between("recency_days", 0, None, reason="The last order cannot precede the first."),
        at_least("tenure_days", "recency_days", reason="Nobody bought for longer than they are a customer."),
        values_between("frequency", 0, None, reason="Repeat purchase days are counted from 0."),
        at_least("n_orders_90d", "n_orders_30d", reason="90 days hold at least the orders of their last 30."),
        at_least("n_orders", "n_orders_90d", reason="All time holds at least the orders of the last 90 days."),
        at_least("gap_max_days", "gap_median_days", reason="The longest gap is no shorter than the median one."),
        values_between("discount_share", 0, 1, reason="Discount is a share of the price before discount."),
        values_between("discount_order_share", 0, 1, reason="Orders on discount are a share of all orders."),
        values_between("orders_trend_ratio", 0, None, reason="A ratio of two counts cannot be negative."),
        no_rows_where(
            "eligible_has_history",
            "is_eligible and (n_orders is null or n_orders < 1)",
            reason="Only customers with at least one order may be scored.",
        ),
        no_rows_where(
            "ineligible_says_why",
            "is_eligible = (ineligible_reason is not null)",
            reason="Exactly the customers that are not scored carry a reason.",
        ),
        no_rows_where(
            "numbers_are_finite",
            "not isfinite(coalesce(recency_over_gap_mean, 0)) or not isfinite(coalesce(recency_gap_z, 0))"
            " or not isfinite(coalesce(gap_cv, 0)) or not isfinite(coalesce(sales_trend_ratio, 0))"
            " or not isfinite(coalesce(average_order_value, 0))",
            reason="An infinite ratio comes from a division by zero and breaks every model.",
        ),
        mean_between(
            "discount_share",
            0,
            0.8,
            reason="Four fifths of all prices given away on average is likely a misread discount column.",
        ),
    ),
)
