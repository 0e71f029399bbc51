{# When each batch was loaded, for the rule that the newest batch wins, and what of older ones it replaces. #}
{% macro batch_times() -%}
    select
        batch_id,
        max(loaded_at) as loaded_at,
        max(replaces) as replaces
    from {{ source('ingest', 'batches') }}
    group by batch_id
{%- endmacro %}
