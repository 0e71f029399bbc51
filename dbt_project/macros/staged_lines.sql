{#
  All lines, typed, each once: what the view stg_transactions shows. `among` is a condition on the columns of landed
  transactions that the caller's days meet (changed_day_range). It must reach every scan: set on the view instead, it
  would stop at the window that compares rivals, and every night would read the times of all lines.
#}
{% macro staged_lines(among=none) -%}
{%- set among_these = 'and ' ~ among if among else '' -%}
with

-- A delivery holds each line once (landing sees to it), so a line can stand twice only on days that several deliveries of
-- one source speak of. To compare all lines with each other would cost more than everything else that is done with them.
shared_days as (

    select
        source,
        day
    from {{ source('ingest', 'batch_days') }}
    group by
        source,
        day
    having count(*) > 1

),

unrivalled as (

    select
        transactions.*,
        cast(transactions.occurred_at as date) as occurred_on
    from {{ source('ingest', 'transactions') }} as transactions
    left join shared_days
        on
            transactions.source = shared_days.source
            and cast(transactions.occurred_at as date) = shared_days.day
    where
        shared_days.day is null
        {{ among_these }}

),

batches as (

    select
        batch_id,
        loaded_at,
        replaces,
        row_number() over (order by loaded_at asc nulls last, batch_id asc nulls last) as batch_order
    from ({{ batch_times() }}) as batch_times

),

-- The newest batch that delivered an order whole: lines that only older batches know are no part of it any more. Costs
-- nothing where no source corrects by the order.
whole_orders as (

    select
        transactions.source,
        cast(transactions.occurred_at as date) as occurred_on,
        transactions.order_id,
        max(batches.batch_order) as batch_order
    from {{ source('ingest', 'transactions') }} as transactions
    inner join batches on transactions.batch_id = batches.batch_id
    where
        batches.replaces = 'orders'
        {{ among_these }}
    group by
        transactions.source,
        cast(transactions.occurred_at as date),
        transactions.order_id

),

rivals as (

    select
        transactions.*,
        cast(transactions.occurred_at as date) as occurred_on,
        batches.loaded_at
    from {{ source('ingest', 'transactions') }} as transactions
    inner join shared_days
        on
            transactions.source = shared_days.source
            and cast(transactions.occurred_at as date) = shared_days.day
    left join batches on transactions.batch_id = batches.batch_id
    left join {{ source('ingest', 'replaced_days') }} as replaced_days
        on
            transactions.batch_id = replaced_days.batch_id
            and cast(transactions.occurred_at as date) = replaced_days.day
    left join whole_orders
        on
            transactions.source = whole_orders.source
            and cast(transactions.occurred_at as date) = whole_orders.occurred_on
            and transactions.order_id = whole_orders.order_id
    where
        replaced_days.batch_id is null
        and (whole_orders.batch_order is null or batches.batch_order >= whole_orders.batch_order)
        {{ among_these }}

),

-- occurred_on is part of the key so that a filter on the day reaches the scan, below this window.
ranked as (

    select
        *,
        row_number() over (
            partition by source, occurred_on, order_id, line_id
            order by {{ newest_batch_first(['occurred_at', 'amount', 'quantity', 'customer_id', 'product_id']) }}
        ) as batch_rank
    from rivals

),

{% set canonical = [
    'source', 'customer_id', 'order_id', 'line_id', 'occurred_at', 'occurred_on', 'amount', 'discount_amount',
    'quantity', 'is_return', 'product_id', 'category', 'channel', 'store_id', 'currency', 'batch_id',
] | join(', ') -%}
lines as (

    select {{ canonical }}
    from unrivalled

    union all

    select {{ canonical }}
    from ranked
    where batch_rank = 1

),

-- A declared sign of return wins; without one a negative amount or quantity says so.
signed as (

    select
        *,
        coalesce(is_return, amount < 0 or coalesce(quantity, 0) < 0, false) as is_return_line
    from lines

),

final as (

    select
        cast(signed.source as string) as source,
        cast({{ current_id('signed') }} as string) as customer_id,
        cast(order_id as string) as order_id,
        cast(line_id as string) as line_id,
        cast(occurred_at as timestamp) as occurred_at,
        occurred_on,
        cast(case when is_return_line then -abs(amount) else amount end as decimal(18, 4)) as net_amount,
        cast(case when discount_amount < 0 then 0 else discount_amount end as decimal(18, 4)) as discount_amount,
        cast(abs(quantity) as decimal(18, 3)) as quantity,
        is_return_line as is_return,
        cast(product_id as string) as product_id,
        cast(category as string) as category,
        cast(channel as string) as channel,
        cast(store_id as string) as store_id,
        cast(currency as string) as currency,
        cast(signed.batch_id as string) as batch_id
    from signed
    {{ joined_id_changes('signed') }}

)

select * from final
{%- endmacro %}
