"""What the lines of every connected source were like, day by day: cheap checks of the whole history, before anything is
derived from it."""

from datetime import date

from expectations.suite import Suite, never_null, no_rows_where, no_total_where, rows_between, unique, values_between

SUITE = Suite(
    "staging.transaction_days",
    (
        rows_between(1, reason="Without a single transaction there is nothing to say about any customer."),
        never_null("day", reason="A line without a time can neither be seen nor hidden as of a date."),
        unique("day", reason="The lines of a day are summed up once."),
        no_rows_where(
            "customer_id_present",
            "n_without_customer > 0",
            reason="A line without a customer belongs to nobody and must be in quarantine.",
        ),
        values_between(
            "day",
            date(1970, 1, 2),
            date(2100, 1, 1),
            severity="warning",
            reason="Times outside 1970 to 2100 usually come from a wrong date format or from empty fields.",
        ),
        no_rows_where(
            "amount_in_range",
            "lowest_amount < -1e9 or highest_amount > 1e9",
            severity="warning",
            reason="Amounts of a thousand million and more are usually a wrong decimal sign or a total row.",
        ),
        no_total_where(
            "amount_mostly_sales",
            "sum(n_sale_amounts) as n_sales, sum(n_landed_lines) as n_lines",
            "n_sales < 0.5 * n_lines",
            severity="warning",
            reason="At least half of the lines are sales; otherwise the sign convention of returns is likely inverted.",
        ),
        no_total_where(
            "discount_amount_in_range",
            "sum(n_negative_discounts) as n_negative, sum(n_discounts) as n_discounts",
            "n_negative > 0.01 * n_discounts",
            severity="warning",
            reason="Discounts are stored as positive money given; many negative ones mean an inverted sign.",
        ),
        no_total_where(
            "currency_variety",
            "min(first_currency) as first_currency, max(last_currency) as last_currency",
            "first_currency <> last_currency",
            severity="warning",
            reason="Amounts of several currencies are added up as if they were one: convert them first.",
        ),
    ),
)
