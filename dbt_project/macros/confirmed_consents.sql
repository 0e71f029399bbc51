{#
  Statements of consent with `known_at`, the moment from which each is known: its begin or, of a double opt-in, the later
  confirmation. `is_unconfirmed`: a grant that was asked for and not confirmed before the as-of date. It says nothing,
  neither yes nor no: what was said before goes on.
#}
{% macro confirmed_consents() -%}
    select
        *,
        greatest(
            coalesce(valid_from, cast('1900-01-01' as timestamp)),
            coalesce(
                case when status = 'granted' then cast(confirmed_on as timestamp) end, cast('1900-01-01' as timestamp)
            )
        ) as known_at,
        status = 'granted'
        and requested_on is not null
        and coalesce(confirmed_on >= {{ as_of() }}, true) as is_unconfirmed
    from {{ ref('stg_consents') }}
{%- endmacro %}
