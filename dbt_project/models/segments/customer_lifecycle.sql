with

customers as (

    select * from {{ ref('customer_features') }}

),

nodes as (

    select * from {{ ref('lifecycle_nodes') }}
    where cutoff_date = {{ as_of() }}

),

order_days as (

    select
        customer_id,
        day,
        lag(day) over by_day as previous_day,
        sum(n_orders) over by_day as n_orders_so_far
    from {{ ref('customer_day') }}
    where
        n_orders > 0
        and day < {{ as_of() }}
    window by_day as (partition by customer_id order by day asc nulls last)

),

gaps as (

    select
        customer_id,
        day,
        n_orders_so_far,
        {{ dbt.datediff('previous_day', 'day', 'day') }} as gap_days
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
        nodes.silent_days,
        nodes.dormant_days,
        nodes.lost_days,
        {{ lifecycle_stage('customers.n_orders', 'customers.days_since_last_order', 'nodes') }} as lifecycle_stage
    from customers
    cross join nodes
    left join returns on customers.customer_id = returns.customer_id

),

final as (

    select
        as_of_date,
        customer_id,
        cast(lifecycle_stage as string) as lifecycle_stage,
        coalesce(lifecycle_stage = 'active' and returned_after_days >= lost_days, false) as is_reactivated,
        cast(
            case lifecycle_stage
                when 'never_purchased' then joined_on
                when 'new' then first_order_on
                when 'active' then greatest(second_order_on, coalesce(returned_on, second_order_on))
                when 'silent' then last_order_on + cast(silent_days as int)
                when 'dormant' then last_order_on + cast(dormant_days as int)
                when 'lost' then last_order_on + cast(lost_days as int)
            end as date
        ) as stage_since_on
    from staged

)

select * from final
