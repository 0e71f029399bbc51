{#
  Whether a row of customer_features, which `customers` names where there are several tables, may be put into segments:
  not who refuses profiling.
#}
{% macro is_profiled(customers=none) -%}
    coalesce({{ customers ~ '.' if customers else '' }}ineligible_reason, '') <> 'refuses_profiling'
{%- endmacro %}
