with made as (

    select * from {{ source('train', 'model_selection') }}

),

final as (

    select
        cast({{ as_of() }} as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(model_version as string) as model_version,
        cast(trained_as_of as date) as trained_as_of,
        cast(candidate_model as string) as candidate_model,
        cast(simplicity_rank as int) as simplicity_rank,
        cast(population as string) as population,
        cast(cutoff_date as date) as cutoff_date,
        cast(cutoff_role as string) as cutoff_role,
        cast(metric as string) as metric,
        cast(value as double) as value,
        cast(low as double) as low,
        cast(high as double) as high,
        cast(n_rows as bigint) as n_rows,
        cast(n_churned as bigint) as n_churned,
        cast(is_chosen as boolean) as is_chosen,
        cast(reason as string) as reason
    from made

)

select * from final
