-- On every day each level adds up to the rows of kpi_daily, in every measure, and a level has each group once.
with

levels as (

    select
        kpi_date,
        level,
        {%- for measure in kpi_measures() %}
        coalesce(sum({{ measure }}), 0) as {{ measure }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('kpi_levels') }}
    group by kpi_date, level

),

daily as (

    select
        kpi_date,
        {%- for measure in kpi_measures() %}
        coalesce(sum({{ measure }}), 0) as {{ measure }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('kpi_daily') }}
    group by kpi_date

)

select
    levels.kpi_date,
    levels.level
from levels
inner join daily on levels.kpi_date = daily.kpi_date
where
    1 = 0
    {%- for measure in kpi_measures() %}
    or levels.{{ measure }} <> daily.{{ measure }}
    {%- endfor %}
