{# The sum over one arm of an experiment, added up as decimals: the same in any order and on every engine. #}
{% macro total_of_arm(arm, amount) -%}
    cast(sum({{ as_decimal("case when arm = '" ~ arm ~ "' then " ~ amount ~ " end", 28, 4) }}) as double)
{%- endmacro %}
