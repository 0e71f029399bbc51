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

recent as (

    select
        customer_id,
        count(*) filter (where touched_on >= {{ as_of() }} - {{ var('actions_cap_window_days') }}) as n_contacts,
        max(touched_on) as last_contact_on
    from touches
    where is_counted
    group by customer_id

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

-- A customer with another id than before stays in the slices of the first one.
first_ids as (

    select
        customer_id,
        old_customer_id
    from {{ source('ingest', 'id_changes') }}
    where is_first_id

),

control_group as (

    select distinct customer_id
    from ledger
    where
        valid_to is null
        and salt = {{ text_var('actions_holdout_salt') }}

),

judged as (

    select
        due.*,
        customers.lifecycle_stage,
        customers.value_class,
        customers.is_promotion_dependent,
        customers.churn_probability,
        customers.churn_band,
        customers.value_at_risk,
        customers.margin_at_stake,
        -- A flat prior would promise to undo nearly all the risk of the surest customers, whose margin is the largest.
        -- `least` passes over null: who is not scored gets the prior.
        case
            when actions.uplift_prior is not null
                then least(
                    actions.uplift_prior,
                    cast({{ var('actions_max_uplift_share') }} as double) * customers.churn_probability
                )
        end as uplift,
        case when actions.uplift_prior is null then 'risk_only' else actions.uplift_basis end as uplift_basis,
        cast(actions.offer_cost as double) as offer_cost,
        actions.redeem_probability,
        actions.is_price_based,
        actions.purpose,
        actions.needs_profit,
        actions.is_blocked_by_complaint and complaints.customer_id is not null as is_blocked,
        actions.purpose <> 'service'
        and coalesce(recent.n_contacts, 0) >= {{ var('actions_cap_contacts') }} as is_capped,
        actions.purpose <> 'service'
        and coalesce(
            recent.last_contact_on > {{ as_of() }} - {{ var('actions_min_days_between_contacts') }}, false
        ) as is_too_soon,
        coalesce(last_uses.used_on > {{ as_of() }} - actions.cooldown_days, false) as is_cooling,
        -- Nobody is left alone with a complaint for the sake of a measurement.
        case
            when actions.purpose = 'service' then null
            when control_group.customer_id is not null then 'global'
            when
                {{ hash_share(
                    "concat_ws('|', 'action', " ~ text_var('actions_holdout_salt') ~ ", due.action_id, coalesce(first_ids.old_customer_id, due.customer_id))"
                ) }} < cast({{ var('actions_action_holdout_share') }} as double)
                then 'action'
        end as holdout_kind
    from due
    inner join customers on due.customer_id = customers.customer_id
    inner join actions on due.action_id = actions.action_id
    left join complaints on due.customer_id = complaints.customer_id
    left join recent on due.customer_id = recent.customer_id
    left join last_uses on due.customer_id = last_uses.customer_id and due.action_id = last_uses.action_id
    left join control_group on due.customer_id = control_group.customer_id
    left join first_ids on due.customer_id = first_ids.customer_id
    where due.entry_number = 1

),

final as (

    select
        judged.*,
        substr(
            md5(concat_ws('|', cast({{ as_of() }} as string), judged.customer_id, judged.action_id)), 1, 16
        ) as candidate_id
    from judged

)

select {{ contract_columns() }}
from final
