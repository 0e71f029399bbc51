with churn_scores as (

    select * from {{ source('score', 'churn_scores') }}

),

score_reasons as (

    select * from {{ source('explain', 'score_reasons') }}

),

expected_value as (

    select * from {{ source('score', 'expected_value') }}

),

business as (

    select {{ currency() }} as currency

),

final as (

    select
        churn_scores.as_of_date,
        {{ run_id() }} as run_id,
        business.currency,
        churn_scores.customer_id,
        churn_scores.is_eligible,
        churn_scores.ineligible_reason,
        churn_scores.is_active,
        churn_scores.churn_probability,
        churn_scores.churn_percentile,
        churn_scores.churn_band,
        churn_scores.baseline_probability,
        score_reasons.baseline_rule,
        churn_scores.scored_by,
        churn_scores.scoring_model,
        churn_scores.margin_if_retained,
        churn_scores.predicted_margin,
        churn_scores.value_at_risk,
        churn_scores.persuadable_margin,
        score_reasons.is_explained,
        {{ in_currency('score_reasons.reason_1') }} as reason_1,
        {{ in_currency('score_reasons.reason_2') }} as reason_2,
        {{ in_currency('score_reasons.reason_3') }} as reason_3,
        {{ in_currency('score_reasons.reason_1_zh') }} as reason_1_zh,
        {{ in_currency('score_reasons.reason_2_zh') }} as reason_2_zh,
        {{ in_currency('score_reasons.reason_3_zh') }} as reason_3_zh,
        score_reasons.reason_1_family,
        score_reasons.reason_2_family,
        score_reasons.reason_3_family,
        score_reasons.reason_1_contribution,
        score_reasons.reason_2_contribution,
        score_reasons.reason_3_contribution,
        score_reasons.contribution_base,
        score_reasons.contribution_silence,
        score_reasons.contribution_regularity,
        score_reasons.contribution_trend,
        score_reasons.contribution_money,
        score_reasons.contribution_basket,
        score_reasons.contribution_first_purchase,
        score_reasons.contribution_tenure,
        score_reasons.contribution_service,
        score_reasons.contribution_contacts,
        score_reasons.previous_as_of_date,
        score_reasons.previous_probability,
        score_reasons.probability_change,
        score_reasons.change_from_data,
        score_reasons.change_from_definition,
        score_reasons.change_from_model,
        score_reasons.change_from_recalibration,
        score_reasons.change_reason,
        score_reasons.change_reason_zh,
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
        expected_value.no_order_within_7d,
        expected_value.no_order_within_30d,
        expected_value.no_order_within_90d,
        expected_value.no_order_within_180d,
        expected_value.no_order_within_365d,
        expected_value.expected_gap_days,
        expected_value.overdue_ratio,
        expected_value.expected_next_order_days,
        expected_value.expected_next_order_on,
        expected_value.expected_next_order_low_on,
        expected_value.expected_next_order_high_on
    from churn_scores
    left join score_reasons
        on churn_scores.customer_id = score_reasons.customer_id and churn_scores.as_of_date = score_reasons.as_of_date
    left join expected_value on churn_scores.customer_id = expected_value.customer_id
    cross join business

)

select {{ contract_columns(doubles=[
    'margin_if_retained', 'predicted_margin', 'value_at_risk', 'persuadable_margin',
    'expected_margin_horizon', 'expected_margin_horizon_low', 'expected_margin_horizon_high',
    'expected_margin_year', 'expected_margin_year_low', 'expected_margin_year_high', 'value_at_risk_year',
]) }}
from final
