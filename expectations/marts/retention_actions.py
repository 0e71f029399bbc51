"""The contact plan, made by Python: keys, consent, and decisions that must agree with their reasons."""

from expectations.suite import (
    Suite,
    never_null,
    no_rows_where,
    unique,
    values_between,
    values_in_set,
)

SUITE = Suite(
    "marts.retention_actions",
    (
        never_null("customer_id", reason="A candidate without a customer cannot be contacted."),
        never_null("candidate_id", reason="Outcomes are matched to candidates by this key."),
        unique("candidate_id", reason="One row a candidate: a repeated one would be contacted twice."),
        unique("customer_id", "action_id", reason="Nobody gets the same action twice in one night."),
        values_in_set(
            "decision",
            ["contact", "holdout", "not_contacted"],
            reason="The CRM acts on these three words only.",
        ),
        no_rows_where(
            "refusal_says_why",
            "(decision = 'contact') <> (reason_not_contacted is null)",
            reason="Every candidate that is not contacted, and no other, says why.",
        ),
        no_rows_where(
            "holdout_has_a_kind",
            "(decision = 'holdout') <> (holdout_kind is not null)",
            reason="Exactly the candidates held out say in which control group they are.",
        ),
        no_rows_where(
            "ranked_if_contacted",
            "(decision = 'contact') <> (plan_rank is not null)",
            reason="Exactly the contacts of tonight have a rank.",
        ),
        values_between("plan_rank", 1, None, reason="Ranks start at 1, the most profitable contact."),
        no_rows_where(
            "contact_has_consent",
            "decision = 'contact' and coalesce(consent_basis, 'none') = 'none'",
            reason="Nobody is contacted without consent, recorded or assumed by parameter: default is deny.",
        ),
        no_rows_where(
            "contact_has_channel",
            "decision = 'contact' and (channel is null or coalesce(channel_basis, 'none') = 'none')",
            reason="A contact needs a channel that reaches the customer.",
        ),
        no_rows_where(
            "contact_is_expected_to_pay",
            "decision = 'contact' and coalesce(needs_profit, true)"
            " and not coalesce(expected_incremental_profit > 0, false)",
            reason="Only care and service may cost more than they bring; every other contact must be expected to pay.",
        ),
        never_null("needs_profit", reason="Whether a contact must pay for itself decides how it was chosen."),
        values_in_set(
            "purpose",
            ["marketing", "service"],
            reason="Consent to marketing is asked for by this word.",
        ),
        no_rows_where(
            "marketing_has_marketing_consent",
            "decision = 'contact' and consent_basis = 'not_needed' and purpose is distinct from 'service'",
            reason="Only the answer to a customer's own complaint may go out without consent.",
        ),
        values_in_set(
            "consent_basis",
            ["recorded", "assumed", "not_needed", "none"],
            reason="Every row says on what its consent stands.",
        ),
        values_in_set(
            "uplift_basis",
            ["measured", "playbook_prior", "risk_only"],
            reason="A plan that does not say where its effect comes from cannot be trusted.",
        ),
        values_between("uplift", -1, 1, reason="Uplift is a difference of two probabilities."),
        values_between("redeem_probability", 0, 1, reason="A probability lies between 0 and 1."),
        values_between("contact_cost", 0, None, reason="A contact cannot earn money by being sent."),
        values_between("offer_cost", 0, None, reason="An offer cannot earn money by being given."),
        values_between("churn_probability", 0, 1, reason="A probability lies between 0 and 1."),
    ),
)
