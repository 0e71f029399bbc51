{#
  A number in [0, 1) from a text: the first 13 hexadecimal digits of its SHA-256 over 16^13. These are 52 bits, exact in
  a double, so whoever is drawn by it is the same on every engine and every night.
#}
{% macro hash_share(text) -%}
    {{ adapter.dispatch('hash_share')(text) }}
{%- endmacro %}

{% macro default__hash_share(text) -%}
    {{ exceptions.raise_compiler_error('macro hash_share has no text for the adapter ' ~ adapter.type()) }}
{%- endmacro %}

{% macro duckdb__hash_share(text) -%}
    cast(cast(concat('0x', substr(sha256({{ text }}), 1, 13)) as bigint) as double) / cast(4503599627370496 as double)
{%- endmacro %}

{% macro spark__hash_share(text) -%}
    cast(cast(conv(substr(sha2({{ text }}, 256), 1, 13), 16, 10) as bigint) as double) / cast(4503599627370496 as double)
{%- endmacro %}
