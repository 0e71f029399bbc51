{#
  The order in which rows of one key compete: the newest batch wins; a batch identifier and then the row's own
  columns decide between equals, so that the winner never depends on the order of reading.
  `loaded_at` must be a column of the relation (joined from the ledger of batches).
#}
{% macro newest_batch_first(tie_breakers=[]) -%}
    loaded_at desc nulls last, batch_id desc nulls last
    {%- for column in tie_breakers %}, {{ column }} desc nulls last{% endfor %}
{%- endmacro %}
