with made as (

    select * from {{ source('train', 'reliability') }}

),

final as (

    select
        cast({{ as_of() }} as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(model_version as string) as model_version,
        cast(trained_as_of as date) as trained_as_of,
        cast(candidate_model as string) as candidate_model,
        cast(slice_kind as string) as slice_kind,
        cast(slice_value as string) as slice_value,
        cast(bin as int) as bin,
        cast(n as bigint) as n,
        cast(mean_predicted as double) as mean_predicted,
        cast(observed_share as double) as observed_share,
        cast(low as double) as low,
        cast(high as double) as high
    from made

)

select * from final
