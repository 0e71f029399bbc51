{#
  Whether a number of `levels` is another one than that of `queried`: money to the cent, the rest but for the last bits
  of a double. Rates by the value class of the month that still runs are not published, so they cannot differ.
#}
{% macro metric_differs(metric) -%}
    {%- set published, counted = 'levels.' ~ metric.name, 'queried.' ~ metric.name -%}
    {%- if metric.unit == 'money' -%}
        {%- set exact = counted if metric.is_sum else as_decimal(counted, 18, 2) -%}
        abs(coalesce({{ published }}, -1) - coalesce(cast({{ exact }} as decimal(18, 2)), -1)) > 0
    {%- elif metric.name in ('retention_rate', 'churn_rate') -%}
        (
            (levels.value_class = 'all' or levels.kpi_date < cast('{{ running_month() }}' as date))
            and abs(coalesce({{ published }}, -1) - coalesce({{ counted }}, -1)) > 0.000000001
        )
    {%- else -%}
        abs(coalesce({{ published }}, -1) - coalesce({{ counted }}, -1)) > 0.000000001
    {%- endif -%}
{%- endmacro %}
