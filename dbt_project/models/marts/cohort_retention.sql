with cohort_months as (

    select * from {{ ref('cohort_months') }}

),

final as (

    select
        {{ run_id() }} as run_id,
        {{ currency() }} as currency,
        cohort_months.*
    from cohort_months

)

select {{ contract_columns() }}
from final
