{#- Where nothing is known each arm of an action has the largest share, where all is known the least. -#}
{% set holdout_share = "cast(" ~ var('actions_action_holdout_share') ~ " as double)" -%}
{% set shares = [var('actions_action_holdout_least'), var('actions_action_holdout_share')] -%}
{% set least_share = "cast(" ~ shares | min ~ " as double)" -%}

{#- Who is kept buys within the churn horizon at the least, whatever lasts beyond it. `greatest` and `least` pass over
    null: who has no year stands for the horizon, who is not scored gets the whole effect. #}
{%- set margin_at_stake -%}
greatest(
            customers.margin_horizon,
            case when customers.margin_year is not null then actions.persistence_prior * customers.margin_year end
        )
{%- endset %}
with

due_entries as (

    select * from {{ ref('due_entries') }}

),

customers as (

    select * from {{ ref('customer_state') }}

),

actions as (

    select * from {{ ref('playbook_actions') }}

),

effects as (

    select * from {{ ref('action_effects') }}

),

lifts as (

    select * from {{ ref('purchase_lifts') }}

),

complaints as (

    select * from {{ ref('open_complaints') }}

),

touches as (

    select * from {{ ref('touches') }}
    where customer_id in (select due_entries.customer_id from due_entries)

),

ledger as (

    select * from {{ source('ledgers', 'holdout_ledger') }}

),

-- Two entries may call for one action of one customer: it is due once, under the entry that opened last.
due as (

    select
        *,
        row_number() over (
            partition by customer_id, action_id order by window_from desc nulls last, calendar_id asc nulls last
        ) as entry_number
    from due_entries

),

stage_limits as (

    select * from {{ ref('playbook_stages') }}

),

recent as (

    select
        touches.customer_id,
        count(*) filter (
            where touches.touched_on >= {{ as_of() }} - {{ var('actions_cap_window_days') }}
        ) as n_contacts,
        count(*) filter (where touches.touched_on >= {{ as_of() }} - stage_limits.cap_days) as n_stage_contacts,
        -- Contacts that still work share the purchases of the window with the next one.
        count(*) filter (
            where touches.touched_on > {{ as_of() }} - {{ var('measure_outcome_window_days') }}
        ) as n_working,
        max(touches.touched_on) as last_touch_on
    from touches
    inner join customers on touches.customer_id = customers.customer_id
    left join stage_limits on customers.lifecycle_stage = stage_limits.lifecycle_stage
    where touches.is_counted
    group by touches.customer_id

),

last_uses as (

    select
        customer_id,
        action_id,
        max(touched_on) as used_on
    from touches
    group by
        customer_id,
        action_id

),

-- Persons in whom an action is being measured, in either arm, until the outcome window is closed. A night of which no
-- contact was made measures nothing; one of which some were goes on for all its persons, those not contacted included.
experiments as (

    select distinct
        customer_id,
        action_id
    from {{ ref('plan_follow_up') }}
    where
        experiment_arm is not null
        and not is_night_released
        and due_on > {{ as_of() }} - {{ var('measure_outcome_window_days') }}

),

-- A customer with another id than before stays in the slices of the first one.
first_ids as (

    select
        customer_id,
        old_customer_id
    from {{ source('identity', 'id_changes') }}
    where is_first_id

),

control_group as (

    select distinct customer_id
    from ledger
    where
        valid_to is null
        and salt = {{ text_var('actions_holdout_salt') }}

),

keeping as (

    select
        due.*,
        customers.lifecycle_stage,
        customers.value_class,
        customers.is_promotion_dependent,
        customers.churn_probability,
        customers.churn_band,
        customers.value_at_risk,
        customers.margin_year,
        actions.persistence_prior as persistence,
        {{ margin_at_stake }} as margin_at_stake,
        -- A flat effect would promise to undo nearly all the risk of the surest customers, whose margin is the largest,
        -- and to win more money than leaves if nobody acts.
        {%- for name in ['', '_low', '_high', '_decided'] %}
        case
            when effects.effect{{ name }} is not null
                then least(
                    effects.effect{{ name }},
                    cast({{ var('actions_max_uplift_share') }} as double) * customers.churn_probability,
                    customers.margin_leaving / nullif({{ margin_at_stake }}, 0)
                )
        end as keeping{{ name }},
        {%- endfor %}
        coalesce(effects.basis, 'risk_only') as keeping_basis,
        customers.margin_expected,
        coalesce(lifts.measured_weight, 0) as lift_weight,
        {{ least_share }}
        + ({{ holdout_share }} - {{ least_share }}) * (1 - coalesce(lifts.measured_weight, 0)) as slice_share,
        {%- for name in ['', '_low', '_high', '_decided'] %}
        case
            when lifts.measured_weight > 0 or effects.effect is not null
                then
                    lifts.lift{{ name }} * customers.margin_expected
                    / nullif({{ margin_at_stake }} * (1 + coalesce(recent.n_working, 0)), 0)
        end as lift_won{{ name }},
        {%- endfor %}
        effects.offer_cost,
        -- Whoever buys anyway may take the offer as well.
        case
            when effects.redeem_if_buys is null or customers.churn_probability is null then effects.redeem_probability
            else least(1, effects.redeem_if_buys * (1 - customers.churn_probability))
        end as redeem_probability,
        actions.is_price_based,
        actions.purpose,
        actions.needs_profit,
        actions.is_blocked_by_complaint and complaints.customer_id is not null as is_blocked,
        actions.purpose <> 'service'
        and coalesce(recent.n_contacts, 0) >= {{ var('actions_cap_contacts') }} as is_capped,
        actions.purpose <> 'service'
        and coalesce(coalesce(recent.n_stage_contacts, 0) >= stage_limits.cap_contacts, false) as is_stage_capped,
        -- Whether a contact pays is read off behaviour.
        actions.needs_profit and customers.is_profiling_refused as is_profiling_refused,
        actions.purpose <> 'service'
        and coalesce(
            recent.last_touch_on > {{ as_of() }} - {{ var('actions_min_days_between_contacts') }}, false
        ) as is_too_soon,
        coalesce(last_uses.used_on > {{ as_of() }} - actions.cooldown_days, false) as is_cooling,
        -- Another paying action would reach one arm more than the other, so neither gets it.
        actions.needs_profit
        and exists (
            select 1 from experiments
            where
                experiments.customer_id = due.customer_id
                and experiments.action_id <> due.action_id
        ) as is_in_experiment,
        control_group.customer_id is not null as is_in_control_group,
        {{ hash_share(
            "concat_ws('|', 'action', " ~ text_var('actions_holdout_salt') ~ ", due.action_id, coalesce(first_ids.old_customer_id, due.customer_id))"
        ) }} as draw
    from due
    inner join customers on due.customer_id = customers.customer_id
    inner join actions on due.action_id = actions.action_id
    left join effects on due.action_id = effects.action_id and customers.lifecycle_stage = effects.lifecycle_stage
    left join lifts on due.action_id = lifts.action_id and customers.lifecycle_stage = lifts.lifecycle_stage
    left join complaints on due.customer_id = complaints.customer_id
    left join stage_limits on customers.lifecycle_stage = stage_limits.lifecycle_stage
    left join recent on due.customer_id = recent.customer_id
    left join last_uses on due.customer_id = last_uses.customer_id and due.action_id = last_uses.action_id
    left join control_group on due.customer_id = control_group.customer_id
    left join first_ids on due.customer_id = first_ids.customer_id
    where due.entry_number = 1

),

-- Once something was measured, a contact is worth by how much it lets the customer's purchases grow, as a share of the
-- margin at stake: who has most probably left buys nothing that could grow.
judged as (

    select
        keeping.*,
        {%- for name in ['', '_low', '_high', '_decided'] %}
        case
            when keeping.lift_won{{ name }} is not null then least(1, greatest(-1, keeping.lift_won{{ name }}))
            else keeping.keeping{{ name }}
        end as uplift{{ name }},
        {%- endfor %}
        case
            when keeping.lift_won is null or keeping.lift_weight = 0 then keeping.keeping_basis
            when keeping.lift_weight >= 0.5 or keeping.keeping_basis = 'measured' then 'measured'
            else 'prior_and_measured'
        end as uplift_basis
    from keeping

),

-- Nobody is left alone with a complaint for the sake of a measurement. The slice of an action has two arms of one size,
-- which differ in nothing but the contact, and shrink from their upper ends, so that nobody changes sides. Whoever is
-- in neither may get other actions within the window.
final as (

    select
        judged.*,
        case
            when judged.purpose = 'service' then null
            when judged.is_in_control_group then 'global'
            when judged.draw < judged.slice_share then 'action'
        end as holdout_kind,
        case
            when judged.purpose = 'service' or judged.is_in_control_group then null
            when judged.draw < judged.slice_share then 'held_out'
            when judged.draw >= {{ holdout_share }} and judged.draw < {{ holdout_share }} + judged.slice_share
                then 'treated'
        end as experiment_arm,
        case
            when judged.purpose <> 'service' and not judged.is_in_control_group then judged.slice_share
        end as assignment_probability,
        substr(
            md5(concat_ws('|', cast({{ as_of() }} as string), judged.customer_id, judged.action_id)), 1, 16
        ) as candidate_id
    from judged

)

select {{ contract_columns() }}
from final
