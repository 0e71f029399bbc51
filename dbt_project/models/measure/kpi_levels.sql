{#-
    The rows of kpi_daily added up to the total, to single dimensions and to pairs, each level under its name; then the
    rates, which no sum gives.
-#}
{%- set dimensions = ['region', 'value_class', 'lifecycle_stage', 'channel'] -%}
{%- set month_start = running_month() -%}

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
    where numbers.kpi_date >= (select min(earliest.kpi_date) from daily as earliest)
    group by numbers.kpi_date

),

-- A dimension that no source delivers would only repeat the total under the name 'unknown'.
known_dimensions as (

    select
        coalesce(bool_or(region <> 'unknown'), false) as has_region,
        coalesce(bool_or(channel <> 'unknown'), false) as has_channel
    from daily

),

-- No dimension of a row is null, so a null says that the row is not broken down by it.
grouped as (

    select
        kpi_date,
        {%- for dimension in dimensions %}
        coalesce({{ dimension }}, 'all') as {{ dimension }},
        {%- endfor %}
        coalesce(nullif(concat_ws(
            '_x_',
            {%- for dimension in dimensions %}
            case when {{ dimension }} is not null then '{{ dimension }}' end{% if not loop.last %},{% endif %}
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

-- The class of the month that still runs was decided after the day: no rate of staying is read off it.
rated as (

    select
        *,
        value_class = 'all' or kpi_date < cast('{{ month_start }}' as date) as has_settled_class
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
        {%- for metric in kpi_metrics() if metric.is_sum %}
        cast({{ metric.name }} as {{ kpi_type(metric) }}) as {{ metric.name }},
        {%- endfor %}
        {%- for metric in kpi_rates() %}
        {%- set of_one_row = metric.sql | replace('sum(', '(') %}
        {%- set exact = 'cast(' ~ as_decimal(of_one_row, 18, 2) ~ ' as decimal(18, 2))' %}
        {%- set value = exact if metric.unit == 'money' else of_one_row %}
        {% if metric.name in ('retention_rate', 'churn_rate') -%}
        case when has_settled_class then {{ value }} end as {{ metric.name }},
        {%- else -%}
        {{ value }} as {{ metric.name }},
        {%- endif %}
        {%- endfor %}
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
