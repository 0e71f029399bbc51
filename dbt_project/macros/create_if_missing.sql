{#
  A view must find its tables when it is made, but those of stage validate are written only after the marts. Makes the
  declared source table, empty and with its declared types, where it does not exist yet; one of an earlier version
  gets the columns that it lacks.
#}
{% macro create_if_missing(source_name, table_name) -%}
    {%- if execute -%}
        {%- for node in graph.sources.values() if node.source_name == source_name and node.name == table_name -%}
            {%- do run_query('create schema if not exists ' ~ node.schema) -%}
    create table if not exists {{ node.schema }}.{{ node.identifier }} (
            {%- for column in node.columns.values() %}
        {{ column.name }} {{ column.data_type }}{{ ',' if not loop.last }}
            {%- endfor %}
    );
            {%- for column in node.columns.values() %}
    alter table {{ node.schema }}.{{ node.identifier }} add column if not exists {{ column.name }} {{ column.data_type }};
            {%- endfor %}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
