{#-
    The rows of kpi_daily added up to the total, to single dimensions and to pairs, each level under its name; then the
    rates, which no sum gives.
-#}
{%- set dimensions = ['region', 'value_class', 'lifecycle_stage', 'channel'] -%}
{%- set month_start = month_starts(0)[0] -%}

with daily as (

    select * from {{ ref('kpi_daily') }}

),

-- What is the same on all rows of a day.
days as (

    select
        numbers.kpi_date,
        max(daily.currency) as currency,
        {%- for measure in kpi_measures() %}
        count(daily.{{ measure }}) > 0 as has_{{ measure }},
        {%- endfor %}
        coalesce(bool_or(daily.is_complete), false) as is_complete,
        coalesce(bool_or(daily.is_left_censored), false) as is_left_censored
    from (
        select cast({{ as_of() }} - cast(round(generated_number) as int) as date) as kpi_date
        from ({{ dbt.generate_series(400) }}) as series
    ) as numbers
    left join daily on numbers.kpi_date = daily.kpi_date
    where numbers.kpi_date >= (select min(daily.kpi_date) from daily)
    group by numbers.kpi_date

),

-- A dimension that no source delivers would only repeat the total under the name 'unknown'.
known_dimensions as (

    select
        coalesce(bool_or(region <> 'unknown'), false) as has_region,
        coalesce(bool_or(channel <> 'unknown'), false) as has_channel
    from daily

),

grouped as (

    select
        kpi_date,
        {%- for dimension in dimensions %}
        case when grouping({{ dimension }}) = 1 then 'all' else {{ dimension }} end as {{ dimension }},
        {%- endfor %}
        coalesce(nullif(concat_ws(
            '_x_',
            {%- for dimension in dimensions %}
            case when grouping({{ dimension }}) = 0 then '{{ dimension }}' end{% if not loop.last %},{% endif %}
            {%- endfor %}
        ), ''), 'total') as level,
        {%- for measure in kpi_measures() %}
        sum({{ measure }}) as {{ measure }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from daily
    group by grouping sets (
        (kpi_date),
        {%- for dimension in dimensions %}
        (kpi_date, {{ dimension }}),
        {%- endfor %}
        {%- for first in dimensions %}
        {%- set others = dimensions[loop.index:] %}
        {%- set is_last_first = loop.index == (dimensions | length) - 1 %}
        {%- for second in others %}
        (kpi_date, {{ first }}, {{ second }}){{ ',' if not (is_last_first and loop.last) }}
        {%- endfor %}
        {%- endfor %}
    )

),

members as (

    select distinct level, {{ dimensions | join(', ') }}
    from grouped

),

-- A group that exists at all is shown on every day, so that a day without a purchase is a zero and not a gap.
counted as (

    select
        days.kpi_date,
        members.level,
        {%- for dimension in dimensions %}
        members.{{ dimension }},
        {%- endfor %}
        days.currency,
        {%- for measure in kpi_measures() %}
        case when days.has_{{ measure }} then coalesce(grouped.{{ measure }}, 0) end as {{ measure }},
        {%- endfor %}
        days.is_complete,
        days.is_left_censored
    from days
    cross join members
    cross join known_dimensions
    left join grouped
        on
            days.kpi_date = grouped.kpi_date
            and members.level = grouped.level
            {%- for dimension in dimensions %}
            and members.{{ dimension }} = grouped.{{ dimension }}
            {%- endfor %}
    where
        (members.region = 'all' or known_dimensions.has_region)
        and (members.channel = 'all' or known_dimensions.has_channel)

),

rated as (

    select
        *,
        -- The class of the month that still runs was decided after the day: no rate is read off it.
        is_complete
        and not is_left_censored
        and (value_class = 'all' or kpi_date < cast('{{ month_start }}' as date)) as has_rate
    from counted

),

final as (

    select
        {{ as_of() }} as as_of_date,
        kpi_date,
        cast(level as string) as level,
        {%- for dimension in dimensions %}
        {{ dimension }},
        {%- endfor %}
        currency,
        {%- for measure in kpi_measures() %}
        cast({{ measure }} as {{ kpi_money_or_count(measure) }}) as {{ measure }},
        {%- endfor %}
        {{ as_decimal('cast(net_sales as double) / nullif(n_orders, 0)', 18, 2) }} as average_order_value,
        {{ as_decimal('cast(expected_margin_year as double) / nullif(n_scored_customers, 0)', 18, 2) }}
            as customer_lifetime_value,
        cast(n_returning_customers as double) / nullif(n_buying_customers, 0) as repeat_rate,
        case
            when has_rate then cast(n_retained_customers as double) / nullif(n_active_customers, 0)
        end as retention_rate,
        case
            when has_rate
                then cast(n_active_customers - n_retained_customers as double) / nullif(n_active_customers, 0)
        end as churn_rate,
        cast(n_reached_customers as double) / nullif(n_contacted_customers, 0) as reach_rate,
        is_complete,
        is_left_censored
    from rated
    -- Who never purchased is in no stock: their rows exist only for a day's contacts, complaints or returns.
    where
        lifecycle_stage <> 'never_purchased'
        or coalesce(n_complaints, 0) + coalesce(n_contacts, 0) <> 0
        or coalesce(net_sales, 0) <> 0

)

select * from final
