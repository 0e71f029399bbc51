{#- 400 days of KPIs touch at most fifteen months, D's own among them. -#}
{%- set months = month_starts(14) -%}
{%- set window_days = var('value_window_days') -%}

with

months as (

    {{ dates_as_rows(months, 'month') }}

),

customer_day as (

    select
        customer_id,
        day,
        net_sales
    from {{ ref('customer_day') }}
    where
        day < cast('{{ months[-1] }}' as date)
        and day < {{ as_of() }}
        -- Who refuses profiling has no class and moves no cut point.
        and customer_id not in (select refusals.customer_id from {{ ref('profiling_refusals') }} as refusals)

),

-- Windows of neighbouring months share most of their days. Days are summed once between the days at which any window
-- begins or ends, and each window is put together from these pieces: one pass over the days instead of fifteen.
window_edges as (

    select month as edge from months
    union distinct
    select cast(month - {{ window_days }} as date) as edge from months

),

pieces as (

    select
        days.day,
        coalesce(max(window_edges.edge), cast('0001-01-01' as date)) as piece
    from (select distinct day from customer_day) as days
    left join window_edges on days.day >= window_edges.edge
    group by days.day

),

piece_sales as (

    select
        customer_day.customer_id,
        pieces.piece,
        sum(customer_day.net_sales) as net_sales
    from customer_day
    inner join pieces on customer_day.day = pieces.day
    group by
        customer_day.customer_id,
        pieces.piece

),

window_sales as (

    select
        months.month as as_of_date,
        piece_sales.customer_id,
        coalesce(
            sum(piece_sales.net_sales) filter (where piece_sales.piece >= months.month - {{ window_days }}), 0
        ) as net_sales
    from months
    inner join piece_sales on months.month > piece_sales.piece
    group by
        months.month,
        piece_sales.customer_id

),

cutoffs_in_scope as (

    select month as cutoff_date from months

),

interests as (

    select
        cutoffs_in_scope.cutoff_date as as_of_date,
        spans.customer_id,
        {{ interest(
            'sum(greatest(spans.balance, 0) * ' ~ days_within('spans', window_days, 0) ~ ')',
            'sum(greatest(-spans.balance, 0) * ' ~ days_within('spans', window_days, 0) ~ ')'
        ) }} as interest
    from {{ ref('balance_spans') }} as spans
    inner join cutoffs_in_scope
        on
            spans.from_day < cutoffs_in_scope.cutoff_date
            and coalesce(spans.until_day, cutoffs_in_scope.cutoff_date)
            > cutoffs_in_scope.cutoff_date - {{ window_days }}
    group by
        cutoffs_in_scope.cutoff_date,
        spans.customer_id

),

fees as (

    {{ fees_before_cutoffs(window_days) }}

),

margins as (

    select
        window_sales.as_of_date,
        window_sales.customer_id,
        {{ as_decimal(
            margin_of('cast(window_sales.net_sales as double)', 'cast(fees.fees as double)', 'interests.interest'), 28, 4
        ) }} as margin_window,
        outliers.customer_id is null as is_customer
    from window_sales
    left join {{ ref('outlier_accounts') }} as outliers on window_sales.customer_id = outliers.customer_id
    left join interests
        on window_sales.as_of_date = interests.as_of_date and window_sales.customer_id = interests.customer_id
    left join fees on window_sales.as_of_date = fees.cutoff_date and window_sales.customer_id = fees.customer_id

),

classes as (

    {{ value_classes('margins') }}

),

final as (

    select
        as_of_date as month,
        customer_id,
        margin_window,
        value_class
    from classes

)

select * from final
