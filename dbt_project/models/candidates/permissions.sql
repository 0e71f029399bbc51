with

permitted as (

    {{ contact_permissions("select distinct customer_id from " ~ ref('due_entries')) }}

),

final as (

    select
        customer_id,
        channel,
        purpose,
        is_consented,
        consent_basis,
        is_reachable,
        channel_basis,
        consented_at,
        consent_valid_to,
        lawful_basis
    from permitted

)

select {{ contract_columns() }}
from final
