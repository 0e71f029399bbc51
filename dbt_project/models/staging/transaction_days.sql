{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook=remove_rows("day in (select day from {{ source('platform', 'changed_days') }})"),
) }}

-- What later checks need to know of the lines of a day, so that none of them has to read lines again: the lines of a
-- day are read in the night that delivers or changes them, and in no other.

with

landed as (

    select
        cast(occurred_at as date) as day,
        count(*) as n_landed_lines,
        count(*) filter (where customer_id is null) as n_without_customer,
        min(amount) as lowest_amount,
        max(amount) as highest_amount,
        count(*) filter (where amount >= 0) as n_sale_amounts,
        count(*) filter (where discount_amount is not null) as n_discounts,
        count(*) filter (where discount_amount < 0) as n_negative_discounts,
        min(currency) as first_currency,
        max(currency) as last_currency
    from {{ source('ingest', 'transactions') }}
    {%- if is_incremental() %}
    where
        {{ changed_day_range('occurred_at') }}
        and cast(occurred_at as date) in (select days.day from {{ source('platform', 'changed_days') }} as days)
    {%- endif %}
    group by cast(occurred_at as date)

),

staged as (

    select
        occurred_on as day,
        count(*) as n_lines,
        sum(net_amount) as net_sales
    from {{ changed_lines() }} as lines
    group by occurred_on

),

final as (

    select
        landed.day,
        cast(landed.n_landed_lines as bigint) as n_landed_lines,
        cast(coalesce(staged.n_lines, 0) as bigint) as n_lines,
        cast(coalesce(staged.net_sales, 0) as decimal(28, 4)) as net_sales,
        cast(landed.n_without_customer as bigint) as n_without_customer,
        cast(landed.lowest_amount as decimal(18, 4)) as lowest_amount,
        cast(landed.highest_amount as decimal(18, 4)) as highest_amount,
        cast(landed.n_sale_amounts as bigint) as n_sale_amounts,
        cast(landed.n_discounts as bigint) as n_discounts,
        cast(landed.n_negative_discounts as bigint) as n_negative_discounts,
        landed.first_currency,
        landed.last_currency
    from landed
    left join staged on landed.day = staged.day

)

select * from final
