{# D of this run as a date: only days before it may be seen. #}
{% macro as_of() -%}
    cast('{{ modules.datetime.date.fromisoformat(var("as_of_date") | string).isoformat() }}' as date)
{%- endmacro %}
