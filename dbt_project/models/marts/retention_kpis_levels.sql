with kpi_levels as (

    select * from {{ ref('kpi_levels') }}

),

final as (

    select
        {{ run_id() }} as run_id,
        kpi_levels.*
    from kpi_levels

)

select {{ contract_columns() }}
from final
