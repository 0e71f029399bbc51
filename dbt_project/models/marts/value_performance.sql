with performance as (

    select * from {{ source('train', 'value_performance') }}

),

final as (

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        performance.*
    from performance

)

select {{ contract_columns() }}
from final
