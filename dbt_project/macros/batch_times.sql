{# When each batch was loaded, for the rule that the newest batch wins. #}
{% macro batch_times() -%}
    select
        batch_id,
        max(loaded_at) as loaded_at
    from {{ source('ingest', 'batches') }}
    group by batch_id
{%- endmacro %}
