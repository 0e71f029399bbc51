"""The night's contact plan, from candidates to table and ledger.

In: `actions.holdout_ledger`, scores, segments, staging and the playbook in the warehouse, the plan ledger of earlier
dates. Out: `actions.contact_plan` (one row a candidate, with a decision and, where it is not a contact, the reason) and
the ledger file of the date. The steps live in `candidates`, `permissions` and `plan`.
"""

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from assets.actions import plan
from assets.actions.candidates import build_candidates
from assets.actions.ledger import register_past_plans, write_plan
from assets.actions.playbook import capacities, check_playbook
from assets.shared.params import Params

#: Why a candidate that nothing speaks against is still no contact.
OUTCOME_WORDS = {
    plan.OTHER_ACTION: "another action for the same customer is expected to bring more",
    plan.CARE_FIRST: "another action for the same customer goes first: it answers or thanks, and sells nothing",
    plan.NO_CAPACITY: "the night's capacity of its channels is used up",
    plan.NO_BUDGET: "the night's budget is used up",
}
HOLDOUT_WORDS = {
    "global": "held out: belongs to the permanent control group that measures the effect of contacting",
    "action": "held out: belongs to the random slice that measures the effect of this action",
}


def build_contact_plan(
    con: duckdb.DuckDBPyConnection, params: Params, as_of_date: date, ledgers: Path
) -> dict[str, int | float | bool]:
    """Write `actions.contact_plan` and `ledgers/plan/<as_of_date>.parquet`.

    Needs `actions.holdout_ledger` of the same date (`holdout.build_holdout_ledger`). Reads ledger files of earlier
    dates only, so the same inputs give the same plan however often it is made.

    Returns counts and money: candidates, contacts, held_out, not_contacted, expected_profit, expected_spend, budget,
    is_budget_binding, price_of_money. Raises UserError for a playbook that cannot be read.
    """
    check_playbook(con, params)
    folder = ledgers / "plan"
    register_past_plans(con, folder, as_of_date)
    n_candidates = build_candidates(con, params, as_of_date)
    channel_names = sorted(capacities(params))
    options, candidate_numbers, steps = _open_options(con, channel_names)
    allocation = plan.allocate(
        options, [capacities(params)[name] for name in channel_names], params.actions_daily_budget
    )
    _write_table(con, as_of_date, options, allocation, candidate_numbers, steps)
    for table in ("plan_candidates", "plan_options", "past_plans"):
        con.execute(f"drop table {table}")
    write_plan(con, folder, as_of_date)
    contacts, held_out, profit, spend = con.execute(
        """
        select
            count(*) filter (where decision = 'contact'),
            count(*) filter (where decision = 'holdout'),
            cast(coalesce(sum(profit) filter (where decision = 'contact'), 0) as double),
            cast(coalesce(sum(spend) filter (where decision = 'contact'), 0) as double)
        from (
            select
                decision,
                cast(expected_incremental_profit as decimal(28, 6)) as profit,
                cast(contact_cost + offer_cost * redeem_probability as decimal(28, 6)) as spend
            from actions.contact_plan
        )
        """
    ).fetchone()
    return {
        "candidates": n_candidates,
        "contacts": contacts,
        "held_out": held_out,
        "not_contacted": n_candidates - contacts - held_out,
        "expected_profit": profit,
        "expected_spend": spend,
        "budget": params.actions_daily_budget,
        "is_budget_binding": allocation.is_budget_binding,
        "price_of_money": allocation.price,
    }


def _open_options(
    con: duckdb.DuckDBPyConnection, channel_names: list[str]
) -> tuple[plan.Options, np.ndarray, np.ndarray]:
    """Options of candidates nothing speaks against, the candidate number of each allocated candidate, and the step
    (place in the action's channels) of each option."""
    columns = con.execute(
        """
        select
            options.candidate_number,
            candidates.customer_number,
            list_position($channels, options.channel) - 1 as channel,
            coalesce(options.profit, 'nan'::double) as profit,
            options.spend,
            coalesce(candidates.value_at_risk, 0) as value_at_risk,
            candidates.holdout_kind is not null as is_held,
            case when candidates.needs_profit then $profit when candidates.purpose = 'service' then $service
                else $care end as kind,
            coalesce(candidates.margin_at_stake, 0) as margin,
            options.step
        from plan_options as options
        inner join plan_candidates as candidates on options.candidate_number = candidates.candidate_number
        where candidates.reason is null and options.is_consented and options.is_reachable
            and (options.is_worth_it or not candidates.needs_profit)
        order by options.candidate_number, options.step
        """,
        {"channels": channel_names, "profit": plan.PROFIT, "care": plan.CARE, "service": plan.SERVICE},
    ).fetchnumpy()
    numbers, candidate = np.unique(np.asarray(columns["candidate_number"]), return_inverse=True)
    options = plan.Options(
        candidate=candidate,
        customer=np.asarray(columns["customer_number"]),
        channel=np.asarray(columns["channel"]),
        profit=np.asarray(columns["profit"], dtype=float),
        spend=np.asarray(columns["spend"], dtype=float),
        value_at_risk=np.asarray(columns["value_at_risk"], dtype=float),
        is_held=np.asarray(columns["is_held"], dtype=bool),
        kind=np.asarray(columns["kind"]),
        margin=np.asarray(columns["margin"], dtype=float),
    )
    return options, numbers, np.asarray(columns["step"])


def _ranks(options: plan.Options, allocation: plan.Allocation) -> np.ndarray:
    """1 for the most profitable contact, 2 for the next, 0 for candidates that are no contact. Ties as in `plan`;
    contacts of unknown profit (care for a customer whose margin is unknown) come last."""
    contacts = np.flatnonzero(allocation.outcome == plan.CONTACT)
    taken = allocation.option[contacts]
    order = np.lexsort((contacts, -options.value_at_risk[taken], -options.profit[taken]))
    ranks = np.zeros(len(allocation.outcome), dtype=np.int64)
    ranks[contacts[order]] = np.arange(1, len(contacts) + 1)
    return ranks


def _write_table(
    con: duckdb.DuckDBPyConnection,
    as_of_date: date,
    options: plan.Options,
    allocation: plan.Allocation,
    candidate_numbers: np.ndarray,
    steps: np.ndarray,
) -> None:
    outcome_words = np.array([OUTCOME_WORDS.get(code) for code in range(6)], dtype=object)
    chosen_step = np.where(allocation.option >= 0, steps[allocation.option] if len(steps) else 0, 0)
    rank = _ranks(options, allocation)
    con.register(
        "plan_outcomes",
        pa.table(
            {
                "candidate_number": pa.array(candidate_numbers, pa.int64()),
                "outcome": pa.array(allocation.outcome, pa.int64()),
                "outcome_reason": pa.array(outcome_words[allocation.outcome], pa.string()),
                "chosen_step": pa.array(chosen_step, pa.int64()),
                "plan_rank": pa.array(rank, pa.int64(), mask=rank == 0),
            }
        ),
    )
    con.execute("create schema if not exists actions")
    try:
        con.execute(
            f"""
            create or replace table actions.contact_plan as
            with first_steps as (
                -- What a candidate that got no channel is shown with: the first it may use, else its first.
                select
                    candidate_number,
                    coalesce(min(step) filter (where is_consented and is_reachable), min(step)) as step
                from plan_options
                group by candidate_number
            ),

            shown as (
                select
                    candidates.*,
                    outcomes.outcome,
                    outcomes.outcome_reason,
                    outcomes.plan_rank,
                    options.channel,
                    options.contact_cost,
                    options.profit,
                    options.consent_basis,
                    options.channel_basis
                from plan_candidates as candidates
                inner join first_steps on candidates.candidate_number = first_steps.candidate_number
                left join plan_outcomes as outcomes on candidates.candidate_number = outcomes.candidate_number
                inner join plan_options as options
                    on candidates.candidate_number = options.candidate_number
                    and coalesce(nullif(outcomes.chosen_step, 0), first_steps.step) = options.step
            ),

            decided as (
                select
                    *,
                    case outcome when {plan.CONTACT} then 'contact' when {plan.HELD_OUT} then 'holdout'
                        else 'not_contacted' end as decision
                from shown
            )

            select
                cast($as_of as date) as as_of_date,
                candidate_id,
                customer_id,
                action_id,
                calendar_id,
                trigger_reason,
                lifecycle_stage,
                value_class,
                channel,
                decision,
                case decision
                    when 'contact' then null
                    when 'holdout' then case holdout_kind when 'global' then $global_words else $action_words end
                    else coalesce(reason, outcome_reason)
                end as reason_not_contacted,
                plan_rank,
                cast(profit as double) as expected_incremental_profit,
                cast(uplift as double) as uplift,
                uplift_basis,
                cast(margin_at_stake as double) as margin_at_stake,
                contact_cost,
                offer_cost,
                redeem_probability,
                consent_basis,
                channel_basis,
                case when decision = 'holdout' then holdout_kind end as holdout_kind,
                cast(value_at_risk as double) as value_at_risk,
                cast(churn_probability as double) as churn_probability,
                purpose,
                needs_profit
            from decided
            """,
            {"as_of": as_of_date, "global_words": HOLDOUT_WORDS["global"], "action_words": HOLDOUT_WORDS["action"]},
        )
    finally:
        con.unregister("plan_outcomes")
