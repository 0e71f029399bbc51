{# First days of months around D, oldest first: D's own month and the `n_months` before it. #}
{% macro month_starts(n_months) %}
    {%- set day = modules.datetime.date.fromisoformat(var('as_of_date') | string) -%}
    {%- set months = [] -%}
    {%- for back in range(n_months, -1, -1) -%}
        {%- set month = day.year * 12 + day.month - 1 - back -%}
        {%- do months.append(modules.datetime.date(month // 12, month % 12 + 1, 1).isoformat()) -%}
    {%- endfor -%}
    {{ return(months) }}
{% endmacro %}
