with thresholds as (

    select * from {{ ref('thresholds') }}

),

final as (

    select
        {{ run_id() }} as run_id,
        thresholds.*
    from thresholds

)

select {{ contract_columns() }}
from final
