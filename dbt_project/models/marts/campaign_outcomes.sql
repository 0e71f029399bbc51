with outcomes as (

    select * from {{ ref('contact_outcomes') }}

),

final as (

    select
        {{ run_id() }} as run_id,
        {{ currency() }} as currency,
        outcomes.*
    from outcomes

)

select {{ contract_columns(doubles=['incremental_profit']) }}
from final
