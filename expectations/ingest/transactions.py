"""Raw lines of all connected sources in canonical columns: cheap checks over Parquet, before anything is derived."""

from datetime import datetime

from expectations.suite import Suite, distinct_between, never_null, rows_between, values_between

SUITE = Suite(
    "ingest.transactions",
    (
        rows_between(1, reason="Without a single transaction there is nothing to say about any customer."),
        never_null("customer_id", reason="A line without a customer belongs to nobody and must be in quarantine."),
        never_null("occurred_at", reason="A line without a time can neither be seen nor hidden as of a date."),
        values_between(
            "occurred_at", datetime(1970, 1, 2), datetime(2100, 1, 1), severity="warning",
            reason="Times outside 1970 to 2100 usually come from a wrong date format or from empty fields.",
        ),
        values_between(
            "amount", -1e9, 1e9, severity="warning",
            reason="Amounts of a thousand million and more are usually a wrong decimal sign or a total row.",
        ),
        values_between(
            "amount", 0, None, mostly=0.5, severity="warning", name="amount_mostly_sales",
            reason="At least half of the lines are sales; otherwise the sign convention of returns is likely inverted.",
        ),
        values_between(
            "discount_amount", 0, None, severity="warning", mostly=0.99,
            reason="Discounts are stored as positive money given; many negative ones mean an inverted sign.",
        ),
        distinct_between(
            "currency", 0, 1,
            reason="Amounts of several currencies are added up as if they were one: convert them first.",
        ),
    ),
)
