{# Whole calendar months from the month of `first` to the month of `second`: January 31 to February 1 is one. #}
{% macro months_from(first, second) -%}
    (
        (extract(year from {{ second }}) - extract(year from {{ first }})) * 12
        + extract(month from {{ second }}) - extract(month from {{ first }})
    )
{%- endmacro %}
