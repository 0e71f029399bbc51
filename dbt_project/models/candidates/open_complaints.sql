-- A complaint without a resolution date is open this long: many systems never record the resolution.
{% set open_days = 90 -%}

with

interactions as (

    select * from {{ ref('stg_interactions') }}

),

final as (

    select
        customer_id,
        max(occurred_on) as complained_on
    from interactions
    where
        kind = 'complaint'
        and occurred_on < {{ as_of() }}
        and occurred_on >= {{ as_of() }} - {{ open_days }}
        and (resolved_at is null or resolved_at >= {{ as_of() }})
    group by customer_id

)

select {{ contract_columns() }}
from final
