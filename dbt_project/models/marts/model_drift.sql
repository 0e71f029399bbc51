with drift as (

    select * from {{ source('score', 'model_drift') }}

),

final as (

    select
        cast(as_of_date as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(model_version as string) as model_version,
        cast(kind as string) as kind,
        cast(name as string) as name,
        cast(family as string) as family,
        cast(psi as double) as psi,
        cast(noise_bound as double) as noise_bound,
        cast(verdict as string) as verdict,
        cast(n_reference as bigint) as n_reference,
        cast(n_now as bigint) as n_now,
        cast(missing_share_reference as double) as missing_share_reference,
        cast(missing_share_now as double) as missing_share_now
    from drift

)

select * from final
