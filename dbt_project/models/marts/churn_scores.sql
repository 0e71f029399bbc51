with churn_scores as (

    select * from {{ source('score', 'churn_scores') }}

),

expected_value as (

    select * from {{ source('score', 'expected_value') }}

),

final as (

    select
        cast(churn_scores.as_of_date as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(churn_scores.customer_id as string) as customer_id,
        cast(is_eligible as boolean) as is_eligible,
        cast(ineligible_reason as string) as ineligible_reason,
        cast(is_active as boolean) as is_active,
        cast(churn_probability as double) as churn_probability,
        cast(churn_percentile as int) as churn_percentile,
        cast(churn_band as string) as churn_band,
        cast(baseline_probability as double) as baseline_probability,
        cast(baseline_rule as string) as baseline_rule,
        cast(scored_by as string) as scored_by,
        cast(scoring_model as string) as scoring_model,
        cast(margin_if_retained as double) as margin_if_retained,
        cast(predicted_margin as double) as predicted_margin,
        cast(value_at_risk as double) as value_at_risk,
        cast(is_explained as boolean) as is_explained,
        cast(reason_1 as string) as reason_1,
        cast(reason_2 as string) as reason_2,
        cast(reason_3 as string) as reason_3,
        cast(reason_1_zh as string) as reason_1_zh,
        cast(reason_2_zh as string) as reason_2_zh,
        cast(reason_3_zh as string) as reason_3_zh,
        cast(reason_1_family as string) as reason_1_family,
        cast(reason_2_family as string) as reason_2_family,
        cast(reason_3_family as string) as reason_3_family,
        cast(reason_1_contribution as double) as reason_1_contribution,
        cast(reason_2_contribution as double) as reason_2_contribution,
        cast(reason_3_contribution as double) as reason_3_contribution,
        cast(contribution_base as double) as contribution_base,
        cast(contribution_silence as double) as contribution_silence,
        cast(contribution_regularity as double) as contribution_regularity,
        cast(contribution_trend as double) as contribution_trend,
        cast(contribution_money as double) as contribution_money,
        cast(contribution_basket as double) as contribution_basket,
        cast(contribution_first_purchase as double) as contribution_first_purchase,
        cast(contribution_tenure as double) as contribution_tenure,
        cast(contribution_service as double) as contribution_service,
        cast(contribution_contacts as double) as contribution_contacts,
        cast(previous_as_of_date as date) as previous_as_of_date,
        cast(previous_probability as double) as previous_probability,
        cast(probability_change as double) as probability_change,
        cast(change_from_data as double) as change_from_data,
        cast(change_from_definition as double) as change_from_definition,
        cast(change_from_model as double) as change_from_model,
        cast(change_from_recalibration as double) as change_from_recalibration,
        cast(change_reason as string) as change_reason,
        cast(change_reason_zh as string) as change_reason_zh,
        cast(calibration_shift as double) as calibration_shift,
        cast(model_version as string) as model_version,
        cast(horizon_days as int) as horizon_days,
        cast(expected_value.expected_margin_horizon as double) as expected_margin_horizon,
        cast(expected_value.expected_margin_horizon_low as double) as expected_margin_horizon_low,
        cast(expected_value.expected_margin_horizon_high as double) as expected_margin_horizon_high,
        cast(expected_value.expected_margin_year as double) as expected_margin_year,
        cast(expected_value.expected_margin_year_low as double) as expected_margin_year_low,
        cast(expected_value.expected_margin_year_high as double) as expected_margin_year_high,
        cast(expected_value.value_at_risk_year as double) as value_at_risk_year,
        cast(expected_value.value_basis as string) as value_basis,
        cast(expected_value.value_label_days as int) as value_label_days,
        cast(expected_value.expected_gap_days as double) as expected_gap_days,
        cast(expected_value.overdue_ratio as double) as overdue_ratio,
        cast(expected_value.expected_next_order_days as double) as expected_next_order_days,
        cast(expected_value.expected_next_order_on as date) as expected_next_order_on
    from churn_scores
    left join expected_value on churn_scores.customer_id = expected_value.customer_id

)

select * from final
