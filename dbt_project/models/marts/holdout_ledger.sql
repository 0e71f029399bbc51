with ledger as (

    select * from {{ source('ledgers', 'holdout_ledger') }}

),

final as (

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        ledger.*
    from ledger

)

select {{ contract_columns() }}
from final
