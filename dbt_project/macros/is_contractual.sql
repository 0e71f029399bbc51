{#
  Whether churn means the end of a contract in this run (churn_kind), as a boolean expression. `auto` asks whether some
  contract began before the as-of date: a business with contracts asks about contracts.
#}
{% macro is_contractual() -%}
    {%- if var('churn_kind') == 'auto' -%}
    (select count(*) > 0 from {{ ref('stg_contracts') }} where started_on < {{ as_of() }})
    {%- else -%}
    {{ 'true' if var('churn_kind') == 'contract' else 'false' }}
    {%- endif -%}
{%- endmacro %}
