{# First day, YYYY-MM-DD, of the month in which the newest evening lies, that before the as-of date: on the first of a
   month it is the month before, so that this morning's numbers have this morning's classes on every day. #}
{% macro running_month() %}
    {%- set as_of_date = modules.datetime.date.fromisoformat(var('as_of_date') | string) -%}
    {%- set evening = as_of_date - modules.datetime.timedelta(1) -%}
    {{ return(evening.replace(day=1).isoformat()) }}
{% endmacro %}
