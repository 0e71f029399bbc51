{#
  A double as decimal(precision, scale), rounded as DuckDB 2.0 rounds it: the product with 10^scale, a double again, to
  the nearest whole number, halves away from zero. Out of range: DuckDB raises, Spark gives NULL.
#}
{% macro as_decimal(x, precision, scale) -%}
    {{ adapter.dispatch('as_decimal')(x, precision, scale) }}
{%- endmacro %}

{% macro default__as_decimal(x, precision, scale) -%}
    {{ exceptions.raise_compiler_error('macro as_decimal has no text for the adapter ' ~ adapter.type()) }}
{%- endmacro %}

{% macro duckdb__as_decimal(x, precision, scale) -%}
    cast({{ x }} as decimal({{ precision }}, {{ scale }}))
{%- endmacro %}

{#
  Spark makes a decimal of a double from its shortest text, before any product and inexact beyond 2^53: so the product is
  rounded first, and goes over in two halves.
#}
{% macro spark__as_decimal(x, precision, scale) -%}
    {%- if precision > 28 -%}
        {{ exceptions.raise_compiler_error('macro as_decimal knows at most 28 digits on Spark, not ' ~ precision) }}
    {%- endif -%}
    {%- set digits = 'round((' ~ x ~ ') * ' ~ 10 ** scale ~ 'D)' -%}
    cast(
        concat(
            cast(
                cast(floor({{ digits }} / 4294967296D) as decimal(20, 0)) * 4294967296
                + cast(pmod({{ digits }}, 4294967296D) as bigint) as string
            ),
            'E-{{ scale }}'
        ) as decimal({{ precision }}, {{ scale }})
    )
{%- endmacro %}
