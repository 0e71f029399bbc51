{#
  One row, `sending_day`: the as-of date, or the first day after it that is not quiet, on which tonight's contacts are due.
  The same as `assets.shared.quiet_days.first_open_day`, which looks further than these three months; null beyond them, and
  then no consent holds.
#}
{% macro sending_day() -%}
    {%- set first = modules.datetime.date.fromisoformat(var('as_of_date') | string) -%}
    {%- set days = [] -%}
    {%- for n in range(92) -%}
        {%- do days.append((first + modules.datetime.timedelta(days=n)).isoformat()) -%}
    {%- endfor -%}
    {%- set weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] -%}
    select min(days.day) as sending_day
    from ({{ dates_as_rows(days, 'day') }}) as days
    where not exists (
        select 1
        from {{ ref('playbook_quiet_days') }} as quiet
        where quiet.quiet_on = cast(days.day as string)
            or quiet.quiet_on = substr(cast(days.day as string), 6)
            or quiet.quiet_on = case {{ dbt.datediff("cast('1970-01-05' as date)", 'days.day', 'day') }} % 7
                {%- for name in weekdays %}
                when {{ loop.index0 }} then '{{ name }}'
                {%- endfor %}
            end
    )
{%- endmacro %}
