{#
  A view must find its tables when it is made, but those of stage validate are written only after the marts. Makes the
  declared source table, empty and with its declared types, where it does not exist yet, or has other columns than
  declared, as after an upgrade: what stage validate writes can be computed again.
#}
{% macro create_if_missing(source_name, table_name) -%}
    {%- if execute -%}
        {%- for node in graph.sources.values() if node.source_name == source_name and node.name == table_name -%}
            {%- do run_query('create schema if not exists ' ~ node.schema) -%}
            {%- set present = adapter.get_relation(node.database, node.schema, node.identifier) -%}
            {%- set columns = adapter.get_columns_in_relation(present) if present else [] -%}
            {%- if columns | map(attribute='name') | list != node.columns.keys() | list -%}
                {%- do run_query('drop table if exists ' ~ node.schema ~ '.' ~ node.identifier) -%}
            {%- endif %}
    create table if not exists {{ node.schema }}.{{ node.identifier }} (
            {%- for column in node.columns.values() %}
        {{ column.name }} {{ column.data_type }}{% if not loop.last %},{% endif %}
            {%- endfor %}
    )
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
