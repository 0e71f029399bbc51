-- Days after a planned contact within which the business's own record of it may arrive: one touch, counted once.
{% set match_days = 7 -%}

with

contacts as (

    select * from {{ ref('stg_contacts') }}
    where sent_on < {{ as_of() }}

),

past_plans as (

    select * from {{ source('ledgers', 'past_plans') }}

),

reported_plans as (

    select distinct past_plans.candidate_id
    from past_plans
    inner join contacts
        on
            past_plans.customer_id = contacts.customer_id
            and (
                past_plans.candidate_id = contacts.contact_id
                or (
                    past_plans.action_id = contacts.action_id
                    and contacts.sent_on between past_plans.as_of_date and past_plans.as_of_date + {{ match_days }}
                )
            )

),

final as (

    select
        customer_id,
        action_id,
        channel,
        cast(null as string) as calendar_id,
        sent_on as touched_on,
        coalesce(outcome, 'sent') <> 'held_out' as is_counted
    from contacts

    union all

    select
        past_plans.customer_id,
        past_plans.action_id,
        past_plans.channel,
        past_plans.calendar_id,
        past_plans.as_of_date as touched_on,
        past_plans.decision = 'contact' and reported_plans.candidate_id is null as is_counted
    from past_plans
    left join reported_plans on past_plans.candidate_id = reported_plans.candidate_id

)

select {{ contract_columns() }}
from final
