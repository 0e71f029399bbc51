{#
  A view must find its tables when it is made, but those of stage validate are written only after the marts. Makes the
  declared source table, empty and with its declared types, where it does not exist yet; an existing one is untouched.
#}
{% macro create_if_missing(source_name, table_name) -%}
    {%- if execute -%}
        {%- for node in graph.sources.values() if node.source_name == source_name and node.name == table_name -%}
            {%- do run_query('create schema if not exists ' ~ node.schema) -%}
    create table if not exists {{ node.schema }}.{{ node.identifier }} (
            {%- for column in node.columns.values() %}
        {{ column.name }} {{ column.data_type }}{{ ',' if not loop.last }}
            {%- endfor %}
    )
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
