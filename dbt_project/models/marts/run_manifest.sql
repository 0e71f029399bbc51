with manifest as (

    select * from {{ source('validate', 'run_manifest') }}
    where
        as_of_date = {{ as_of() }}
        and run_id = {{ run_id() }}

),

final as (

    select
        -- Filled when a person releases a blocked night, in the published copy alone: a run never releases itself.
        cast(null as string) as released_by,
        cast(null as timestamp) as released_at,
        cast(null as string) as release_reason,
        manifest.*
    from manifest

)

select {{ contract_columns() }}
from final
