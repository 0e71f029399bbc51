with made as (

    select * from {{ source('train', 'model_monitor') }}

),

final as (

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        made.*
    from made

)

select {{ contract_columns() }}
from final
