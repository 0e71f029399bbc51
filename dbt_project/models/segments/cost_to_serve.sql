{% set window = var('value_window_days') -%}

-- What serving a customer cost within the value window, each part apart. What no source delivers is unknown, not zero;
-- discounts are no part of the sum, because net sales are what was paid after them.

with

customers as (

    select * from {{ ref('customer_value') }}

),

firsts as (

    select
        (select min(occurred_on) from {{ ref('stg_interactions') }}) as interaction_on,
        (select min(sent_on) from {{ ref('stg_contacts') }}) as contact_on

),

return_days as (

    select min(day) as return_on
    from {{ ref('customer_day') }}
    where n_return_lines > 0

),

known as (

    select
        coalesce(firsts.interaction_on < {{ as_of() }}, false) as has_interactions,
        coalesce(firsts.contact_on < {{ as_of() }}, false) as has_contacts,
        coalesce(return_days.return_on < {{ as_of() }}, false) as has_returns
    from firsts
    cross join return_days

),

sales as (

    select
        customer_id,
        sum(return_amount) as return_amount,
        sum(discount_amount) as discount_amount
    from {{ ref('customer_day') }}
    where
        day < {{ as_of() }}
        and day >= {{ as_of() }} - {{ window }}
    group by customer_id

),

complaints as (

    select
        customer_id,
        count(*) as n_complaints
    from {{ ref('stg_interactions') }}
    where
        kind = 'complaint'
        and occurred_on < {{ as_of() }}
        and occurred_on >= {{ as_of() }} - {{ window }}
    group by customer_id

),

contacts as (

    select
        customer_id,
        sum(coalesce(cost, 0) + coalesce(offer_cost, 0)) as contact_cost
    from {{ ref('stg_contacts') }}
    where
        sent_on < {{ as_of() }}
        and sent_on >= {{ as_of() }} - {{ window }}
        and coalesce(outcome, 'sent') <> 'held_out'
    group by customer_id

),

parts as (

    select
        customers.customer_id,
        customers.margin_window,
        case when known.has_returns then coalesce(sales.return_amount, 0) end as return_amount,
        case
            when known.has_returns
                then {{ as_decimal(
                    'cast(coalesce(sales.return_amount, 0) as double) * cast('
                    ~ var('value_return_cost_share') ~ ' as double)', 18, 2
                ) }}
        end as return_cost,
        case
            when known.has_interactions
                then {{ as_decimal(
                    'cast(coalesce(complaints.n_complaints, 0) as double) * cast('
                    ~ var('value_complaint_cost') ~ ' as double)', 18, 2
                ) }}
        end as complaint_cost,
        case
            when known.has_contacts then cast(coalesce(contacts.contact_cost, 0) as decimal(18, 2))
        end as contact_cost,
        cast(sales.discount_amount as decimal(18, 2)) as discount_amount
    from customers
    cross join known
    left join sales on customers.customer_id = sales.customer_id
    left join complaints on customers.customer_id = complaints.customer_id
    left join contacts on customers.customer_id = contacts.customer_id

),

final as (

    select
        {{ as_of() }} as as_of_date,
        customer_id,
        cast(return_amount as decimal(18, 2)) as return_amount_365d,
        cast(return_cost as decimal(18, 2)) as return_cost_365d,
        cast(complaint_cost as decimal(18, 2)) as complaint_cost_365d,
        contact_cost as contact_cost_365d,
        discount_amount as discount_amount_365d,
        cast(
            case
                when coalesce(return_cost, complaint_cost, contact_cost) is not null
                    then coalesce(return_cost, 0) + coalesce(complaint_cost, 0) + coalesce(contact_cost, 0)
            end as decimal(18, 2)
        ) as cost_to_serve_365d,
        cast(
            {{ as_decimal('margin_window', 18, 2) }} - coalesce(return_cost, 0) - coalesce(complaint_cost, 0)
            - coalesce(contact_cost, 0) as decimal(18, 2)
        ) as margin_after_service_365d
    from parts

)

select * from final
