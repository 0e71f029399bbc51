with drift as (

    select * from {{ source('score', 'model_drift') }}

),

final as (

    select
        {{ run_id() }} as run_id,
        drift.*
    from drift

)

select {{ contract_columns() }}
from final
