{# Whether any connected source delivers consents, as a boolean expression: then what is not granted is denied. #}
{% macro brings_consents() -%}
    (
        (select count(*) > 0 from {{ ref('stg_consents') }})
        or coalesce((select bool_or(has_consents) from {{ source('ingest', 'source_status') }}), false)
    )
{%- endmacro %}
