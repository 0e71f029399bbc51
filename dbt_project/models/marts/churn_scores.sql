with churn_scores as (

    select * from {{ source('score', 'churn_scores') }}

),

final as (

    select
        cast(as_of_date as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(customer_id as string) as customer_id,
        cast(is_eligible as boolean) as is_eligible,
        cast(ineligible_reason as string) as ineligible_reason,
        cast(is_active as boolean) as is_active,
        cast(churn_probability as double) as churn_probability,
        cast(churn_percentile as int) as churn_percentile,
        cast(churn_band as string) as churn_band,
        cast(baseline_probability as double) as baseline_probability,
        cast(baseline_rule as string) as baseline_rule,
        cast(scored_by as string) as scored_by,
        cast(margin_if_retained as double) as margin_if_retained,
        cast(predicted_margin as double) as predicted_margin,
        cast(value_at_risk as double) as value_at_risk,
        cast(reason_1 as string) as reason_1,
        cast(reason_2 as string) as reason_2,
        cast(reason_3 as string) as reason_3,
        cast(reason_1_family as string) as reason_1_family,
        cast(reason_2_family as string) as reason_2_family,
        cast(reason_3_family as string) as reason_3_family,
        cast(model_version as string) as model_version,
        cast(horizon_days as int) as horizon_days
    from churn_scores

)

select * from final
