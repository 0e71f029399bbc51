{#
  The whole of a mart that shows the table of a stage as it was made: the columns of the mart's contract. The run is
  added, the currency to a table with money that does not name it (`has_money=true`), and the date to a table that is
  of the night and does not name it (`is_dated=false`). doubles: see `contract_columns`.
#}
{% macro as_made(relation, is_dated=true, has_money=false, doubles=[]) -%}
with final as (

    select
        {% if not is_dated -%}
        {{ as_of() }} as as_of_date,
        {% endif -%}
        {{ run_id() }} as run_id,
        {% if has_money -%}
        {{ currency() }} as currency,
        {% endif -%}
        made.*
    from {{ relation }} as made

)

select {{ contract_columns(doubles) }}
from final
{%- endmacro %}
