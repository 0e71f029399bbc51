{#- Each definition, run over the rows of retention_kpis, gives the published number at every level, to the cent. -#}
{%- set dimensions = ['region', 'value_class', 'lifecycle_stage', 'channel'] -%}

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
    false
    {%- for metric in kpi_metrics() %}
    or {{ metric_differs(metric) }}
    {%- endfor %}
