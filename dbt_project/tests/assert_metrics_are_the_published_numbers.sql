{#- Each definition, run over the rows of retention_kpis, gives the published number, to the cent and at every level. -#}
{%- set dimensions = ['region', 'value_class', 'lifecycle_stage', 'channel'] -%}
{%- set month_start = month_starts(0)[0] -%}

with

queried as (

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
        {%- for metric in kpi_metrics() %}
        {{ metric.sql }} as {{ metric.name }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('retention_kpis') }}
    group by cube (kpi_date, {{ dimensions | join(', ') }})

)

select
    levels.kpi_date,
    levels.level
from {{ ref('retention_kpis_levels') }} as levels
inner join queried
    on
        levels.kpi_date = queried.kpi_date
        and levels.level = queried.level
        {%- for dimension in dimensions %}
        and levels.{{ dimension }} = queried.{{ dimension }}
        {%- endfor %}
where
    {%- for metric in kpi_metrics() %}
    {%- if metric.name in ('retention_rate', 'churn_rate') %}
    -- The class of the month that still runs has no rate.
    (
        (levels.value_class = 'all' or levels.kpi_date < cast('{{ month_start }}' as date))
        and abs(coalesce(levels.{{ metric.name }}, -1) - coalesce(queried.{{ metric.name }}, -1)) > 0.000000001
    )
    {%- elif metric.unit == 'money' %}
    abs(coalesce(levels.{{ metric.name }}, -1) - coalesce(cast(queried.{{ metric.name }} as decimal(18, 2)), -1)) > 0
    {%- else %}
    abs(coalesce(levels.{{ metric.name }}, -1) - coalesce(queried.{{ metric.name }}, -1)) > 0.000000001
    {%- endif %}{% if not loop.last %} or{% endif %}
    {%- endfor %}
