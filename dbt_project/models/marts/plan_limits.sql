with limits as (

    select * from {{ source('actions', 'plan_limits') }}

),

final as (

    select
        {{ run_id() }} as run_id,
        limits.*
    from limits

)

select {{ contract_columns() }}
from final
