"""Churn scores, made by Python: keys, the three numbers that must agree, and whether they can be believed."""

from assets.shared.churn_features import FAMILIES
from expectations.suite import (
    FromRun,
    Suite,
    distinct_between,
    mean_between,
    never_null,
    no_rows_where,
    rows_between,
    unique,
    values_between,
    values_in_set,
)

GROUPS = (*FAMILIES, "contacts")

SUITE = Suite(
    "marts.churn_scores",
    (
        rows_between(1, reason="At least one customer was seen before the date."),
        never_null("customer_id", reason="A score without a customer cannot be used."),
        unique("customer_id", reason="One row a customer: two scores of one customer contradict each other."),
        values_between("churn_probability", 0, 1, reason="A probability lies between 0 and 1."),
        values_between("baseline_probability", 0, 1, reason="A probability lies between 0 and 1."),
        values_between("churn_percentile", 1, 100, reason="Percentiles run from 1 to 100 (most at risk)."),
        values_in_set(
            "churn_band",
            ["low", "medium", "high", "critical", "not_scored"],
            reason="Bands are the words people filter by; an unknown one is lost in every report.",
        ),
        values_in_set("scored_by", ["model", "rule"], reason="Each score says whether the model or the rule made it."),
        never_null("model_version", reason="Without its version a score cannot be judged when its horizon has closed."),
        values_between(
            "horizon_days",
            FromRun("churn_horizon_days"),
            FromRun("churn_horizon_days"),
            reason="The score must answer the question that the parameters ask.",
        ),
        no_rows_where(
            "scored_if_and_only_if_eligible",
            "is_eligible <> (churn_probability is not null)"
            " or is_eligible <> (churn_percentile is not null) or is_eligible = (churn_band = 'not_scored')",
            reason="Eligible customers have probability, percentile and band; the others have none of them.",
        ),
        no_rows_where(
            "ineligible_says_why",
            "is_eligible = (ineligible_reason is not null)",
            reason="Exactly the customers that are not scored carry a reason.",
        ),
        no_rows_where(
            "horizon_margin_is_between",
            "expected_margin_horizon not between predicted_margin - 0.01 - 0.000001 * abs(predicted_margin)"
            " and margin_if_retained + 0.01 + 0.000001 * abs(margin_if_retained)",
            reason="Over the horizon somebody brings what is expected of those who stay (predicted_margin) and, where a"
            " contract ends, what a churner still pays until then; never more than who stays.",
        ),
        no_rows_where(
            "a_year_holds_the_horizon",
            "expected_margin_year < expected_margin_horizon - 0.01 - 0.000001 * abs(expected_margin_horizon)",
            reason="A year holds the churn horizon, so it cannot be expected to bring less.",
        ),
        no_rows_where(
            "intervals_hold_the_expected",
            "expected_margin_horizon not between expected_margin_horizon_low - 0.01"
            " and expected_margin_horizon_high + 0.01"
            " or expected_margin_year not between expected_margin_year_low - 0.01 and expected_margin_year_high + 0.01",
            reason="An interval that does not hold its expectation was learned for another model.",
        ),
        no_rows_where(
            "next_order_is_not_in_the_past",
            "expected_next_order_on < as_of_date",
            reason="The next order lies ahead: what is expected moves on with the silence.",
        ),
        values_between("overdue_ratio", 0, None, reason="The silence over the usual gap cannot be negative."),
        no_rows_where(
            "predicted_margin_adds_up",
            "abs(predicted_margin - (1 - churn_probability) * margin_if_retained)"
            " > 0.01 + 0.000001 * abs(margin_if_retained)",
            reason="Expected margin is (1 - churn probability) times the margin of a customer who stays.",
        ),
        no_rows_where(
            "value_at_risk_adds_up",
            "abs(value_at_risk - churn_probability * predicted_margin) > 0.01 + 0.000001 * abs(predicted_margin)",
            reason="Value at risk is churn probability times expected margin; the plan is ranked by it.",
        ),
        values_between(
            "value_at_risk",
            0,
            None,
            severity="warning",
            mostly=0.9,
            reason="Few customers have a negative expected margin; many mean more returns than sales, or a wrong sign.",
        ),
        no_rows_where(
            "explained_has_a_reason",
            "(is_explained or not is_eligible) and (reason_1 is null or trim(reason_1) = '')"
            " or is_explained and (reason_1_zh is null or trim(reason_1_zh) = '')",
            reason="A score on the list without a reason, in either language, cannot be acted upon.",
        ),
        no_rows_where(
            "contributions_add_up",
            # Within one in a million the log-odds of a probability of nine decimals are too coarse to compare.
            f"is_explained and churn_probability between 0.000001 and 0.999999 and abs(contribution_base"
            f"{''.join(f' + contribution_{group}' for group in GROUPS)}"
            " - ln(greatest(churn_probability, 1e-9) / greatest(1 - churn_probability, 1e-9))) > 0.001",
            reason="Reasons must explain the score that stands beside them: the contributions are its log-odds.",
        ),
        no_rows_where(
            "marked_as_the_contribution_goes",
            "(reason_1 like 'Speaks for staying%' and reason_1_contribution >= 0)"
            " or (reason_1 like 'Speaks for leaving%' and reason_1_contribution <= 0)",
            reason="A reason that says the opposite of its contribution misleads whoever acts on it.",
        ),
        no_rows_where(
            "change_adds_up",
            "abs(probability_change - (churn_probability - previous_probability)) > 0.00000001"
            " or abs(probability_change - (change_from_data + change_from_definition + change_from_model"
            " + change_from_recalibration)) > 0.00000001",
            reason="What is said to have changed a score must be the whole change.",
        ),
        no_rows_where(
            "reasons_are_words",
            r"regexp_matches(concat_ws(' ', reason_1, reason_2, reason_3), '\b(nan|NaN|None|null|inf)\b')",
            reason="Reasons are read by people: a missing number must not appear as nan or None.",
        ),
        mean_between(
            "churn_probability",
            0.001,
            0.98,
            reason="A mean risk of nearly nobody or nearly everybody is usually a wrong horizon or stale data.",
        ),
        distinct_between(
            "churn_percentile", 2, None, reason="If all customers share one percentile, the score tells nobody apart."
        ),
        values_in_set(
            "is_eligible",
            [True],
            mostly=0.01,
            severity="warning",
            name="some_are_eligible",
            reason="If less than one customer in a hundred can be scored, the data has probably stopped coming.",
        ),
    ),
)
