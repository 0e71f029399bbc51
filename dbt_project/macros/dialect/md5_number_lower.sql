{# The last 16 hexadecimal digits of the MD5 of a text, bytes from the last to the first, as an unsigned number. #}
{% macro md5_number_lower(text) -%}
    {{ adapter.dispatch('md5_number_lower')(text) }}
{%- endmacro %}

{% macro default__md5_number_lower(text) -%}
    {{ exceptions.raise_compiler_error('macro md5_number_lower has no text for the adapter ' ~ adapter.type()) }}
{%- endmacro %}

{% macro duckdb__md5_number_lower(text) -%}
    md5_number_lower({{ text }})
{%- endmacro %}

{# To reverse the digits and swap each pair again reverses the bytes. #}
{% macro spark__md5_number_lower(text) -%}
    cast(conv(regexp_replace(reverse(substr(md5({{ text }}), 17)), '(.)(.)', '$2$1'), 16, 10) as decimal(20, 0))
{%- endmacro %}
