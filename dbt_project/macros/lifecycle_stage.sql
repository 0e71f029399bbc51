{#
  The lifecycle stage from the number of orders and the days of silence: exclusive by the order of the branches,
  exhaustive by `never_purchased` and the two at the end. A silence that reaches a node belongs to the later stage.
  `nodes` is the alias of a row of lifecycle_nodes.
#}
{% macro lifecycle_stage(n_orders, silence_days, nodes) -%}
    case
        when coalesce({{ n_orders }}, 0) = 0 then 'never_purchased'
        when {{ silence_days }} >= {{ nodes }}.lost_days then 'lost'
        when {{ silence_days }} >= {{ nodes }}.dormant_days then 'dormant'
        when {{ silence_days }} >= {{ nodes }}.silent_days then 'silent'
        when {{ n_orders }} = 1 then 'new'
        else 'active'
    end
{%- endmacro %}
