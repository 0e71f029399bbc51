{# A parameter that is text, as a literal. #}
{% macro text_var(name) -%}
    cast('{{ var(name) | string | replace("'", "''") }}' as string)
{%- endmacro %}
