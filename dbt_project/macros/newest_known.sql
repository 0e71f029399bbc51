{# What the newest row that knows `column` says of it; `age_rank` numbers a customer's rows from oldest to newest. #}
{% macro newest_known(column, type) -%}
    cast(max_by({{ column }}, age_rank) filter (where {{ column }} is not null) as {{ type }}) as {{ column }}
{%- endmacro %}
