with churn_scores as (

    select * from {{ source('score', 'churn_scores') }}

),

expected_value as (

    select * from {{ source('score', 'expected_value') }}

),

final as (

    select
        churn_scores.as_of_date,
        {{ run_id() }} as run_id,
        churn_scores.customer_id,
        churn_scores.is_eligible,
        churn_scores.ineligible_reason,
        churn_scores.is_active,
        churn_scores.churn_probability,
        churn_scores.churn_percentile,
        churn_scores.churn_band,
        churn_scores.baseline_probability,
        churn_scores.baseline_rule,
        churn_scores.scored_by,
        churn_scores.scoring_model,
        churn_scores.margin_if_retained,
        churn_scores.predicted_margin,
        churn_scores.value_at_risk,
        churn_scores.is_explained,
        churn_scores.reason_1,
        churn_scores.reason_2,
        churn_scores.reason_3,
        churn_scores.reason_1_zh,
        churn_scores.reason_2_zh,
        churn_scores.reason_3_zh,
        churn_scores.reason_1_family,
        churn_scores.reason_2_family,
        churn_scores.reason_3_family,
        churn_scores.reason_1_contribution,
        churn_scores.reason_2_contribution,
        churn_scores.reason_3_contribution,
        churn_scores.contribution_base,
        churn_scores.contribution_silence,
        churn_scores.contribution_regularity,
        churn_scores.contribution_trend,
        churn_scores.contribution_money,
        churn_scores.contribution_basket,
        churn_scores.contribution_first_purchase,
        churn_scores.contribution_tenure,
        churn_scores.contribution_service,
        churn_scores.contribution_contacts,
        churn_scores.previous_as_of_date,
        churn_scores.previous_probability,
        churn_scores.probability_change,
        churn_scores.change_from_data,
        churn_scores.change_from_definition,
        churn_scores.change_from_model,
        churn_scores.change_from_recalibration,
        churn_scores.change_reason,
        churn_scores.change_reason_zh,
        churn_scores.calibration_shift,
        churn_scores.model_version,
        churn_scores.horizon_days,
        expected_value.expected_margin_horizon,
        expected_value.expected_margin_horizon_low,
        expected_value.expected_margin_horizon_high,
        expected_value.expected_margin_year,
        expected_value.expected_margin_year_low,
        expected_value.expected_margin_year_high,
        expected_value.value_at_risk_year,
        expected_value.value_basis,
        expected_value.value_label_days,
        expected_value.expected_gap_days,
        expected_value.overdue_ratio,
        expected_value.expected_next_order_days,
        expected_value.expected_next_order_on
    from churn_scores
    left join expected_value on churn_scores.customer_id = expected_value.customer_id

)

select {{ contract_columns() }}
from final
