{% set n_months = 13 -%}
{% set months = month_starts(n_months) -%}

-- Stages at month ends, all by the active nodes at the as-of date, so that a move is a move of the customer
-- and never of the yardstick. {{ n_months }} months back: a year of moves and the month that still runs.

with

nodes as (

    select * from {{ ref('lifecycle_nodes') }}
    where cutoff_date = {{ as_of() }}

),

months as (

    {%- for month in months %}
    select
        cast('{{ month }}' as date) as month,
        {%- if loop.last %}
        {{ as_of() }} as seen_until,
        false as is_complete
        {%- else %}
        cast('{{ months[loop.index] }}' as date) as seen_until,
        true as is_complete
        {%- endif %}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

days as (

    select
        customer_id,
        day,
        n_orders,
        net_sales,
        -- Everything before the window of months counts as one early month.
        case
            when day < cast('{{ months[0] }}' as date) then cast('{{ months[0] }}' as date)
            else cast(date_trunc('month', day) as date)
        end as month
    from {{ ref('customer_day') }}
    where day < {{ as_of() }}

),

customer_months as (

    select
        customer_id,
        month,
        sum(n_orders) as n_orders,
        max(day) filter (where n_orders > 0) as last_order_on,
        sum(net_sales) filter (where cast(date_trunc('month', day) as date) = month) as net_sales
    from days
    group by
        customer_id,
        month

),

-- What a customer was worth a month while they bought: their last twelve calendar months up to that of an order,
-- quiet ones in between included and those before the first order not.
buying_months as (

    select
        customer_id,
        month,
        cast(sum(net_sales) over last_year as double)
        / nullif(least(12, {{ months_from('min(month) over (partition by customer_id)', 'month') }} + 1), 0)
            as usual_monthly_net_sales
    from (
        select
            customer_id,
            cast(date_trunc('month', day) as date) as month,
            sum(net_sales) as net_sales
        from {{ ref('customer_day') }}
        where day < {{ as_of() }}
        group by
            customer_id,
            cast(date_trunc('month', day) as date)
    ) as calendar_months
    window last_year as (
        partition by customer_id
        order by month asc nulls last
        range between interval 11 months preceding and current row
    )

),

first_seen as (

    select
        customer_id,
        min(seen_on) as seen_on
    from (
        select
            customer_id,
            day as seen_on
        from days
        union all
        select
            customer_id,
            joined_on as seen_on
        from {{ ref('stg_customers') }}
        where joined_on < {{ as_of() }}
    ) as sightings
    -- Who refuses profiling is in no stage.
    where customer_id not in (select refusals.customer_id from {{ ref('profiling_refusals') }} as refusals)
    group by customer_id

),

first_month as (

    select cast(date_trunc('month', min(seen_on)) as date) as month
    from first_seen

),

-- Every customer in every month since the business was first seen, so that silence moves people as well.
month_ends as (

    select
        first_seen.customer_id,
        first_seen.seen_on,
        months.month,
        months.seen_until,
        months.is_complete,
        coalesce(customer_months.net_sales, 0) as net_sales,
        sum(customer_months.n_orders) over so_far as n_orders,
        max(customer_months.last_order_on) over so_far as last_order_on
    from first_seen
    cross join months
    inner join first_month on months.month >= first_month.month
    left join customer_months
        on first_seen.customer_id = customer_months.customer_id and months.month = customer_months.month
    where months.month < months.seen_until
    window so_far as (
        partition by first_seen.customer_id
        order by months.month asc nulls last
        rows between unbounded preceding and current row
    )

),

stages as (

    select
        month_ends.customer_id,
        month_ends.seen_on,
        month_ends.month,
        month_ends.seen_until,
        month_ends.is_complete,
        month_ends.net_sales,
        buying_months.usual_monthly_net_sales,
        case
            when month_ends.seen_on >= month_ends.seen_until then 'not_yet_customer'
            else {{ lifecycle_stage(
                'month_ends.n_orders',
                dbt.datediff(
                    'coalesce(bought.open_day, month_ends.last_order_on)',
                    'coalesce(seen.open_day, month_ends.seen_until)',
                    'day'
                ),
                'nodes'
            ) }}
        end as stage
    from month_ends
    cross join nodes
    left join {{ source('ingest', 'business_days') }} as bought on month_ends.last_order_on = bought.day
    left join {{ source('ingest', 'business_days') }} as seen on month_ends.seen_until = seen.day
    left join buying_months
        on
            month_ends.customer_id = buying_months.customer_id
            and cast(date_trunc('month', month_ends.last_order_on) as date) = buying_months.month

),

moves as (

    select
        customer_id,
        seen_on,
        lag(month) over by_month as from_month,
        month as to_month,
        lag(stage) over by_month as from_stage,
        stage as to_stage,
        lag(net_sales) over by_month as net_sales_before,
        net_sales as net_sales_after,
        lag(usual_monthly_net_sales) over by_month as usual_monthly_net_sales,
        seen_until,
        is_complete
    from stages
    window by_month as (partition by customer_id order by month asc nulls last)

),

-- Who had not been seen by the later month end is nobody's customer yet.
final as (

    select
        {{ as_of() }} as as_of_date,
        from_month,
        to_month,
        cast(from_stage as string) as from_stage,
        cast(to_stage as string) as to_stage,
        cast(count(*) as bigint) as n_customers,
        {{ currency() }} as currency,
        cast(sum(net_sales_before) as decimal(18, 2)) as net_sales_before,
        cast(sum(net_sales_after) as decimal(18, 2)) as net_sales_after,
        cast(sum(net_sales_after) - sum(net_sales_before) as decimal(18, 2)) as net_sales_moved,
        cast(sum({{ as_decimal('usual_monthly_net_sales', 28, 4) }}) as decimal(18, 2)) as usual_monthly_net_sales,
        is_complete
    from moves
    where
        from_month is not null
        and seen_on < seen_until
    group by
        from_month,
        to_month,
        from_stage,
        to_stage,
        is_complete

)

select * from final
