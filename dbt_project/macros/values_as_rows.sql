{# A select with one row a value of the list: whole numbers as they are, anything else as text. #}
{% macro values_as_rows(values, column_name) -%}
    {%- for value in values %}
    select {{ value if value is number else "cast('" ~ value ~ "' as string)" }} as {{ column_name }}
        {%- if not loop.last %}
    union all
        {%- endif %}
    {%- endfor %}
{%- endmacro %}
