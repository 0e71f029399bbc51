{# The run that writes, as text. #}
{% macro run_id() -%}
    cast('{{ var("run_id") | string | replace("'", "''") }}' as string)
{%- endmacro %}
