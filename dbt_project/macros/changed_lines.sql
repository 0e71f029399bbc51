{#
  The lines that an incremental model of days must read: all of staging in a full build, else those of the days touched.
  To be used as a subquery wherever lines are read, rather than once as a CTE: read twice, it would be held in memory
  whole, and a scan costs less than that.
#}
{% macro changed_lines(only_changed=none) -%}
    {%- if only_changed or (only_changed is none and is_incremental()) -%}
    (
        select * from (
            {{ staged_lines(changed_day_range('occurred_at')) }}
        ) as staged
        where occurred_on in (select day from {{ source('platform', 'changed_days') }})
    )
    {%- else -%}
    {{ ref('stg_transactions') }}
    {%- endif -%}
{%- endmacro %}
