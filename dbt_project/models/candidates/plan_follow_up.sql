-- Days after a planned contact within which the business's own record of it may arrive.
{% set grace_days = var('actions_report_grace_days') -%}

with

reports as (

    select
        contact_id,
        customer_id,
        action_id,
        sent_on,
        outcome,
        outcome_at,
        coalesce(outcome, 'sent') not in ('not_sent', 'held_out') as is_sent
    from {{ ref('stg_contact_reports') }}
    where sent_on < {{ as_of() }}

),

past_plans as (

    select
        as_of_date,
        candidate_id,
        customer_id,
        action_id,
        calendar_id,
        channel,
        decision,
        experiment_arm,
        is_exported,
        -- Plans of before contacts moved off quiet days were due at once.
        coalesce(due_on, as_of_date) as due_on
    from {{ source('ledgers', 'past_plans') }}

),

matched_by_id as (

    select
        past_plans.candidate_id,
        reports.contact_id,
        reports.sent_on,
        reports.outcome,
        reports.outcome_at,
        reports.is_sent,
        true as is_by_id
    from past_plans
    inner join reports
        on past_plans.candidate_id = reports.contact_id and past_plans.customer_id = reports.customer_id

),

-- A report with an id of its own is that of the newest plan of its action: one contact carries out one plan.
ranked_by_action as (

    select
        past_plans.candidate_id,
        reports.contact_id,
        reports.sent_on,
        reports.outcome,
        reports.outcome_at,
        reports.is_sent,
        false as is_by_id,
        row_number() over (
            partition by reports.contact_id
            order by past_plans.as_of_date desc nulls last, past_plans.candidate_id asc nulls last
        ) as plan_number
    from past_plans
    inner join reports
        on
            past_plans.customer_id = reports.customer_id
            and past_plans.action_id = reports.action_id
            and reports.sent_on between past_plans.as_of_date and past_plans.due_on + {{ grace_days }}
    where reports.contact_id not in (select matched_by_id.contact_id from matched_by_id)

),

matched as (

    select * from matched_by_id

    union all

    select
        candidate_id,
        contact_id,
        sent_on,
        outcome,
        outcome_at,
        is_sent,
        is_by_id
    from ranked_by_action
    where plan_number = 1

),

ranked as (

    select
        *,
        row_number() over (
            partition by candidate_id
            order by
                case when is_sent then 0 else 1 end asc nulls last,
                case when is_by_id then 0 else 1 end asc nulls last,
                sent_on asc nulls last,
                contact_id asc nulls last
        ) as report_number
    from matched

),

followed as (

    select
        past_plans.as_of_date,
        past_plans.candidate_id,
        past_plans.customer_id,
        past_plans.action_id,
        past_plans.calendar_id,
        past_plans.channel,
        past_plans.decision,
        past_plans.experiment_arm,
        past_plans.is_exported,
        past_plans.due_on,
        ranked.contact_id,
        ranked.sent_on,
        ranked.outcome,
        ranked.outcome_at,
        coalesce(ranked.is_sent, false) as is_sent
    from past_plans
    left join ranked on past_plans.candidate_id = ranked.candidate_id and ranked.report_number = 1

),

-- From a channel of which nothing planned was ever reported nothing can be concluded by silence.
reported_channels as (

    select distinct channel
    from followed
    where contact_id is not null

),

judged as (

    select
        followed.*,
        followed.decision = 'contact' and case
            when followed.contact_id is not null then not followed.is_sent
            when not followed.is_exported then true
            else
                reported_channels.channel is not null
                and followed.due_on + {{ grace_days }} < {{ as_of() }}
        end as is_released
    from followed
    left join reported_channels on followed.channel = reported_channels.channel

),

-- The two arms of a night wait alike: they are released together, when nothing of the action is left to be made.
nights as (

    select
        as_of_date,
        action_id,
        bool_or(is_sent) as is_carried_out,
        not bool_or(not is_released) as is_released
    from judged
    where decision = 'contact'
    group by
        as_of_date,
        action_id

),

final as (

    select
        judged.as_of_date,
        judged.candidate_id,
        judged.customer_id,
        judged.action_id,
        judged.calendar_id,
        judged.channel,
        judged.decision,
        judged.experiment_arm,
        judged.is_exported,
        judged.due_on,
        judged.contact_id,
        judged.sent_on,
        judged.outcome,
        judged.outcome_at,
        judged.is_sent,
        case
            when judged.decision = 'contact' then judged.is_released
            else coalesce(nights.is_released, false)
        end as is_released,
        coalesce(nights.is_released, false) as is_night_released,
        coalesce(nights.is_carried_out, false) as is_night_carried_out
    from judged
    left join nights on judged.as_of_date = nights.as_of_date and judged.action_id = nights.action_id

)

select {{ contract_columns() }}
from final
