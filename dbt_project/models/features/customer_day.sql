{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{% if is_incremental() %}delete from {{ this }} where day in (select day from {{ source('ingest', 'touched_days') }}){% endif %}",
) }}

-- A fact table: no as-of date and no parameter enters it, so one build serves every date.

with

lines as (

    select * from {{ ref('stg_transactions') }}
    {% if is_incremental() %}
    where
        {{ touched_day_range('occurred_on') }}
        and occurred_on in (select day from {{ source('ingest', 'touched_days') }})
    {% endif %}

),

-- Lines are reduced first to one row an order, place and category: nothing is counted distinct over lines.
order_pieces as (

    select
        customer_id,
        occurred_on as day,
        source,
        order_id,
        channel,
        category,
        count(*) as n_lines,
        count(*) filter (where is_return) as n_return_lines,
        sum(quantity) filter (where not is_return) as quantity,
        sum(net_amount) as net_sales,
        coalesce(sum(net_amount) filter (where not is_return), 0) as gross_sales,
        coalesce(-sum(net_amount) filter (where is_return), 0) as return_amount,
        sum(discount_amount) filter (where not is_return) as discount_amount
    from lines
    group by
        customer_id,
        occurred_on,
        source,
        order_id,
        channel,
        category

),

orders as (

    select
        customer_id,
        day,
        source,
        order_id,
        sum(n_lines) as n_lines,
        sum(n_return_lines) as n_return_lines,
        sum(n_lines) > sum(n_return_lines) as has_sale,
        sum(quantity) as quantity,
        sum(net_sales) as net_sales,
        sum(gross_sales) as gross_sales,
        sum(return_amount) as return_amount,
        sum(discount_amount) as discount_amount
    from order_pieces
    group by
        customer_id,
        day,
        source,
        order_id

),

days as (

    select
        customer_id,
        day,
        count(*) filter (where has_sale) as n_orders,
        sum(n_lines) as n_lines,
        coalesce(sum(quantity), 0) as quantity,
        sum(net_sales) as net_sales,
        sum(gross_sales) as gross_sales,
        sum(return_amount) as return_amount,
        sum(n_return_lines) as n_return_lines,
        sum(discount_amount) as discount_amount,
        case
            when count(discount_amount) > 0 then count(*) filter (where has_sale and discount_amount > 0)
        end as n_discount_orders
    from orders
    group by
        customer_id,
        day

),

day_categories as (

    select
        customer_id,
        day,
        count(*) as n_categories
    from (
        select distinct
            customer_id,
            day,
            category
        from order_pieces
        where
            category is not null
            and n_lines > n_return_lines
    ) as categories
    group by
        customer_id,
        day

),

-- Where the customer spent most that day; returns move no customer from one place to another.
day_channels as (

    select
        customer_id,
        day,
        channel,
        row_number() over (
            partition by customer_id, day
            order by sum(gross_sales) desc nulls last, channel asc nulls last
        ) as spend_rank
    from order_pieces
    where channel is not null
    group by
        customer_id,
        day,
        channel

),

final as (

    select
        days.customer_id,
        days.day,
        cast(days.n_orders as bigint) as n_orders,
        cast(days.n_lines as bigint) as n_lines,
        cast(days.quantity as decimal(28, 3)) as quantity,
        cast(days.net_sales as decimal(28, 4)) as net_sales,
        cast(days.gross_sales as decimal(28, 4)) as gross_sales,
        cast(days.return_amount as decimal(28, 4)) as return_amount,
        cast(days.n_return_lines as bigint) as n_return_lines,
        cast(days.discount_amount as decimal(28, 4)) as discount_amount,
        cast(days.n_discount_orders as bigint) as n_discount_orders,
        cast(coalesce(day_categories.n_categories, 0) as bigint) as n_categories,
        day_channels.channel
    from days
    left join day_categories
        on days.customer_id = day_categories.customer_id and days.day = day_categories.day
    left join day_channels
        on
            days.customer_id = day_channels.customer_id
            and days.day = day_channels.day
            and day_channels.spend_rank = 1

)

select * from final
{% if not is_incremental() %}
-- Neighbouring rows are then read together: features go by customer and day.
order by
    customer_id,
    day
{% endif %}
