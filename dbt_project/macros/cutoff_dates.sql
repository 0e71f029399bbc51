{# The dates of var train_cutoff_dates, sorted and without repeats; an empty var gives an empty list. #}
{% macro cutoff_dates() %}
    {%- set dates = [] -%}
    {%- for text in (var('train_cutoff_dates') | string).split(',') if text | trim -%}
        {%- do dates.append(modules.datetime.date.fromisoformat(text | trim).isoformat()) -%}
    {%- endfor -%}
    {{ return(dates | unique | sort) }}
{% endmacro %}
