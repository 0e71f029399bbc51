{#
  A select with one row a range of days to recompute, its first day and the day after its last. Days that follow each
  other make one range; of very many ranges the widest gaps are kept, so the exact days still need a semi join.
#}
{% macro changed_day_ranges() -%}
with

days as (

    select
        day,
        day - cast(row_number() over (order by day asc nulls last) as int) as island
    from {{ source('platform', 'changed_days') }}

),

islands as (

    select
        min(day) as first_day,
        max(day) as last_day,
        {{ dbt.datediff('lag(max(day)) over (order by min(day) asc nulls last)', 'min(day)', 'day') }} as gap_days
    from days
    group by island

),

ranked as (

    select
        first_day,
        last_day,
        row_number() over (order by gap_days desc nulls last, first_day asc nulls last) as gap_rank
    from islands

),

pieces as (

    select
        first_day,
        last_day,
        sum(case when gap_rank < 50 then 1 else 0 end) over (order by first_day asc nulls last) as piece
    from ranked

),

final as (

    select
        min(first_day) as first_day,
        cast(max(last_day) + 1 as date) as next_day
    from pieces
    group by piece

)

select
    first_day,
    next_day
from final
order by first_day asc nulls last
{%- endmacro %}
