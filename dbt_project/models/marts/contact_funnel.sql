{%- set window_days = var('measure_outcome_window_days') -%}
{%- set first_month = "date '" ~ month_starts(12)[0] ~ "'" -%}
with candidates as (

    select * from {{ ref('candidates') }}

),

options as (

    select * from {{ ref('contact_options') }}

),

tonight as (

    select * from {{ source('actions', 'contact_plan') }}
    where decision = 'contact'

),

follow_up as (

    select * from {{ ref('plan_follow_up') }}
    where
        decision = 'contact'
        and as_of_date >= {{ first_month }}

),

past_flagged as (

    select * from {{ source('ledgers', 'past_flagged') }}
    where as_of_date >= {{ first_month }}

),

-- What the business sends without a plan of ours, and what it sends otherwise than planned.
unplanned as (

    select *
    from {{ ref('stg_contacts') }}
    where
        sent_on < {{ as_of() }}
        and sent_on >= {{ first_month }}
        and coalesce(outcome, 'sent') <> 'held_out'
        and contact_id not in (
            select planned.contact_id from {{ ref('plan_follow_up') }} as planned
            where planned.contact_id is not null
        )

),

customer_day as (

    select * from {{ ref('customer_day') }}
    where
        day < {{ as_of() }}
        and day >= {{ first_month }}
        and n_orders > 0

),

actions as (

    select * from {{ ref('playbook_actions') }}

),

reached as (

    select
        candidate_id,
        bool_or(is_consented and is_reachable) as is_reachable
    from options
    group by candidate_id

),

flagged as (

    select
        customer_id,
        action_id,
        as_of_date,
        is_reachable
    from past_flagged

    union all

    select
        candidates.customer_id,
        candidates.action_id,
        {{ as_of() }} as as_of_date,
        reached.is_reachable
    from candidates
    inner join reached on candidates.candidate_id = reached.candidate_id

),

-- A plan of a night of which nobody recorded the candidates was flagged and reachable all the same.
events as (

    select
        'holdfast' as planned_by,
        customer_id,
        action_id,
        as_of_date as on_date,
        true as is_flagged,
        is_reachable,
        false as is_planned,
        false as is_exported,
        false as is_waiting,
        false as is_released,
        cast(null as date) as sent_on,
        cast(null as string) as outcome
    from flagged

    union all

    select
        'holdfast' as planned_by,
        customer_id,
        action_id,
        as_of_date as on_date,
        true as is_flagged,
        true as is_reachable,
        true as is_planned,
        coalesce(is_exported, false) as is_exported,
        contact_id is null and not is_released as is_waiting,
        is_released,
        case when is_sent then sent_on end as sent_on,
        case
            when not is_sent then null
            when outcome = 'bounced' or coalesce(outcome_at < {{ as_of() }}, true) then outcome
            else 'sent'
        end as outcome
    from follow_up

    union all

    select
        'holdfast' as planned_by,
        customer_id,
        action_id,
        {{ as_of() }} as on_date,
        true as is_flagged,
        true as is_reachable,
        true as is_planned,
        false as is_exported,
        true as is_waiting,
        false as is_released,
        cast(null as date) as sent_on,
        cast(null as string) as outcome
    from tonight

    union all

    select
        'business' as planned_by,
        customer_id,
        coalesce(action_id, 'unknown') as action_id,
        sent_on as on_date,
        false as is_flagged,
        false as is_reachable,
        false as is_planned,
        false as is_exported,
        false as is_waiting,
        false as is_released,
        sent_on,
        case
            when outcome = 'bounced' or coalesce(outcome_at < {{ as_of() }}, true) then outcome
            else 'sent'
        end as outcome
    from unplanned

),

-- An answer that nobody ever reports is not known; it is not a zero. Where nothing is said of delivery, what was sent
-- counts as arrived, as in the KPIs.
reported as (

    select
        coalesce(bool_or(outcome in ('delivered', 'bounced')), false) as is_delivery_reported,
        coalesce(bool_or(outcome in ('responded', 'redeemed')), false) as is_response_reported
    from events

),

persons as (

    select
        planned_by,
        action_id,
        cast(date_trunc('month', on_date) as date) as month,
        customer_id,
        bool_or(is_flagged) as is_flagged,
        bool_or(is_reachable) as is_reachable,
        bool_or(is_planned) as is_planned,
        bool_or(is_exported) as is_exported,
        bool_or(is_waiting) as is_waiting,
        bool_or(is_released) as is_released,
        bool_or(sent_on is not null) as is_sent,
        -- A later step implies the earlier ones.
        coalesce(bool_or(outcome in ('delivered', 'opened', 'responded', 'redeemed', 'opted_out', 'complaint')), false)
            as is_delivered,
        coalesce(bool_or(outcome in ('responded', 'redeemed')), false) as is_responded,
        coalesce(bool_or(outcome in ('opted_out', 'complaint')), false) as is_opted_out,
        min(sent_on) as window_start,
        max(sent_on) + {{ window_days }} as window_end
    from events
    group by
        planned_by,
        action_id,
        cast(date_trunc('month', on_date) as date),
        customer_id

),

kept as (

    select distinct
        persons.planned_by,
        persons.action_id,
        persons.month,
        persons.customer_id
    from persons
    inner join customer_day
        on
            persons.customer_id = customer_day.customer_id
            and persons.window_start <= customer_day.day
            and persons.window_end > customer_day.day

),

counted as (

    select
        persons.planned_by,
        persons.action_id,
        persons.month,
        count(*) filter (where persons.is_flagged) as n_flagged,
        count(*) filter (where persons.is_reachable) as n_reachable,
        count(*) filter (where persons.is_planned) as n_planned,
        count(*) filter (where persons.is_exported) as n_exported,
        count(*) filter (where persons.is_sent) as n_sent,
        count(*) filter (where persons.is_delivered) as n_delivered,
        count(*) filter (where persons.is_responded) as n_responded,
        count(*) filter (where kept.customer_id is not null) as n_kept,
        count(*) filter (where not persons.is_sent and persons.is_waiting) as n_waiting,
        count(*) filter (where not persons.is_sent and not persons.is_waiting and persons.is_released) as n_not_sent,
        count(*) filter (where persons.is_opted_out) as n_opted_out,
        last_day(persons.month) < {{ as_of() }}
        and not bool_or(persons.is_waiting)
        and coalesce(max(persons.window_end) <= {{ as_of() }}, true) as is_complete
    from persons
    left join kept
        on
            persons.planned_by = kept.planned_by
            and persons.action_id = kept.action_id
            and persons.month = kept.month
            and persons.customer_id = kept.customer_id
    group by
        persons.planned_by,
        persons.action_id,
        persons.month

),

final as (

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        counted.action_id,
        actions.label_en as action_label_en,
        actions.label_zh as action_label_zh,
        counted.planned_by,
        counted.month,
        counted.n_flagged,
        counted.n_reachable,
        counted.n_planned,
        counted.n_exported,
        counted.n_sent,
        case when reported.is_delivery_reported then counted.n_delivered else counted.n_sent end as n_delivered,
        case when reported.is_response_reported then counted.n_responded end as n_responded,
        counted.n_kept,
        counted.n_waiting,
        counted.n_not_sent,
        counted.n_opted_out,
        counted.is_complete
    from counted
    cross join reported
    left join actions on counted.action_id = actions.action_id

)

select {{ contract_columns() }}
from final
