{# Whether an id is the pseudonym of somebody who was erased: their rows stay in the sums, and nobody contacts them. #}
{% macro is_erased_person(column_name) -%}
    ({{ column_name }} like 'erased:%')
{%- endmacro %}
