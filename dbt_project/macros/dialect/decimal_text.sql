{# A double as text with so many decimals, `-1.50` for -1.5; a tie in the last decimal may fall either way on Spark. #}
{% macro decimal_text(value, n_decimals) -%}
    {{ adapter.dispatch('decimal_text')(value, n_decimals) }}
{%- endmacro %}

{% macro default__decimal_text(value, n_decimals) -%}
    {{ exceptions.raise_compiler_error('macro decimal_text has no text for the adapter ' ~ adapter.type()) }}
{%- endmacro %}

{% macro duckdb__decimal_text(value, n_decimals) -%}
    format('{:.{{ n_decimals }}f}', {{ value }})
{%- endmacro %}

{% macro spark__decimal_text(value, n_decimals) -%}
    format_string('%.{{ n_decimals }}f', {{ value }})
{%- endmacro %}
