with transitions as (

    select * from {{ ref('lifecycle_transitions') }}

),

final as (

    select
        {{ run_id() }} as run_id,
        transitions.*
    from transitions

)

select {{ contract_columns() }}
from final
