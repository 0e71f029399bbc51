with

contacts as (

    select * from {{ ref('stg_contacts') }}
    where sent_on < {{ as_of() }}

),

plans as (

    select * from {{ ref('plan_follow_up') }}
    where not is_released

),

-- A plan that the business reports is counted as reported; what was released never happened.
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
        customer_id,
        action_id,
        channel,
        calendar_id,
        due_on as touched_on,
        decision = 'contact' and contact_id is null as is_counted
    from plans

)

select {{ contract_columns() }}
from final
