"""Segments of every customer: scores in range, flags that agree with their numbers, classes that tell people apart."""

from expectations.suite import Suite, distinct_between, no_rows_where, rows_between, values_between, values_in_set

SUITE = Suite(
    "marts.customer_segments",
    (
        rows_between(1, reason="Every customer seen before the date is in exactly one segment of each kind."),
        values_between("r_score", 1, 5, reason="Quintile scores run from 1 to 5 (best)."),
        values_between("f_score", 1, 5, reason="Quintile scores run from 1 to 5 (best)."),
        values_between("m_score", 1, 5, reason="Quintile scores run from 1 to 5 (best)."),
        no_rows_where(
            "scored_all_or_none",
            "(r_score is null) <> (f_score is null) or (r_score is null) <> (m_score is null)",
            reason="A customer has all three scores, or has never purchased and has none.",
        ),
        values_in_set(
            "value_class",
            ["B", "C"],
            mostly=0.1,
            severity="warning",
            name="class_a_is_not_everybody",
            reason="If nine of ten customers are class A, the class no longer says whom to care for most.",
        ),
        values_between("discount_order_share", 0, 1, reason="Orders on discount are a share of all orders."),
        no_rows_where(
            "dependent_customers_have_a_share",
            "is_promotion_dependent and discount_order_share is null",
            reason="Nobody is called promotion dependent without having been measured.",
        ),
        distinct_between(
            "lifecycle_stage",
            2,
            None,
            reason="If all customers are in one lifecycle stage, the thresholds do not fit this business's rhythm.",
        ),
        values_in_set(
            "lifecycle_stage",
            ["never_purchased", "new", "active", "silent", "dormant"],
            mostly=0.02,
            severity="warning",
            name="not_everybody_is_lost",
            reason="If nearly everybody is lost, the data has probably stopped coming.",
        ),
    ),
)
