with ledger as (

    select * from {{ source('actions', 'holdout_ledger') }}

),

final as (

    select
        cast({{ as_of() }} as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(person_id as string) as person_id,
        cast(customer_id as string) as customer_id,
        cast(holdout_kind as string) as holdout_kind,
        cast(salt as string) as salt,
        cast(share as double) as share,
        cast(valid_from as date) as valid_from,
        cast(valid_to as date) as valid_to,
        cast(hash_value as double) as hash_value
    from ledger

)

select * from final
