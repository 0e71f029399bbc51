"""The features a churn model may see, by family, as `features.customer_features` names them.

One list for training and scoring, so that the two cannot drift apart. How each is computed stands in the SQL
macro that builds the table; no calendar features: they hurt with under two years of history.
"""

#: Family → its features. The family is the unit in which a score is explained: single features overlap too much.
FAMILIES: dict[str, tuple[str, ...]] = {
    "silence": (
        "days_since_last_order",
        "recency_over_gap_median",
        "recency_over_gap_mean",
        "recency_over_gap_max",
        "recency_gap_z",
    ),
    "regularity": (
        "gap_median_days",
        "gap_mean_days",
        "gap_max_days",
        "gap_std_days",
        "gap_cv",
        "gap_last_days",
        "gap_last_over_median",
        "gap_last3_over_mean",
    ),
    "trend": (
        "n_orders_30d",
        "n_orders_90d",
        "n_orders_prev_90d",
        "orders_trend_ratio",
        "net_sales_30d",
        "net_sales_90d",
        "net_sales_prev_90d",
        "sales_trend_ratio",
        "orders_slope_6m",
    ),
    "money": (
        "net_sales_total",
        "net_sales_365d",
        "margin_365d",
        "average_order_value",
        "order_value_last_over_mean",
        "balance_trend_ratio",
    ),
    "basket": (
        "lines_per_order",
        "quantity_per_order",
        "discount_share",
        "discount_order_share",
        "return_share",
        "categories_per_day",
    ),
    "first_purchase": ("first_order_amount", "second_gap_days"),
    "tenure": (
        "tenure_days",
        "recency_days",
        "frequency",
        "n_orders",
        "n_order_days",
        "orders_per_30d",
        "contract_days_left",
        "contract_tenure_days",
        "n_contract_renewals",
    ),
    "service": ("n_complaints_90d", "n_contacts_90d"),
}

FEATURES: tuple[str, ...] = tuple(feature for family in FAMILIES.values() for feature in family)
