"""Drift of inputs and scores: possible numbers, and a warning when the score itself has drifted."""

from expectations.suite import Suite, never_null, no_rows_where, values_in_set

SUITE = Suite(
    "marts.model_drift",
    (
        never_null("name", reason="A drift belongs to a named variable."),
        values_in_set("kind", ["input", "score"], reason="Inputs and scores are read differently."),
        values_in_set(
            "verdict",
            ["stable", "shifted", "drifted", "ages", "unknown"],
            reason="A verdict is one of the words described.",
        ),
        no_rows_where("index_is_not_negative", "psi < 0 or noise_bound < 0", reason="The index cannot be negative."),
        no_rows_where(
            "shares_are_shares",
            "missing_share_reference not between 0 and 1 or missing_share_now not between 0 and 1",
            reason="Shares of missing values lie between 0 and 1.",
        ),
        no_rows_where(
            "scores_have_not_drifted",
            "kind = 'score' and verdict = 'drifted'",
            severity="warning",
            reason="Tonight's probabilities are spread otherwise than at training: look at the inputs, then retrain.",
        ),
        no_rows_where(
            "inputs_have_not_drifted",
            "kind = 'input' and verdict = 'drifted'",
            severity="warning",
            reason="The model reads values that it was not trained on: look at the source, then retrain.",
        ),
    ),
)
