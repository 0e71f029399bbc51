"""Campaign outcomes: a funnel that narrows, and verdicts that their interval supports."""

from expectations.suite import Suite, at_least, no_rows_where, values_between

SUITE = Suite(
    "marts.campaign_outcomes",
    (
        at_least("period_end", "period_start", reason="A campaign ends no earlier than it starts."),
        at_least("n_flagged", "n_reachable", reason="Only flagged customers can be reachable ones."),
        at_least("n_planned", "n_sent", reason="Only planned customers are sent something."),
        at_least("n_planned", "n_purchased", reason="Purchases are counted among the planned customers."),
        at_least("n_sent", "n_delivered", reason="No more messages arrive than were sent."),
        at_least("n_delivered", "n_opened", reason="Only what arrived can be opened."),
        values_between("n_purchased", 0, None, reason="Counts start at 0."),
        values_between("purchase_share", 0, 1, reason="A share lies between 0 and 1."),
        values_between("contact_cost", 0, None, reason="Contacts cost money or nothing."),
        values_between("offer_cost", 0, None, reason="Offers cost money or nothing."),
        values_between("effect", -1, 1, reason="The effect is a difference of two shares."),
        at_least("effect", "effect_low", reason="The interval holds the effect."),
        at_least("effect_high", "effect", reason="The interval holds the effect."),
        no_rows_where(
            "works_only_above_zero",
            "verdict = 'works' and not coalesce(effect_low > 0, false)",
            reason="An action is said to work only if the whole interval of its effect lies above zero.",
        ),
        no_rows_where(
            "harms_only_below_zero",
            "verdict = 'harms' and not coalesce(effect_high < 0, false)",
            reason="An action is said to harm only if the whole interval of its effect lies below zero.",
        ),
        no_rows_where(
            "no_holdout_no_effect",
            "effect_basis = 'none' and (effect is not null or incremental_profit is not null"
            " or verdict in ('works', 'harms'))",
            reason="Without a randomised holdout nobody knows the effect, and none may be shown.",
        ),
        no_rows_where(
            "open_window_has_no_verdict",
            "not is_complete and verdict is not null",
            reason="While purchases can still come nothing is decided.",
        ),
        no_rows_where(
            "period_before_as_of",
            "period_start >= as_of_date",
            reason="A campaign that starts on the date or later belongs to the future.",
        ),
    ),
)
