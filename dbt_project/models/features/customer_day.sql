{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook=remove_rows("day in (select day from {{ source('platform', 'changed_days') }})"),
) }}
{# Bits of a bigint that are used as one each, and how many of these words an order carries. -#}
{% set word_bits = 62 -%}
{% set n_words = 2 -%}

-- A fact table: no as-of date and no parameter enters it, so one build serves every date.
--
-- Everything is decided by how few rows the large groupings see. Lines are grouped once, to orders. The two questions
-- that orders alone do not answer are answered for the few rows they are about: which channel, only for days with
-- several; how many categories, by one bit a category in words of {{ word_bits }} bits, the most frequent
-- {{ word_bits * n_words }} of them, and by counting only for categories that are rarer than these.

with

categories as (

    select
        category,
        row_number() over (order by count(*) desc nulls last, category asc nulls last) - 1 as place
    from {{ changed_lines() }} as lines
    where category is not null
    group by category

),

category_bits as (

    select
        category,
        place,
        {%- for word in range(n_words) %}
        case
            when place >= {{ word * word_bits }} and place < {{ (word + 1) * word_bits }}
                then cast(round(power(2, place - {{ word * word_bits }})) as bigint)
        end as word_{{ word }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from categories
    where place < {{ word_bits * n_words }}

),

orders as (

    select
        lines.customer_id,
        lines.occurred_on as day,
        lines.source,
        lines.order_id,
        count(*) as n_lines,
        count(*) filter (where lines.is_return) as n_return_lines,
        sum(lines.quantity) filter (where not lines.is_return) as quantity,
        sum(lines.net_amount) as net_sales,
        sum(lines.net_amount) filter (where lines.is_return) as returned,
        sum(lines.discount_amount) filter (where not lines.is_return) as discount_amount,
        {%- for word in range(n_words) %}
        bit_or(category_bits.word_{{ word }}) filter (where not lines.is_return) as word_{{ word }},
        {%- endfor %}
        min(lines.channel) as first_channel,
        max(lines.channel) as last_channel
    from {{ changed_lines() }} as lines
    left join category_bits on lines.category = category_bits.category
    group by
        lines.customer_id,
        lines.occurred_on,
        lines.source,
        lines.order_id

),

days as (

    select
        customer_id,
        day,
        count(*) filter (where n_lines > n_return_lines) as n_orders,
        sum(n_lines) as n_lines,
        coalesce(sum(quantity), 0) as quantity,
        sum(net_sales) as net_sales,
        sum(net_sales) - coalesce(sum(returned), 0) as gross_sales,
        -coalesce(sum(returned), 0) as return_amount,
        sum(n_return_lines) as n_return_lines,
        sum(discount_amount) as discount_amount,
        case
            when count(discount_amount) > 0
                then count(*) filter (where n_lines > n_return_lines and discount_amount > 0)
        end as n_discount_orders,
        {%- for word in range(n_words) %}
        coalesce(bit_count(bit_or(word_{{ word }})), 0){% if not loop.last %} +{% endif %}
        {%- endfor %} as n_frequent_categories,
        min(first_channel) as first_channel,
        max(last_channel) as last_channel
    from orders
    group by
        customer_id,
        day

),

rare_categories as (

    select
        lines.customer_id,
        lines.occurred_on as day,
        count(distinct lines.category) as n_categories
    from {{ changed_lines() }} as lines
    inner join categories on lines.category = categories.category
    where
        categories.place >= {{ word_bits * n_words }}
        and not lines.is_return
    group by
        lines.customer_id,
        lines.occurred_on

),

-- Where the customer spent most that day; returns move no customer from one place to another.
divided_days as (

    select
        customer_id,
        day
    from days
    where first_channel <> last_channel

),

day_channels as (

    select
        lines.customer_id,
        lines.occurred_on as day,
        lines.channel,
        row_number() over (
            partition by lines.customer_id, lines.occurred_on
            order by
                coalesce(sum(lines.net_amount) filter (where not lines.is_return), 0) desc nulls last,
                lines.channel asc nulls last
        ) as spend_rank
    from {{ changed_lines() }} as lines
    inner join divided_days
        on lines.customer_id = divided_days.customer_id and lines.occurred_on = divided_days.day
    where lines.channel is not null
    group by
        lines.customer_id,
        lines.occurred_on,
        lines.channel

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
        cast(days.n_frequent_categories + coalesce(rare_categories.n_categories, 0) as bigint) as n_categories,
        case
            when days.first_channel = days.last_channel then days.first_channel
            else day_channels.channel
        end as channel
    from days
    left join rare_categories
        on days.customer_id = rare_categories.customer_id and days.day = rare_categories.day
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
    customer_id asc nulls last,
    day asc nulls last
{% endif %}
