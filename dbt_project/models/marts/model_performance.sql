with backtest as (

    select * from {{ source('train', 'model_performance') }}

),

realised as (

    select * from {{ source('score', 'realised_quality') }}

),

performance as (

    select
        'backtest' as basis,
        model_version,
        trained_as_of,
        candidate_model,
        population,
        'all' as slice_kind,
        'all' as slice_value,
        cutoff_date,
        metric,
        value,
        low,
        high,
        n_rows,
        n_churned,
        is_scoring
    from backtest

    union all

    select
        'realised' as basis,
        model_version,
        cast(null as date) as trained_as_of,
        candidate_model,
        population,
        slice_kind,
        slice_value,
        scored_on as cutoff_date,
        metric,
        value,
        low,
        high,
        n_rows,
        n_churned,
        is_scoring
    from realised

),

final as (

    select
        cast({{ as_of() }} as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(basis as string) as basis,
        cast(model_version as string) as model_version,
        cast(trained_as_of as date) as trained_as_of,
        cast(candidate_model as string) as candidate_model,
        cast(population as string) as population,
        cast(slice_kind as string) as slice_kind,
        cast(slice_value as string) as slice_value,
        cast(cutoff_date as date) as cutoff_date,
        cast(metric as string) as metric,
        cast(value as double) as value,
        cast(low as double) as low,
        cast(high as double) as high,
        cast(n_rows as bigint) as n_rows,
        cast(n_churned as bigint) as n_churned,
        cast(is_scoring as boolean) as is_scoring
    from performance

)

select * from final
