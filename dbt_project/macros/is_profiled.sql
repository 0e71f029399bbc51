{# Whether the row of customer_features that `customers` names may be put into segments: not who refuses profiling. #}
{% macro is_profiled(customers) -%}
    coalesce({{ customers }}.ineligible_reason, '') <> 'refuses_profiling'
{%- endmacro %}
