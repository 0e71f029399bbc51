{# Schema = stage, without dbt's usual target prefix: one rule carries folder, group, schema and key. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name if custom_schema_name is not none else target.schema }}
{%- endmacro %}
