with customers as (

    select * from {{ ref('customer_features') }}

),

attributes as (

    select * from {{ ref('stg_customers') }}

),

segments as (

    select * from {{ ref('customer_segments') }}

),

scores as (

    select * from {{ ref('churn_scores') }}

),

movement_alerts as (

    select * from {{ ref('customer_movements') }}

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

ledger as (

    select * from {{ ref('holdout_ledger') }}

),

alerts as (

    select
        customer_id,
        count(*) as n_alerts,
        min_by(metric, severity_rank) as metric,
        min_by(direction, severity_rank) as direction,
        min_by(money_moved, severity_rank) as money_moved,
        min_by(severity, severity_rank) as severity
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

-- The contact of tonight, else the one held out, else the refused candidate that would have brought most.
ranked_candidates as (

    select
        plan.*,
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
        cast(customers.as_of_date as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(customers.customer_id as string) as customer_id,
        cast(customers.joined_on as date) as joined_on,
        cast(attributes.region as string) as region,
        cast(attributes.age_band as string) as age_band,
        cast(attributes.income_band as string) as income_band,
        cast(attributes.household_size as string) as household_size,
        cast(attributes.household_type as string) as household_type,
        cast(customers.first_order_on as date) as first_order_on,
        cast(customers.last_order_on as date) as last_order_on,
        cast(customers.days_since_last_order as int) as days_since_last_order,
        cast(customers.gap_median_days as double) as usual_gap_days,
        cast(customers.n_orders as bigint) as n_orders,
        cast(segments.lifecycle_stage as string) as lifecycle_stage,
        cast(segments.is_reactivated as boolean) as is_reactivated,
        cast(segments.stage_since_on as date) as stage_since_on,
        cast(segments.rfm_segment as string) as rfm_segment,
        cast(segments.r_score as int) as r_score,
        cast(segments.f_score as int) as f_score,
        cast(segments.m_score as int) as m_score,
        cast(segments.value_class as string) as value_class,
        cast(segments.is_promotion_dependent as boolean) as is_promotion_dependent,
        cast(customers.net_sales_total as double) as net_sales_total,
        cast(customers.net_sales_90d as double) as net_sales_90d,
        cast(customers.average_order_value as double) as average_order_value,
        cast(segments.margin_window as double) as margin_window,
        cast(customers.discount_share as double) as discount_share,
        cast(customers.return_share as double) as return_share,
        cast(customers.n_complaints_90d as bigint) as n_complaints_90d,
        cast(customers.n_contacts_90d as bigint) as n_contacts_90d,
        cast(scores.is_eligible as boolean) as is_eligible,
        cast(scores.ineligible_reason as string) as ineligible_reason,
        cast(scores.is_active as boolean) as is_active,
        cast(scores.churn_probability as double) as churn_probability,
        cast(scores.churn_percentile as int) as churn_percentile,
        cast(scores.churn_band as string) as churn_band,
        cast(scores.predicted_margin as double) as predicted_margin,
        cast(scores.value_at_risk as double) as value_at_risk,
        cast(scores.expected_margin_year as double) as expected_margin_year,
        cast(scores.expected_margin_year_low as double) as expected_margin_year_low,
        cast(scores.expected_margin_year_high as double) as expected_margin_year_high,
        cast(scores.value_at_risk_year as double) as value_at_risk_year,
        cast(scores.value_basis as string) as value_basis,
        cast(scores.expected_gap_days as double) as expected_gap_days,
        cast(scores.overdue_ratio as double) as overdue_ratio,
        cast(scores.expected_next_order_on as date) as expected_next_order_on,
        cast(scores.reason_1 as string) as reason_1,
        cast(scores.reason_2 as string) as reason_2,
        cast(scores.reason_3 as string) as reason_3,
        cast(scores.model_version as string) as model_version,
        cast(scores.horizon_days as int) as horizon_days,
        cast(coalesce(alerts.n_alerts, 0) as bigint) as n_alerts,
        cast(alerts.metric as string) as alert_metric,
        cast(alerts.direction as string) as alert_direction,
        cast(alerts.money_moved as double) as alert_money_moved,
        cast(alerts.severity as string) as alert_severity,
        cast(last_contacts.sent_on as date) as last_contact_on,
        cast(last_contacts.channel as string) as last_contact_channel,
        cast(last_contacts.action_id as string) as last_contact_action_id,
        cast(last_contacts.outcome as string) as last_contact_outcome,
        cast(next_actions.action_id as string) as next_action_id,
        cast(next_actions.action_label_en as string) as next_action_label,
        cast(next_actions.purpose as string) as next_action_purpose,
        cast(next_actions.channel as string) as next_action_channel,
        cast(next_actions.decision as string) as next_action_decision,
        cast(next_actions.trigger_reason as string) as next_action_reason,
        cast(next_actions.reason_not_contacted as string) as next_action_reason_not_contacted,
        cast(next_actions.expected_incremental_profit as double) as next_action_expected_profit,
        cast(control_group.customer_id is not null as boolean) as is_in_control_group
    from customers
    left join attributes on customers.customer_id = attributes.customer_id
    left join segments on customers.customer_id = segments.customer_id
    left join scores on customers.customer_id = scores.customer_id
    left join alerts on customers.customer_id = alerts.customer_id
    left join last_contacts on customers.customer_id = last_contacts.customer_id
    left join next_actions on customers.customer_id = next_actions.customer_id
    left join control_group on customers.customer_id = control_group.customer_id

)

select * from final
