{#
  A condition on `time_column` that lets only days to recompute through, in literals: those reach the scan, where whole
  files and row groups are passed over by their bounds (a semi join would read everything first). Days that follow each
  other make one range; of very many ranges the widest gaps are kept, so the exact days still need a semi join. Days
  changed nowhere give a condition that no row meets.
#}
{% macro changed_day_range(time_column) -%}
    {%- if execute -%}
        {%- set ranges = run_query(
            'with days as (select day, day - cast(row_number() over (order by day) as int) as island from '
            ~ source('staging', 'changed_days') ~ '), islands as (select min(day) as first_day, max(day) as last_day, '
            ~ 'min(day) - lag(max(day)) over (order by min(day)) as gap from days group by island), '
            ~ 'pieces as (select *, sum(case when gap_rank < 50 then 1 else 0 end) over (order by first_day) as piece '
            ~ 'from (select *, row_number() over (order by gap desc nulls last, first_day) as gap_rank from islands)) '
            ~ 'select min(first_day) as first_day, max(last_day) + 1 as next_day from pieces group by piece order by 1'
        ).rows -%}
        {%- if not ranges -%}
            1 = 0
        {%- else -%}
            ({% for range in ranges -%}
                {{ time_column }} >= cast('{{ range[0] }}' as timestamp)
                and {{ time_column }} < cast('{{ range[1] }}' as timestamp)
                {{- ' or ' if not loop.last }}
            {%- endfor %})
        {%- endif -%}
    {%- else -%}
        1 = 1
    {%- endif -%}
{%- endmacro %}
