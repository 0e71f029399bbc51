{# A select with one row a date of the list; no row for an empty list. #}
{% macro dates_as_rows(dates, column_name) -%}
    {%- if dates -%}
        {%- for date in dates %}
    select cast('{{ date }}' as date) as {{ column_name }}
            {%- if not loop.last %}
    union all
            {%- endif %}
        {%- endfor %}
    {%- else %}
    select cast(null as date) as {{ column_name }}
    where 1 = 0
    {%- endif %}
{%- endmacro %}
