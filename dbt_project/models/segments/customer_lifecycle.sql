with

customers as (

    select * from {{ ref('customer_features') }}
    where {{ is_profiled() }}

),

nodes as (

    select * from {{ ref('lifecycle_nodes') }}
    where cutoff_date = {{ as_of() }}

),

purchase_days as (

    select
        days.customer_id,
        days.day,
        {{ open_day('days.day') }} as open_day,
        days.n_orders
    from {{ ref('customer_day') }} as days
    {{ joined_business_days('days.day') }}
    where
        days.n_orders > 0
        and days.day < {{ as_of() }}

),

order_days as (

    select
        customer_id,
        day,
        open_day,
        lag(open_day) over by_day as previous_open_day,
        sum(n_orders) over by_day as n_orders_so_far
    from purchase_days
    window by_day as (partition by customer_id order by day asc nulls last)

),

gaps as (

    select
        customer_id,
        day,
        n_orders_so_far,
        {{ dbt.datediff('previous_open_day', 'open_day', 'day') }} as gap_days
    from order_days

),

-- The newest silence that ended is the one that counts: whoever fell silent again after coming back
-- has used up the return.
returns as (

    select
        gaps.customer_id,
        min(gaps.day) filter (where gaps.n_orders_so_far >= 2) as second_order_on,
        max(gaps.day) filter (where gaps.gap_days >= nodes.silent_days) as returned_on,
        max_by(gaps.gap_days, gaps.day) filter (where gaps.gap_days >= nodes.silent_days) as returned_after_days
    from gaps
    cross join nodes
    group by gaps.customer_id

),

staged as (

    select
        customers.as_of_date,
        customers.customer_id,
        customers.joined_on,
        customers.first_order_on,
        customers.last_order_on,
        returns.second_order_on,
        returns.returned_on,
        returns.returned_after_days,
        {{ open_day('customers.last_order_on') }} as last_order_open_day,
        nodes.silent_days,
        nodes.dormant_days,
        nodes.lost_days,
        {{ lifecycle_stage('customers.n_orders', 'customers.days_since_last_order', 'nodes') }} as lifecycle_stage
    from customers
    cross join nodes
    left join returns on customers.customer_id = returns.customer_id
    {{ joined_business_days('customers.last_order_on') }}

),

silences as (

    select
        *,
        last_order_open_day + cast(
            case lifecycle_stage
                when 'silent' then silent_days
                when 'dormant' then dormant_days
                when 'lost' then lost_days
            end as int
        ) as silent_since_open_day
    from staged

),

-- The day on which so many open days were over.
first_days as (

    select
        open_day,
        min(day) as day
    from {{ source('ingest', 'business_days') }}
    group by open_day

),

final as (

    select
        silences.as_of_date,
        silences.customer_id,
        cast(silences.lifecycle_stage as string) as lifecycle_stage,
        coalesce(silences.lifecycle_stage = 'active' and silences.returned_after_days >= silences.lost_days, false)
            as is_reactivated,
        cast(
            case silences.lifecycle_stage
                when 'never_purchased' then silences.joined_on
                when 'new' then silences.first_order_on
                when 'active'
                    then
                        greatest(
                            silences.second_order_on, coalesce(silences.returned_on, silences.second_order_on)
                        )
                else coalesce(first_days.day, silences.silent_since_open_day)
            end as date
        ) as stage_since_on
    from silences
    left join first_days on silences.silent_since_open_day = first_days.open_day

)

select * from final
