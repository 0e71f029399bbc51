with performance as (

    select * from {{ source('train', 'value_performance') }}

),

final as (

    select
        cast({{ as_of() }} as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(model_version as string) as model_version,
        cast(trained_as_of as date) as trained_as_of,
        cast(target as string) as target,
        cast(window_days as int) as window_days,
        cast(candidate_model as string) as candidate_model,
        cast(is_scoring as boolean) as is_scoring,
        cast(cutoff_date as date) as cutoff_date,
        cast(metric as string) as metric,
        cast(value as double) as value,
        cast(n_rows as bigint) as n_rows
    from performance

)

select * from final
