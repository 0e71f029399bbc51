with customers as (

    select * from {{ ref('customer_features') }}

),

attributes as (

    select * from {{ ref('stg_customers') }}

),

persons as (

    select * from {{ source('identity', 'person_accounts') }}

),

segments as (

    select * from {{ ref('customer_segments') }}

),

tiers as (

    select * from {{ ref('loyalty_tiers') }}

),

service as (

    select * from {{ ref('cost_to_serve') }}

),

wallets as (

    select * from {{ ref('wallet_share') }}

),

words as (

    select * from {{ ref('dissatisfaction') }}

),

voices as (

    select * from {{ ref('customer_voice') }}

),

brought as (

    select
        referrer_customer_id,
        count(*) as n_referred,
        count(*) filter (where lifecycle_stage in ('new', 'active')) as n_referred_kept,
        sum(margin_window) as referred_margin_window
    from {{ ref('referrals') }}
    group by referrer_customer_id

),

stopped as (

    select
        customer_id,
        count(*) as n_stopped_categories,
        concat_ws(
            ', ',
            max(case when money_rank = 1 then category end),
            max(case when money_rank = 2 then category end),
            max(case when money_rank = 3 then category end)
        ) as stopped_categories,
        sum(net_sales_year) as stopped_net_sales_year
    from {{ ref('partial_churn') }}
    group by customer_id

),

scores as (

    select * from {{ ref('churn_scores') }}

),

movement_alerts as (

    select * from {{ source('movements', 'customer_movements') }}
    where status in ('new', 'open', 'worsened')

),

contacts as (

    select * from {{ ref('stg_contacts') }}
    where
        sent_on < {{ as_of() }}
        and coalesce(outcome, 'sent') <> 'held_out'

),

plan as (

    select * from {{ ref('retention_actions') }}

),

decisions as (

    select * from {{ ref('retention_decisions') }}

),

ledger as (

    select * from {{ ref('holdout_ledger') }}

),

alerts as (

    select
        customer_id,
        count(*) as n_alerts,
        min_by(metric, severity_rank) filter (where metric is not null) as metric,
        min_by(direction, severity_rank) filter (where direction is not null) as direction,
        min_by(money_moved, severity_rank) filter (where money_moved is not null) as money_moved,
        min_by(severity, severity_rank) filter (where severity is not null) as severity,
        min_by(status, severity_rank) filter (where status is not null) as status,
        min_by(test, severity_rank) filter (where test is not null) as test,
        min_by(first_seen_on, severity_rank) filter (where first_seen_on is not null) as first_seen_on
    from movement_alerts
    group by customer_id

),

ranked_contacts as (

    select
        customer_id,
        sent_on,
        channel,
        action_id,
        case
            when outcome = 'bounced' then outcome
            when coalesce(
                outcome_at < {{ as_of() }},
                coalesce(window_ends_on + 1, sent_on + {{ var('measure_outcome_window_days') }}) <= {{ as_of() }}
            ) then coalesce(outcome, 'sent')
            else 'sent'
        end as outcome,
        row_number() over (partition by customer_id order by sent_at desc nulls last, contact_id desc nulls last)
            as newest
    from contacts

),

last_contacts as (

    select * from ranked_contacts
    where newest = 1

),

-- The contact of tonight, else the one held out, else the refused candidate that would have earned most.
ranked_candidates as (

    select
        *,
        row_number() over (
            partition by customer_id
            order by
                case decision when 'contact' then 1 when 'holdout' then 2 else 3 end asc nulls last,
                plan_rank asc nulls last,
                expected_incremental_profit desc nulls last,
                action_id asc nulls last,
                candidate_id asc nulls last
        ) as candidate_rank
    from plan

),

next_actions as (

    select * from ranked_candidates
    where candidate_rank = 1

),

control_group as (

    select distinct customer_id
    from ledger
    where
        holdout_kind = 'global'
        and valid_from <= {{ as_of() }}
        and (valid_to is null or valid_to > {{ as_of() }})

),

final as (

    select
        customers.as_of_date,
        {{ run_id() }} as run_id,
        customers.customer_id,
        customers.joined_on,
        attributes.region,
        attributes.age_band,
        attributes.income_band,
        attributes.household_size,
        attributes.household_type,
        attributes.owner,
        persons.accounts,
        customers.first_order_on,
        customers.last_order_on,
        cast(round(customers.days_since_last_order) as int) as days_since_last_order,
        case when {{ is_profiled('customers') }} then customers.gap_median_days end as usual_gap_days,
        cast(round(customers.n_orders) as bigint) as n_orders,
        segments.lifecycle_stage,
        segments.is_reactivated,
        segments.stage_since_on,
        segments.rfm_segment,
        segments.lifecycle_name,
        segments.lifecycle_name_zh,
        segments.rfm_name,
        segments.rfm_name_zh,
        segments.r_score,
        segments.f_score,
        segments.m_score,
        segments.value_class,
        segments.is_promotion_dependent,
        tiers.loyalty_tier,
        tiers.tier_counts,
        tiers.tier_basis,
        tiers.tier_earned,
        tiers.next_tier,
        tiers.next_tier_missing,
        tiers.is_tier_at_risk,
        tiers.tier_lost_on,
        tiers.tier_lost_by,
        tiers.tier_to_keep,
        scores.currency,
        customers.net_sales_total,
        customers.net_sales_90d,
        customers.average_order_value,
        segments.margin_window,
        service.return_amount_365d,
        service.return_cost_365d,
        service.complaint_cost_365d,
        service.contact_cost_365d,
        service.discount_amount_365d,
        service.cost_to_serve_365d,
        service.margin_after_service_365d,
        customers.balance,
        customers.balance_30d,
        customers.balance_prev_90d,
        customers.balance_trend_ratio,
        365 * customers.income_a_day as income_year,
        wallets.n_categories_year,
        wallets.spend_share_proxy,
        wallets.category_share_proxy,
        referrals.referrer_customer_id,
        coalesce(brought.n_referred, 0) as n_referred,
        coalesce(brought.n_referred_kept, 0) as n_referred_kept,
        brought.referred_margin_window,
        coalesce(stopped.n_stopped_categories, 0) as n_stopped_categories,
        stopped.stopped_categories,
        stopped.stopped_net_sales_year,
        customers.discount_share,
        customers.return_share,
        cast(round(customers.n_complaints_90d) as bigint) as n_complaints_90d,
        words.is_dissatisfied,
        words.dissatisfaction_reasons,
        words.dissatisfaction_reasons_zh,
        words.last_survey_score,
        words.last_survey_on,
        words.is_satisfied and scores.churn_band in ('high', 'critical') as is_satisfied_but_leaving,
        voices.answered_on as last_questionnaire_on,
        voices.recommendation,
        voices.nps_class,
        voices.repurchase_intention,
        voices.trust,
        voices.satisfaction,
        voices.says_loyal and scores.churn_band in ('high', 'critical') as says_loyal_but_leaving,
        cast(round(customers.n_contacts_90d) as bigint) as n_contacts_90d,
        scores.is_eligible,
        scores.ineligible_reason,
        customers.outlier_account_reason is not null as is_outlier_account,
        customers.outlier_account_reason,
        scores.is_active,
        scores.churn_probability,
        scores.churn_percentile,
        scores.churn_band,
        scores.predicted_margin,
        scores.value_at_risk,
        scores.persuadable_margin,
        scores.expected_margin_year,
        scores.expected_margin_year_low,
        scores.expected_margin_year_high,
        scores.value_at_risk_year,
        scores.value_basis,
        scores.no_order_within_7d,
        scores.no_order_within_30d,
        scores.no_order_within_90d,
        scores.no_order_within_180d,
        scores.no_order_within_365d,
        scores.expected_gap_days,
        scores.overdue_ratio,
        scores.expected_next_order_on,
        scores.expected_next_order_low_on,
        scores.expected_next_order_high_on,
        scores.reason_1,
        scores.reason_2,
        scores.reason_3,
        scores.model_version,
        scores.horizon_days,
        coalesce(alerts.n_alerts, 0) as n_alerts,
        alerts.metric as alert_metric,
        alerts.direction as alert_direction,
        alerts.money_moved as alert_money_moved,
        alerts.severity as alert_severity,
        alerts.status as alert_status,
        alerts.test as alert_test,
        alerts.first_seen_on as alert_first_seen_on,
        last_contacts.sent_on as last_contact_on,
        last_contacts.channel as last_contact_channel,
        last_contacts.action_id as last_contact_action_id,
        last_contacts.outcome as last_contact_outcome,
        decisions.decision,
        decisions.reason_code as decision_reason_code,
        decisions.reason as decision_reason,
        decisions.reason_zh as decision_reason_zh,
        decisions.is_consent_to_ask,
        next_actions.action_id as next_action_id,
        next_actions.action_label_en as next_action_label,
        next_actions.purpose as next_action_purpose,
        next_actions.channel as next_action_channel,
        next_actions.decision as next_action_decision,
        next_actions.trigger_reason as next_action_reason,
        next_actions.reason_not_contacted as next_action_reason_not_contacted,
        next_actions.expected_incremental_profit as next_action_expected_profit,
        control_group.customer_id is not null as is_in_control_group
    from customers
    left join attributes on customers.customer_id = attributes.customer_id
    left join persons on customers.customer_id = persons.customer_id
    left join segments on customers.customer_id = segments.customer_id
    left join tiers on customers.customer_id = tiers.customer_id
    left join service on customers.customer_id = service.customer_id
    left join wallets on customers.customer_id = wallets.customer_id
    left join words on customers.customer_id = words.customer_id
    left join {{ ref('referrals') }} as referrals on customers.customer_id = referrals.customer_id
    left join brought on customers.customer_id = brought.referrer_customer_id
    left join voices on customers.customer_id = voices.customer_id
    left join stopped on customers.customer_id = stopped.customer_id
    left join scores on customers.customer_id = scores.customer_id
    left join alerts on customers.customer_id = alerts.customer_id
    left join last_contacts on customers.customer_id = last_contacts.customer_id
    left join decisions on customers.customer_id = decisions.customer_id
    left join next_actions on customers.customer_id = next_actions.customer_id
    left join control_group on customers.customer_id = control_group.customer_id

)

select {{ contract_columns(doubles=[
    'net_sales_total', 'net_sales_90d', 'average_order_value', 'alert_money_moved', 'balance', 'balance_30d',
    'balance_prev_90d', 'income_year',
]) }}
from final
