"""Back-test and realised quality, made by Python: possible metrics, alarms of a model too good or useless."""

from expectations.suite import Suite, at_least, never_null, no_rows_where, rows_between, values_in_set

SUITE = Suite(
    "marts.model_performance",
    (
        rows_between(
            1,
            severity="warning",
            reason="Without a back-test nobody knows how good the scores are; with little history the rule scores.",
        ),
        never_null("model_version", reason="A quality belongs to one model version."),
        values_in_set("candidate_model", ["model", "rule"], reason="The model is always shown beside the simple rule."),
        values_in_set("basis", ["backtest", "realised"], reason="A promise and its outcome must be told apart."),
        never_null("slice_kind", reason="A quality belongs to stated customers."),
        values_in_set("population", ["active", "all"], reason="A quality belongs to a stated population."),
        no_rows_where(
            "shares_are_shares",
            "metric in ('auc', 'average_precision', 'brier', 'ece', 'mean_predicted', 'observed_share')"
            " and not value between 0 and 1",
            reason="AUC, average precision, Brier score and calibration error lie between 0 and 1.",
        ),
        no_rows_where(
            "losses_are_not_negative",
            "metric in ('log_loss', 'lift_at_10') and value < 0",
            reason="Log loss and lift cannot be negative.",
        ),
        no_rows_where(
            "interval_holds_value",
            "value < low - 0.000000001 or value > high + 0.000000001",
            severity="warning",
            reason="The interval of a metric should hold its value.",
        ),
        at_least("high", "low", reason="The upper end of an interval is no lower than the lower."),
        at_least("n_rows", "n_churned", reason="No more customers churned than were tested."),
        no_rows_where(
            "no_leak",
            "candidate_model = 'model' and population = 'active' and slice_kind = 'all' and metric = 'auc'"
            " and n_rows >= 200"
            " and value > 0.97",
            severity="warning",
            reason="An AUC above 0.97 on unseen dates is nearly always a leak of the future into the features.",
        ),
        no_rows_where(
            "scoring_model_beats_a_coin",
            "is_scoring and population = 'active' and metric = 'auc' and cutoff_date is null and value < 0.5",
            severity="warning",
            reason="A model below 0.5 ranks worse than a coin: retrain, and look at the newest data.",
        ),
        no_rows_where(
            "promise_was_kept",
            "basis = 'realised' and is_scoring and population = 'all' and slice_kind = 'all'"
            " and metric = 'ece' and n_rows >= 1000 and value > 0.1",
            severity="warning",
            reason="Scores that were published missed what happened by more than ten points on average: retrain.",
        ),
        no_rows_where(
            "scoring_model_is_calibrated",
            "is_scoring and population = 'active' and metric = 'ece' and cutoff_date is null and value > 0.1",
            severity="warning",
            reason="A calibration error above 0.1 makes value at risk and every expected profit wrong.",
        ),
    ),
)
