{#
  Macro open_day the other way round: the first day with so many open days before it, which is a day of closure where one begins there.
  For queries that join `first_open_days()` under the name `first_open` on that open day.
#}
{% macro first_open_days() -%}
    select
        open_day,
        min(day) as day
    from {{ source('ingest', 'business_days') }}
    group by open_day
{%- endmacro %}

{# A day of the future lies behind all closures on record; one before the first closure is its own open day. #}
{% macro day_of_open_day(open_day, first_open, closures) -%}
    cast(coalesce(
        {{ first_open }}.day,
        {{ open_day }} + case when {{ open_day }} > {{ closures }}.open_as_of then {{ closures }}.n_closed_days else 0 end
    ) as date)
{%- endmacro %}

{# One row: the days of closures on record, and the open day of the as-of date. #}
{% macro closures_so_far() -%}
    select
        cast(coalesce(max(closed_days_before), 0) as int) as n_closed_days,
        cast({{ as_of() }} - cast(coalesce(max(closed_days_before), 0) as int) as date) as open_as_of
    from {{ source('ingest', 'business_days') }}
{%- endmacro %}
