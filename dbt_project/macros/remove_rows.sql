{#
  Statements, for `pre_hook`, that remove the rows of an incremental model that are computed again. `condition` is SQL
  over its columns, never NULL. Nothing is done where the model is built from the start.
#}
{% macro remove_rows(condition) -%}
    {{ return(adapter.dispatch('remove_rows')(condition)) }}
{%- endmacro %}

{% macro default__remove_rows(condition) -%}
    {{ exceptions.raise_compiler_error('macro remove_rows has no text for the adapter ' ~ adapter.type()) }}
{%- endmacro %}

{% macro duckdb__remove_rows(condition) -%}
    {{ return(['{% if is_incremental() %}delete from {{ this }} where ' ~ condition ~ '{% endif %}']) }}
{%- endmacro %}

{# Files of an earlier night are never changed: the rows that stay are written to this night's place. #}
{% macro spark__remove_rows(condition) -%}
    {%- set texts = [
        "create table {{ this }}__kept using parquet location '{{ config.get('location_root') }}/{{ this.identifier }}__kept'"
        ~ ' as select * from {{ this }} where not (' ~ condition ~ ')',
        'drop table {{ this }}',
        'alter table {{ this }}__kept rename to {{ this }}',
    ] -%}
    {%- set hooks = [] -%}
    {%- for text in texts -%}
        {%- do hooks.append('{% if is_incremental() %}' ~ text ~ '{% endif %}') -%}
    {%- endfor -%}
    {{ return(hooks) }}
{%- endmacro %}
