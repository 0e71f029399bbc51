{# A quotient, NULL where the divisor is 0: one engine would say inf. #}
{% macro ratio(amount, divisor) -%}
    {{ amount }} / nullif({{ divisor }}, 0)
{%- endmacro %}
