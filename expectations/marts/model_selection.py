"""Model selection, made by Python: known candidate models, one chosen model, possible metrics."""

from expectations.suite import Suite, at_least, never_null, no_rows_where, rows_between, values_in_set

SUITE = Suite(
    "marts.model_selection",
    (
        rows_between(
            1,
            severity="warning",
            reason="Without a model selection nobody knows who scores best; with little history the rule scores.",
        ),
        never_null("model_version", reason="A model selection belongs to one model version."),
        never_null("reason", reason="Nothing is chosen without a reason."),
        values_in_set(
            "candidate_model",
            ["recency_rule", "recency_over_gap", "rfm_logit", "bg_nbd", "mbg_nbd", "blend", "average", "incumbent"],
            reason="The candidate models of model selection are fixed.",
        ),
        values_in_set("cutoff_role", ["validation", "test"], reason="A cutoff chooses or reports, never both."),
        values_in_set("population", ["active", "all"], reason="A quality belongs to a stated population."),
        no_rows_where(
            "shares_are_shares",
            "metric in ('auc', 'average_precision', 'brier', 'ece') and not value between 0 and 1",
            reason="AUC, average precision, Brier score and calibration error lie between 0 and 1.",
        ),
        at_least("n_rows", "n_churned", reason="No more customers churned than were judged."),
        no_rows_where(
            "interval_holds_value",
            "value < low - 0.000000001 or value > high + 0.000000001",
            severity="warning",
            reason="The interval of a metric should hold its value.",
        ),
    ),
)
