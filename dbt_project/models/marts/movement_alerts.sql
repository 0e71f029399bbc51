with alerts as (

    select * from {{ source('movements', 'customer_movements') }}

),

final as (

    select
        {{ run_id() }} as run_id,
        {{ currency() }} as currency,
        alerts.*
    from alerts

)

select {{ contract_columns(doubles=['money_moved']) }}
from final
