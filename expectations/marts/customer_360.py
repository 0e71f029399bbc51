"""One row a customer: what the parts say of one person must fit together, and nothing of the future may show."""

from expectations.suite import Suite, at_least, no_rows_where, rows_between, share_known, values_between

SUITE = Suite(
    "marts.customer_360",
    (
        rows_between(1, reason="Every customer seen before the date has a row."),
        values_between(
            "days_since_last_order",
            1,
            None,
            reason="The last order lies before the date: 0 or less means that the date itself or the future was seen.",
        ),
        no_rows_where(
            "nothing_from_the_future",
            "last_order_on >= as_of_date or last_contact_on >= as_of_date or joined_on >= as_of_date",
            reason="Only what happened before the date may be shown.",
        ),
        at_least("last_order_on", "first_order_on", reason="The last order cannot precede the first."),
        values_between("churn_probability", 0, 1, reason="A probability lies between 0 and 1."),
        no_rows_where(
            "scored_if_and_only_if_eligible",
            "is_eligible <> (churn_probability is not null)",
            reason="Eligible customers, and no others, carry a probability.",
        ),
        no_rows_where(
            "buyers_have_a_stage",
            "n_orders > 0 and coalesce(lifecycle_stage, 'never_purchased') = 'never_purchased'",
            reason="Who has bought is in a lifecycle stage of buyers.",
        ),
        no_rows_where(
            "alert_is_described",
            "(n_alerts > 0) <> (alert_metric is not null)",
            reason="A customer with an alert shows which, and one without shows none.",
        ),
        no_rows_where(
            "control_group_gets_no_contact",
            "is_in_control_group and next_action_decision = 'contact' and next_action_purpose <> 'service'",
            reason="Nobody of the control group is contacted but in answer to a complaint of their own.",
        ),
        share_known(
            "lifecycle_stage",
            1,
            severity="blocking",
            reason="Every customer is in a lifecycle stage.",
        ),
        share_known(
            "last_order_on",
            0.05,
            reason="If hardly anybody has an order, customers and transactions probably use different ids.",
        ),
    ),
)
