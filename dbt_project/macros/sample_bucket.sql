{# A customer's place among a million, evenly spread and the same for ever: samples are the customers below a bound. #}
{% macro sample_bucket(column_name) -%}
    {{ md5_number_lower(column_name) }} % 1000000
{%- endmacro %}
