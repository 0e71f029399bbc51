with made as (

    select * from {{ source('train', 'model_monitor') }}

),

final as (

    select
        cast({{ as_of() }} as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(model_version as string) as model_version,
        cast(adjustment_id as string) as adjustment_id,
        cast(checked_as_of as date) as checked_as_of,
        cast(cutoff_date as date) as cutoff_date,
        cast(n_rows as bigint) as n_rows,
        cast(n_churned as bigint) as n_churned,
        cast(predicted_share as double) as predicted_share,
        cast(observed_share as double) as observed_share,
        cast(observed_low as double) as observed_low,
        cast(observed_high as double) as observed_high,
        cast(auc as double) as auc,
        cast(auc_low as double) as auc_low,
        cast(auc_high as double) as auc_high,
        cast(auc_promised as double) as auc_promised,
        cast(shift as double) as shift,
        cast(verdict as string) as verdict,
        cast(reason as string) as reason,
        cast(is_in_force as boolean) as is_in_force
    from made

)

select * from final
