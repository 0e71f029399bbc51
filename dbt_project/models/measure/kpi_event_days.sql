{#-
    What the KPIs walk over. A table of its own: kpi_cells reads it twice, and windows over all days together with the
    counting of cells do not fit into the memory that either needs alone.
-#}
{%- set shown_days = 400 -%}

with

customer_day as (

    select * from {{ ref('customer_day') }}
    where day < {{ as_of() }}

),

interactions as (

    select * from {{ ref('stg_interactions') }}

),

contacts as (

    select * from {{ ref('stg_contacts') }}

),

customers as (

    select * from {{ ref('stg_customers') }}

),

referrals as (

    select * from {{ ref('stg_referrals') }}

),

window_start as (

    select greatest(min(day), cast({{ as_of() }} - {{ shown_days }} as date)) as first_day
    from customer_day

),

-- What happened before the first day shown shrinks to one row a customer: their last order day and how many orders.
before_window as (

    select
        customer_id,
        max(day) as day,
        max_by(channel, day) filter (where channel is not null) as channel,
        cast(sum(n_orders) as bigint) as n_orders
    from customer_day
    where
        n_orders > 0
        and day < (select window_start.first_day from window_start)
    group by customer_id

),

events as (

    select
        customer_id,
        day,
        channel,
        n_orders,
        false as is_shown,
        cast(0 as decimal(38, 4)) as net_sales,
        cast(0 as bigint) as n_complaints,
        cast(0 as bigint) as n_contacts,
        cast(0 as bigint) as n_contacts_arrived
    from before_window

    union all

    select
        customer_id,
        day,
        channel,
        n_orders,
        true as is_shown,
        net_sales,
        0 as n_complaints,
        0 as n_contacts,
        0 as n_contacts_arrived
    from customer_day
    where day >= (select window_start.first_day from window_start)

    union all

    select
        customer_id,
        occurred_on as day,
        null as channel,
        0 as n_orders,
        true as is_shown,
        0 as net_sales,
        1 as n_complaints,
        0 as n_contacts,
        0 as n_contacts_arrived
    from interactions
    where
        kind = 'complaint'
        and occurred_on < {{ as_of() }}
        and occurred_on >= (select window_start.first_day from window_start)

    union all

    select
        customer_id,
        sent_on as day,
        null as channel,
        0 as n_orders,
        true as is_shown,
        0 as net_sales,
        0 as n_complaints,
        1 as n_contacts,
        case when outcome = 'bounced' then 0 else 1 end as n_contacts_arrived
    from contacts
    where
        sent_on < {{ as_of() }}
        and sent_on >= (select window_start.first_day from window_start)
        and coalesce(outcome, 'sent') <> 'held_out'

),

customer_days as (

    select
        customer_id,
        day,
        bool_or(is_shown) as is_shown,
        max(channel) as channel,
        cast(sum(n_orders) as bigint) as n_orders,
        sum(net_sales) as net_sales,
        cast(sum(n_complaints) as bigint) as n_complaints,
        cast(sum(n_contacts) as bigint) as n_contacts,
        cast(sum(n_contacts_arrived) as bigint) as n_contacts_arrived
    from events
    group by customer_id, day

),

walk as (

    select
        *,
        max(case when n_orders > 0 then day end) over (
            partition by customer_id order by day asc nulls last rows between unbounded preceding and current row
        ) as last_order_on,
        max(case when n_orders > 0 then day end) over (
            partition by customer_id order by day asc nulls last rows between unbounded preceding and 1 preceding
        ) as previous_order_on,
        min(case when n_orders > 0 then day end) over (
            partition by customer_id order by day asc nulls last rows between 1 following and unbounded following
        ) as next_order_on,
        cast(sum(n_orders) over (
            partition by customer_id order by day asc nulls last rows between unbounded preceding and current row
        ) as bigint) as n_orders_so_far,
        max_by(coalesce(channel, 'unknown'), case when n_orders > 0 then day end) over (
            partition by customer_id order by day asc nulls last rows between unbounded preceding and current row
        ) as last_order_channel
    from customer_days

),

-- Silence counts open days (macro open_day).
final as (

    select
        walk.*,
        {{ open_day('walk.day') }} as open_day,
        cast(coalesce(evening.open_day, walk.day + 1) as date) as open_evening,
        cast(coalesce(bought.open_day, walk.last_order_on) as date) as last_order_open_day,
        cast(coalesce(before.open_day, walk.previous_order_on) as date) as previous_order_open_day,
        cast(coalesce(following.open_day, walk.next_order_on) as date) as next_order_open_day,
        coalesce(customers.region, 'unknown') as region,
        referrals.customer_id is not null as is_referred,
        window_start.first_day as shown_from
    from walk
    cross join window_start
    left join customers on walk.customer_id = customers.customer_id
    left join referrals on walk.customer_id = referrals.customer_id
    {{ joined_business_days('walk.day') }}
    left join {{ source('ingest', 'business_days') }} as evening on cast(walk.day + 1 as date) = evening.day
    left join {{ source('ingest', 'business_days') }} as bought on walk.last_order_on = bought.day
    left join {{ source('ingest', 'business_days') }} as before on walk.previous_order_on = before.day
    left join {{ source('ingest', 'business_days') }} as following on walk.next_order_on = following.day

)

select * from final
