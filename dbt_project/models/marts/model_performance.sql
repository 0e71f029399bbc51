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
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        performance.*
    from performance

)

select {{ contract_columns() }}
from final
