"""One row a customer: the numbers of the parts must fit together on it."""

from expectations.suite import Suite, rows_between, values_between

SUITE = Suite(
    "marts.customer_360",
    (
        rows_between(1, reason="Every customer seen before the date has a row."),
        values_between("churn_probability", 0, 1, reason="A probability lies between 0 and 1."),
    ),
)
