{#
  The id that stands for the customer now, where an alias table of the business says so: for queries that join
  `id_changes` (with `joined_id_changes`) to `table`.
#}
{% macro current_id(table) -%}
    coalesce(id_changes.customer_id, {{ table }}.customer_id)
{%- endmacro %}

{% macro joined_id_changes(table) -%}
    left join {{ source('identity', 'id_changes') }} as id_changes on {{ table }}.customer_id = id_changes.old_customer_id
{%- endmacro %}
