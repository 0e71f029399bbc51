"""Predicted beside observed shares, made by Python: shares, intervals, slices that are far off."""

from expectations.suite import Suite, at_least, never_null, no_rows_where, values_in_set

SUITE = Suite(
    "marts.model_calibration",
    (
        never_null("model_version", reason="A calibration belongs to one model version."),
        values_in_set("candidate_model", ["model", "rule"], reason="The model is always shown beside the simple rule."),
        values_in_set(
            "slice_kind", ["all", "value_class", "tenure", "region"], reason="A calibration belongs to a stated slice."
        ),
        no_rows_where(
            "shares_are_shares",
            "not mean_predicted between 0 and 1 or not observed_share between 0 and 1",
            reason="Predicted and observed shares lie between 0 and 1.",
        ),
        at_least("high", "low", reason="The upper end of an interval is no lower than the lower."),
        no_rows_where(
            "no_slice_is_far_off",
            "candidate_model = 'model' and slice_kind <> 'all' and n >= 200"
            " and abs(mean_predicted - observed_share) > 0.15",
            severity="warning",
            reason="A group whose probabilities are off by fifteen points gets wrong plans: see what sets it apart.",
        ),
    ),
)
