with kpi_daily as (

    select * from {{ ref('kpi_daily') }}

),

final as (

    select
        {{ run_id() }} as run_id,
        kpi_daily.*
    from kpi_daily

)

select {{ contract_columns() }}
from final
