{#
  The lines that an incremental model of days must read: all of staging in a full build, else those of the days touched.
  To be used as a subquery wherever lines are read, rather than once as a CTE: read twice, it would be held in memory
  whole, and a scan costs less than that.
#}
{% macro touched_lines() -%}
    (
        select * from {{ ref('stg_transactions') }}
        {%- if is_incremental() %}
        where
            {{ touched_day_range('occurred_on', 'occurred_at') }}
            and occurred_on in (select day from {{ source('ingest', 'touched_days') }})
        {%- endif %}
    )
{%- endmacro %}
