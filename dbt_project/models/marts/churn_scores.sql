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
        is_eligible,
        ineligible_reason,
        is_active,
        churn_probability,
        churn_percentile,
        churn_band,
        baseline_probability,
        baseline_rule,
        scored_by,
        scoring_model,
        margin_if_retained,
        predicted_margin,
        value_at_risk,
        is_explained,
        reason_1,
        reason_2,
        reason_3,
        reason_1_zh,
        reason_2_zh,
        reason_3_zh,
        reason_1_family,
        reason_2_family,
        reason_3_family,
        reason_1_contribution,
        reason_2_contribution,
        reason_3_contribution,
        contribution_base,
        contribution_silence,
        contribution_regularity,
        contribution_trend,
        contribution_money,
        contribution_basket,
        contribution_first_purchase,
        contribution_tenure,
        contribution_service,
        contribution_contacts,
        previous_as_of_date,
        previous_probability,
        probability_change,
        change_from_data,
        change_from_definition,
        change_from_model,
        change_from_recalibration,
        change_reason,
        change_reason_zh,
        calibration_shift,
        model_version,
        horizon_days,
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
