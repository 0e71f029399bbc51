{# The sum of doubles as a double, added up with twelve decimals: the same in any order and on every engine. #}
{% macro exact_sum(amount) -%}
    cast(sum({{ as_decimal(amount, 28, 12) }}) as double)
{%- endmacro %}
