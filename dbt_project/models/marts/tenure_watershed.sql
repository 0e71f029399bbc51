with tenure_hazard as (

    select * from {{ ref('tenure_hazard') }}

),

final as (

    select
        {{ run_id() }} as run_id,
        tenure_hazard.*
    from tenure_hazard

)

select {{ contract_columns() }}
from final
