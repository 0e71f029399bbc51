"""The night's contact plan, from candidates to table and ledger.

In: `candidates.candidates`, `candidates.contact_options`, `candidates.customer_state`, `candidates.reasons`, the
playbook's budgets, owners and quiet days.
Out: `actions.contact_plan` (one row a candidate, with a decision and, where it is not a contact, the reason),
`actions.plan_limits` (what the night had, used and was short of) and the ledger files of the date. Who is a candidate
does not belong here (models/candidates); choosing among candidates is `plan`'s.
"""

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from assets.actions import plan
from assets.actions.ledger import write_flagged, write_plan
from assets.actions.plan_limits import write_plan_limits
from assets.shared.params import Params
from assets.shared.quiet_days import first_open_day
from assets.shared.warehouse import fetch_row

#: Why a candidate that nothing speaks against is still no contact: codes of candidates.reasons.
OUTCOME_REASONS = {
    plan.OTHER_ACTION: "other_action",
    plan.CARE_FIRST: "care_first",
    plan.NO_CAPACITY: "no_capacity",
    plan.NO_BUDGET: "no_budget",
    plan.NO_ACTION_BUDGET: "no_action_budget",
    plan.NO_CARE_BUDGET: "no_care_budget",
}
HOLDOUT_REASONS = {"global": "control_group", "action": "action_slice"}


def build_contact_plan(
    con: duckdb.DuckDBPyConnection, params: Params, as_of_date: date, ledgers: Path
) -> dict[str, int | float | bool]:
    """Write `actions.contact_plan`, `actions.plan_limits` and `ledgers/plan/<as_of_date>.parquet`.

    The same candidates give the same plan however often it is made.

    Returns counts and money: candidates, contacts, held_out, not_contacted; expected_profit and expected_spend of the
    contacts that must pay for themselves; care_contacts and care_spend of the others; budget, price_of_money, and
    share_of_bound: the expected profit as a share of what no plan within the limits can exceed.
    """
    capacities = params.capacities()
    channel_names = sorted(capacities)
    budgets = con.execute(
        "select action_id, cast(nightly_budget as double) from playbook.playbook_actions"
        " where nightly_budget is not null order by action_id"
    ).fetchall()
    owners = con.execute("select owner, nightly_calls from playbook.playbook_owners order by owner").fetchall()
    # An owner's calls are room of their own, beside that of the channel: every contact uses one room.
    limits = plan.Limits(
        capacities=(*(capacities[name] for name in channel_names), *(calls for _, calls in owners)),
        budget=params.actions_daily_budget,
        care_budget=params.actions_care_budget,
        action_budgets=tuple(money for _, money in budgets),
    )
    owner_names = [owner for owner, _ in owners]
    options, steps = _open_options(con, channel_names, owner_names, [action_id for action_id, _ in budgets])
    allocation = plan.allocate(options, limits)
    _write_table(con, as_of_date, options, allocation, steps)
    write_plan_limits(
        con, as_of_date, limits, allocation, channel_names, owner_names, [action_id for action_id, _ in budgets]
    )
    write_plan(con, ledgers / "plan", as_of_date)
    write_flagged(con, ledgers, as_of_date)
    n_candidates, contacts, held_out, profit, spend, care, care_spend = fetch_row(
        con,
        """
        select
            count(*),
            count(*) filter (where decision = 'contact'),
            count(*) filter (where decision = 'holdout'),
            cast(coalesce(sum(profit) filter (where decision = 'contact' and needs_profit), 0) as double),
            cast(coalesce(sum(spend) filter (where decision = 'contact' and needs_profit), 0) as double),
            count(*) filter (where decision = 'contact' and not needs_profit),
            cast(coalesce(sum(spend) filter (where decision = 'contact' and not needs_profit), 0) as double)
        from (
            select
                decision,
                needs_profit,
                cast(expected_incremental_profit as decimal(28, 6)) as profit,
                cast(contact_cost + offer_cost * redeem_probability as decimal(28, 6)) as spend
            from actions.contact_plan
        )
        """,
    )
    return {
        "candidates": n_candidates,
        "contacts": contacts,
        "held_out": held_out,
        "not_contacted": n_candidates - contacts - held_out,
        "expected_profit": profit,
        "expected_spend": spend,
        "care_contacts": care,
        "care_spend": care_spend,
        "budget": params.actions_daily_budget,
        "price_of_money": allocation.money_price,
        "share_of_bound": allocation.profit / allocation.bound if allocation.bound else 1.0,
    }


def _open_options(
    con: duckdb.DuckDBPyConnection, channel_names: list[str], owners: list[str], budgeted_actions: list[str]
) -> tuple[plan.Options, np.ndarray]:
    """Options of candidates nothing speaks against, and the step (place in the action's channels) of each.

    Temp table `open_candidates` says which candidate each number stands for. Customers come in the order of a hash, so
    that no kind of customer_id is favoured where candidates tie.
    """
    con.execute(
        """
        create or replace temp table open_options as
        select
            options.candidate_id,
            dense_rank() over (
                order by md5(candidates.customer_id), candidates.customer_id, candidates.action_id
            ) - 1 as candidate_number,
            dense_rank() over (order by md5(candidates.customer_id), candidates.customer_id) - 1 as customer_number,
            coalesce(
                case when options.channel = 'phone' then len($channels) + list_position($owners, customers.owner) end,
                list_position($channels, options.channel)
            ) - 1 as channel,
            coalesce(list_position($actions, candidates.action_id), 0) - 1 as action,
            coalesce(options.profit_decided, 'nan'::double) as profit,
            options.spend,
            coalesce(candidates.value_at_risk, 0) as value_at_risk,
            candidates.holdout_kind is not null as is_held,
            case when candidates.needs_profit then $profit when candidates.purpose = 'service' then $service
                else $care end as kind,
            coalesce(candidates.margin_at_stake, 0) as margin,
            options.step
        from candidates.contact_options as options
        inner join candidates.candidates as candidates on options.candidate_id = candidates.candidate_id
        left join candidates.customer_state as customers on candidates.customer_id = customers.customer_id
        where candidates.reason_code is null and options.is_consented and options.is_reachable
            and not options.is_channel_capped
            and (options.is_worth_it or not candidates.needs_profit)
        """,
        {
            "channels": channel_names,
            "owners": owners or [""],
            "actions": budgeted_actions or [""],
            "profit": plan.PROFIT,
            "care": plan.CARE,
            "service": plan.SERVICE,
        },
    )
    con.execute(
        """
        create or replace temp table open_candidates as
        select distinct candidate_number, candidate_id from open_options
        """
    )
    columns = con.execute(
        "select * exclude (candidate_id) from open_options order by candidate_number, step"
    ).fetchnumpy()
    con.execute("drop table open_options")
    options = plan.Options(
        candidate=np.asarray(columns["candidate_number"]),
        customer=np.asarray(columns["customer_number"]),
        channel=np.asarray(columns["channel"]),
        action=np.asarray(columns["action"]),
        profit=np.asarray(columns["profit"], dtype=float),
        spend=np.asarray(columns["spend"], dtype=float),
        value_at_risk=np.asarray(columns["value_at_risk"], dtype=float),
        is_held=np.asarray(columns["is_held"], dtype=bool),
        kind=np.asarray(columns["kind"]),
        margin=np.asarray(columns["margin"], dtype=float),
    )
    return options, np.asarray(columns["step"])


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
    steps: np.ndarray,
) -> None:
    outcome_reasons = np.array([OUTCOME_REASONS.get(code) for code in range(8)], dtype=object)
    chosen_step = np.where(allocation.option >= 0, steps[allocation.option] if len(steps) else 0, 0)
    rank = _ranks(options, allocation)
    quiet = {cell for (cell,) in con.execute("select quiet_on from playbook.playbook_quiet_days").fetchall()}
    con.register(
        "plan_outcomes",
        pa.table(
            {
                "candidate_number": pa.array(np.arange(len(rank)), pa.int64()),
                "outcome": pa.array(allocation.outcome, pa.int64()),
                "outcome_reason": pa.array(outcome_reasons[allocation.outcome], pa.string()),
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
                    candidate_id,
                    coalesce(
                        min(step) filter (where is_consented and is_reachable and not is_channel_capped),
                        min(step) filter (where is_consented and is_reachable), min(step)
                    ) as step
                from candidates.contact_options
                group by candidate_id
            ),

            outcomes as (
                select open_candidates.candidate_id, plan_outcomes.* exclude (candidate_number)
                from plan_outcomes
                inner join open_candidates on plan_outcomes.candidate_number = open_candidates.candidate_number
            ),

            shown as (
                select
                    candidates.*,
                    outcomes.outcome,
                    outcomes.outcome_reason,
                    outcomes.plan_rank,
                    options.channel,
                    customers.owner,
                    options.contact_cost,
                    options.profit,
                    options.profit_low,
                    options.profit_high,
                    options.consent_basis,
                    options.channel_basis
                from candidates.candidates as candidates
                inner join first_steps on candidates.candidate_id = first_steps.candidate_id
                left join outcomes on candidates.candidate_id = outcomes.candidate_id
                left join candidates.customer_state as customers on candidates.customer_id = customers.customer_id
                inner join candidates.contact_options as options
                    on candidates.candidate_id = options.candidate_id
                    and coalesce(nullif(outcomes.chosen_step, 0), first_steps.step) = options.step
            ),

            decided as (
                select
                    * exclude (reason_code),
                    case outcome when {plan.CONTACT} then 'contact' when {plan.HELD_OUT} then 'holdout'
                        else 'not_contacted' end as decision,
                    case outcome
                        when {plan.CONTACT} then null
                        when {plan.HELD_OUT} then case holdout_kind when 'global' then $global else $action end
                        else coalesce(reason_code, outcome_reason)
                    end as reason_code
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
                owner,
                decision,
                decided.reason_code,
                reasons.words as reason_not_contacted,
                reasons.words_zh as reason_not_contacted_zh,
                plan_rank,
                case when decision <> 'not_contacted' then cast($due_on as date) end as due_on,
                cast(profit as double) as expected_incremental_profit,
                cast(profit_low as double) as profit_low,
                cast(profit_high as double) as profit_high,
                cast(uplift as double) as uplift,
                cast(uplift_low as double) as uplift_low,
                cast(uplift_high as double) as uplift_high,
                uplift_basis,
                cast(margin_at_stake as double) as margin_at_stake,
                cast(margin_year as double) as margin_year,
                persistence,
                contact_cost,
                offer_cost,
                redeem_probability,
                consent_basis,
                channel_basis,
                case when decision = 'holdout' then holdout_kind end as holdout_kind,
                case when decision <> 'not_contacted' then experiment_arm end as experiment_arm,
                case when decision <> 'not_contacted' then assignment_probability end as assignment_probability,
                cast(value_at_risk as double) as value_at_risk,
                cast(churn_probability as double) as churn_probability,
                purpose,
                needs_profit
            from decided
            left join candidates.reasons as reasons on decided.reason_code = reasons.reason_code
            """,
            {"as_of": as_of_date, "due_on": first_open_day(as_of_date, quiet), **HOLDOUT_REASONS},
        )
    finally:
        con.unregister("plan_outcomes")
        con.execute("drop table open_candidates")
