"""A good table for every suite, and for rules that no general blend breaks, the statement that breaks it.

`GOOD` holds one select a table whose rows pass every rule; `BREAKING` holds, by table and rule, an SQL statement on the
table `t`. Dates are as of 2017-12-31.
"""

from assets.model.churn_features import FAMILIES

AS_OF = "date '2017-12-31' as as_of_date, 'run-1' as run_id"

GOOD = {
    "staging.transaction_days": """
        select date '2017-03-01' + cast(i as int) as day, 5 as n_landed_lines, 5 as n_lines, 12.5 as net_sales,
            0 as n_without_customer, cast(-1.5 as decimal(18, 4)) as lowest_amount,
            cast(i + 0.5 as decimal(18, 4)) as highest_amount, 4 as n_sale_amounts, 3 as n_discounts,
            0 as n_negative_discounts, 'EUR' as first_currency, 'EUR' as last_currency
        from range(20) as r(i)""",
    "features.customer_features": f"""
        select {AS_OF}, 'c' || i as customer_id, i <> 5 as is_eligible,
            case when i = 5 then 'lost' end as ineligible_reason,
            5.0 + i as days_since_last_order, 100.0 as recency_days, 120.0 + i as tenure_days, 3.0 as frequency,
            4.0 as n_orders, 1.0 as n_orders_30d, 2.0 as n_orders_90d, 40.0 as gap_max_days, 30.0 as gap_median_days,
            0.1::double as discount_share, 0.5::double as discount_order_share, 1.5 as orders_trend_ratio,
            0.3::double as recency_over_gap_mean, 0.1::double as recency_gap_z, null::double as gap_cv,
            0.9::double as sales_trend_ratio, 20.0::double as average_order_value
        from range(6) as r(i)""",
    "marts.churn_scores": f"""
        select {AS_OF}, 'c' || i as customer_id, i < 8 as is_eligible,
            case when i >= 8 then 'too_little_history' end as ineligible_reason,
            case when i < 8 then 0.1::double * i end as churn_probability,
            case when i < 8 then cast(1 + 12 * i as int) end as churn_percentile,
            case when i >= 8 then 'not_scored' when i < 2 then 'low' when i < 5 then 'medium' else 'high' end
                as churn_band,
            case when i < 8 then 0.3::double end as baseline_probability,
            case when i < 8 then 'model' end as scored_by, 'm-1' as model_version, 30 as horizon_days,
            case when i < 8 then 10.0::double end as margin_if_retained,
            case when i < 8 then (1 - 0.1::double * i) * 10 end as predicted_margin,
            case when i < 8 then 0.1::double * i * 10 end as value_at_risk,
            case when i < 8 then 0.1::double * i * (1 - 0.1::double * i) * 10 end as persuadable_margin,
            case when i < 8 then (1 - 0.1::double * i) * 10 end as expected_margin_horizon,
            case when i < 8 then 0::double end as expected_margin_horizon_low,
            case when i < 8 then 30::double end as expected_margin_horizon_high,
            case when i < 8 then 100::double end as expected_margin_year,
            case when i < 8 then 20::double end as expected_margin_year_low,
            case when i < 8 then 300::double end as expected_margin_year_high,
            case when i < 8 then pow(0.1::double * i, 0.3) end as no_order_within_7d,
            case when i < 8 then 0.1::double * i end as no_order_within_30d,
            case when i < 8 then pow(0.1::double * i, 2) end as no_order_within_90d,
            case when i < 8 then pow(0.1::double * i, 3) end as no_order_within_180d,
            case when i < 8 then pow(0.1::double * i, 4) end as no_order_within_365d,
            1.5::double as overdue_ratio,
            case when 0.1::double * i < 0.5 then date '2018-01-05' end as expected_next_order_on,
            case when 0.1::double * i < 0.5 then date '2018-01-02' end as expected_next_order_low_on,
            case when 0.1::double * i < 0.5 then date '2018-01-20' end as expected_next_order_high_on,
            'Finances: 12 days since the last order, usually 3.' as reason_1, '12 天' as reason_1_zh,
            null::varchar as reason_2, null::varchar as reason_3, i between 1 and 7 as is_explained,
            case when i between 1 and 7 then 0.5::double end as reason_1_contribution,
            case when i between 1 and 7 then ln(0.1::double * i / (1 - 0.1::double * i)) - 0.8 end
                as contribution_base,
            {", ".join(f"0.1::double as contribution_{group}" for group in FAMILIES)},
            0.8 - 0.1 * {len(FAMILIES)}::double as contribution_contacts,
            0.1::double * i - 0.05 as previous_probability, 0.05::double as probability_change,
            0.03::double as change_from_data, 0.0::double as change_from_definition, 0.02::double as change_from_model,
            0.0::double as change_from_recalibration
        from range(10) as r(i)""",
    "marts.retention_actions": f"""
        select {AS_OF}, 'd' || i as candidate_id, 'c' || i as customer_id, 'thanks' as action_id,
            case i % 3 when 0 then 'contact' when 1 then 'holdout' else 'not_contacted' end as decision,
            case when i % 3 > 0 then 'The budget of the night is spent.' end as reason_not_contacted,
            case i % 3 when 1 then 'global' end as holdout_kind, case i % 3 when 0 then cast(i / 3 + 1 as int) end
                as plan_rank,
            'assumed' as consent_basis, timestamp '2020-01-01' as consent_valid_to,
            'assumed' as channel_basis, 'email' as channel,
            0.5::double as expected_incremental_profit, 0.1::double as expected_profit_low,
            0.9::double as expected_profit_high, 'playbook_prior' as uplift_basis, 0.02::double as uplift,
            0.01::double as uplift_low, 0.03::double as uplift_high, 0.2::double as persistence,
            case i % 3 when 0 then 'treated' end as experiment_arm,
            case when i % 3 < 2 then date '2018-01-02' end as due_on,
            0.1::double as redeem_probability, 0.05::double as contact_cost, 1.0::double as offer_cost,
            0.4::double as churn_probability, 'marketing' as purpose, true as needs_profit
        from range(9) as r(i)""",
    "marts.retention_decisions": f"""
        select {AS_OF}, 'c' || i as customer_id, 'A' as value_class,
            case i when 0 then 'contact' when 1 then 'holdout' else 'not_contacted' end as decision,
            case i when 0 then 'contact' when 1 then 'action_slice' when 2 then 'no_profit' else 'not_at_risk' end
                as reason_code,
            'why' as reason, 'why' as reason_zh, case i when 2 then 0.2::double end as shortfall
        from range(5) as r(i)""",
    "marts.action_verdicts": f"""
        select {AS_OF}, action_id, stage as lifecycle_stage, verdict, 0.03::double as measured_effect,
            low::double as measured_low, 0.05::double as measured_high, n_more::bigint as n_more
        from (values
            ('offer', 'all', 'works', 0.01, null), ('call', 'all', 'too small to tell', -0.04, 900),
            ('offer', 'new', null, null, null)
        ) as verdicts (action_id, stage, verdict, low, n_more)""",
    "marts.experiment_purity": f"""
        select {AS_OF}, action_id, 20 as n_treated, 20 as n_held_out, 0 as n_contaminated_treated,
            0 as n_contaminated_held_out, 0 as n_contaminated
        from (values ('offer'), ('control_group')) as actions (action_id)""",
    "marts.experiment_balance": f"""
        select {AS_OF}, 'offer' as action_id, 'plan' as experiment_id, feature, true as is_balanced
        from (values ('orders_year'), ('net_sales_year')) as features (feature)""",
    "marts.contact_funnel": f"""
        select {AS_OF}, 'offer' as action_id, planned_by, date '2017-10-01' as month, 90 as n_flagged,
            80 as n_reachable, 70 as n_planned, 65 as n_exported, 60 as n_sent, 50 as n_delivered, 20 as n_responded,
            30 as n_kept, 4 as n_waiting, 6 as n_not_sent
        from (values ('holdfast'), ('business')) as plans (planned_by)""",
    "marts.plan_limits": f"""
        select {AS_OF}, kind as limit_kind, name as limit_name, available::double as available, used::double as used,
            price::double as price, 'words' as words, 'words' as words_zh
        from (values ('channel', 'email', 5, 5, 1.6), ('budget', 'all', 100, 20, 0), ('profit', 'all', 200, 199, null))
            as limits (kind, name, available, used, price)""",
    "marts.holdout_ledger": f"""
        select {AS_OF}, 'c' || i as person_id, 'c' || i as customer_id, 'salt-1' as salt, 0.05::double as share,
            0.01::double * i as hash_value, date '2017-02-01' as valid_from, date '2017-11-30' as valid_to
        from range(4) as r(i)""",
    "marts.model_performance": f"""
        select {AS_OF}, 'backtest' as basis, 'm-1' as model_version, candidate_model, 'active' as population,
            'all' as slice_kind, 'all' as slice_value, null::date as cutoff_date, metric,
            value::double as value, value - 0.01::double as low, value + 0.01::double as high, 500 as n_rows,
            60 as n_churned, candidate_model = 'model' as is_scoring
        from (values ('auc', 0.85), ('ece', 0.02), ('brier', 0.07), ('log_loss', 0.3), ('lift_at_10', 4.0))
            as m(metric, value), (values ('model'), ('rule')) as k(candidate_model)""",
    "marts.model_selection": f"""
        select {AS_OF}, 'm-1' as model_version, candidate_model, 'active' as population, 'validation' as cutoff_role,
            null::date as cutoff_date, metric, value::double as value, value - 0.01::double as low,
            value + 0.01::double as high, 500 as n_rows, 60 as n_churned, candidate_model = 'blend' as is_chosen,
            'the least log loss' as reason
        from (values ('auc', 0.85), ('ece', 0.02), ('log_loss', 0.3)) as m(metric, value),
            (values ('recency_rule'), ('blend'), ('incumbent')) as k(candidate_model)""",
    "marts.model_calibration": f"""
        select {AS_OF}, 'm-1' as model_version, 'model' as candidate_model,
            kind as slice_kind, 'x' || bin as slice_value, bin,
            500 as n, 0.1::double * bin as mean_predicted, 0.1::double * bin + 0.01 as observed_share,
            0.1::double * bin as low, 0.1::double * bin + 0.02 as high
        from (values ('all', 1), ('all', 2), ('region', 1), ('tenure', 1), ('value_class', 1)) as m(kind, bin)""",
    "marts.model_monitor": f"""
        select {AS_OF}, 'm-1' as model_version, 'm-1+' || i as adjustment_id,
            date '2017-12-10' + 7 * i::integer as checked_as_of, date '2017-11-10' + 7 * i::integer as cutoff_date,
            case when i = 1 then 'recalibrated' else 'kept' end as verdict,
            case when i = 1 then 0.2 else 0 end::double as shift, 'because' as reason, i = 1 as is_applied,
            'average' as scoring_model
        from range(2) as r(i)""",
    "marts.value_performance": f"""
        select {AS_OF}, 'm-1' as model_version, target, 'two_part' as candidate_model, true as is_scoring,
            null::date as cutoff_date, metric, value::double as value, 500 as n_rows
        from (values ('horizon', 'spearman', 0.8), ('horizon', 'coverage', 0.8), ('window', 'mae', 12.0),
            ('window', 'actual_over_expected', 1.1), ('next_order', 'mae_days', 4.0),
            ('no_order', 'log_loss', 0.5), ('profit', 'emp', 1.0)) as m(target, metric, value)""",
    "marts.profit_curve": f"""
        select {AS_OF}, basis, 'm-1' as model_version, null::date as cutoff_date, 'risk_only' as ranking,
            0.1::double * i as contacted_share, false as is_stop_point, i = 4 as is_best, 100 as n_customers,
            10.0::double * i as n_contacted, 5.0::double * i as spend, 20.0::double - (i - 4) * (i - 4) as profit
        from (values ('out_of_time'), ('tonight')) as b(basis), range(1, 11) as r(i)""",
    "marts.model_drift": f"""
        select {AS_OF}, 'm-1' as model_version, if(i = 0, 'score', 'input') as kind,
            if(i = 0, 'churn_probability', 'f' || i) as name, 0.02::double as psi, 0.03::double as noise_bound,
            'stable' as verdict, 0.1::double as missing_share_reference, 0.12::double as missing_share_now
        from range(4) as r(i)""",
    "marts.retention_kpis": f"""
        select {AS_OF}, date '2017-12-30' - cast(i as int) as kpi_date, 'north' as region,
            400 as n_opening_customers, 3 as n_new_customers, 2 as n_won_back_customers, 5 as n_lost_customers,
            400 as n_closing_customers, 500 as n_customers, 100 as n_active_customers,
            case when i >= 30 then 90 end as n_retained_customers, 63 as n_buying_customers, 70 as n_orders,
            900.0::double as net_sales, 60 as n_returning_customers, 8 as n_contacts, 7 as n_contacted_customers,
            6 as n_reached_customers, i >= 30 as is_complete, i >= 50 as is_left_censored
        from range(60) as r(i)""",
    "marts.retention_kpis_levels": f"""
        select {AS_OF}, date '2017-12-30' - cast(i as int) as kpi_date, 'total' as level, 'all' as region,
            'all' as value_class, 'all' as lifecycle_stage, 'all' as channel,
            400 as n_opening_customers, 3 as n_new_customers, 2 as n_won_back_customers, 5 as n_lost_customers,
            400 as n_closing_customers, 500 as n_customers, 100 as n_active_customers,
            case when i >= 30 then 90 end as n_retained_customers, 63 as n_buying_customers, 70 as n_orders,
            900.0::double as net_sales, 60 as n_returning_customers, 8 as n_contacts, 7 as n_contacted_customers,
            6 as n_reached_customers, 0.6::double as repeat_rate,
            0.8::double as reach_rate,
            case when i between 30 and 49 then 0.9::double end as retention_rate,
            case when i between 30 and 49 then 1 - 0.9::double end as churn_rate,
            i >= 30 as is_complete, i >= 50 as is_left_censored
        from range(60) as r(i)""",
    "marts.retention_kpis_total": f"""
        select {AS_OF}, date '2017-12-30' - cast(i as int) as kpi_date,
            400 as n_opening_customers, 3 as n_new_customers, 2 as n_won_back_customers, 5 as n_lost_customers,
            400 as n_closing_customers, 500 as n_customers, 100 as n_active_customers,
            case when i >= 30 then 90 end as n_retained_customers, 63 as n_buying_customers, 70 as n_orders,
            900.0::double as net_sales, 60 as n_returning_customers, 8 as n_contacts, 7 as n_contacted_customers,
            6 as n_reached_customers, 400 as n_closing_customers_previous_day,
            0.6::double as repeat_rate, 0.8::double as reach_rate,
            case when i between 30 and 49 then 0.9::double end as retention_rate,
            case when i between 30 and 49 then 1 - 0.9::double end as churn_rate,
            i >= 30 as is_complete, i >= 50 as is_left_censored
        from range(60) as r(i)""",
    "marts.cohort_retention": f"""
        select {AS_OF}, date '2017-09-01' as cohort_month, cast(i as int) as months_since_first, 50 as n_customers,
            case when i < 3 then 50 - i * 10 end as n_retained,
            case when i < 3 then (50 - i * 10) / 50.0::double end as retained_share,
            case when i < 3 then 0.1::double end as hazard, i < 3 as is_complete
        from range(4) as r(i)""",
    "marts.stage_transitions": f"""
        select {AS_OF}, date '2017-10-01' as from_month, date '2017-11-01' as to_month, 'active' as from_stage,
            stage as to_stage, 10 as n_customers, 50.0 as net_sales_before, 40.0 as net_sales_after,
            -10.0 as net_sales_moved
        from (values ('active'), ('silent')) as s(stage)""",
    "marts.campaign_outcomes": f"""
        select {AS_OF}, 'thanks' as action_id, arm, date '2017-10-01' as period_start, date '2017-10-31' as period_end,
            160 as n_planned, 150 as n_sent,
            140 as n_delivered, 70 as n_opened, 60 as n_purchased,
            0.4::double as purchase_share, 7.5::double as contact_cost, 0.0::double as offer_cost,
            0.1::double as effect, 0.02::double as effect_low, 0.18::double as effect_high,
            12.0::double as incremental_profit, 'works' as verdict, true as is_complete,
            'randomised_holdout' as effect_basis
        from (values ('contacted'), ('holdout')) as a(arm)""",
    "marts.customer_segments": f"""
        select {AS_OF}, 'c' || i as customer_id, cast(i % 5 + 1 as int) as r_score, cast(i % 5 + 1 as int) as f_score,
            cast(i % 5 + 1 as int) as m_score, case when i = 0 then 'A' else 'C' end as value_class,
            0.2::double as discount_order_share, i = 3 as is_promotion_dependent,
            case when i < 3 then 'active' else 'lost' end as lifecycle_stage, false as is_outlier_account
        from range(10) as r(i)""",
    "marts.movement_alerts": f"""
        select {AS_OF}, 'c' || i as customer_id, case when i = 1 then 'order_value' else 'orders' end as metric,
            case when i < 2 then 'down' else 'up' end as direction,
            case i when 0 then 'silence' when 1 then 'smaller' else 'faster' end as test,
            case i when 0 then 'new' when 3 then 'recovered' else 'open' end as status,
            date '2017-12-31' - case when i = 0 then 0 else 9 end as first_seen_on,
            case when i = 0 then 0 else 9 end as age_days, case when i = 3 then 'usual_again' end as closed_because,
            5.0::double as recent_value, 30.0::double as usual_value, 40.0::double as expected_value,
            case when i < 2 then 'high' when i = 2 then 'opportunity' else 'over' end as severity,
            35.0::double as money_moved
        from range(4) as r(i)""",
    "marts.customer_360": f"""
        select {AS_OF}, 'c' || i as customer_id, date '2017-01-05' as joined_on, date '2017-01-10' as first_order_on,
            date '2017-12-20' as last_order_on, 11 as days_since_last_order, 12 as n_orders,
            case when i < 5 then 'active' end as lifecycle_stage, i < 5 as is_eligible,
            case when i = 5 then 'refuses_profiling' end as ineligible_reason,
            case when i < 5 then 'C' end as value_class,
            case when i < 5 then 'recent, rare' end as rfm_segment, case when i < 5 then 'silver' end as loyalty_tier,
            case when i < 5 then 7.0::double end as usual_gap_days, 0 as n_stopped_categories,
            case when i < 5 then 0.5::double end as spend_share_proxy,
            case when i < 5 then 0.3::double end as churn_probability, case when i = 1 then 1 else 0 end as n_alerts,
            case when i = 1 then 'orders' end as alert_metric, date '2017-12-01' as last_contact_on,
            case when i in (2, 4) then 'contact' end as next_action_decision, i in (3, 4) as is_in_control_group,
            9.0::decimal(18, 2) as margin_window, 1.0::decimal(18, 2) as cost_to_serve_365d,
            8.0::decimal(18, 2) as margin_after_service_365d,
            case when i in (2, 4) then 'contact' else 'not_contacted' end as decision,
            case i when 2 then 'marketing' when 4 then 'service' end as next_action_purpose
        from range(6) as r(i)""",
    "marts.segment_thresholds": f"""
        select {AS_OF}, segmentation, 'a measure' as measure, 'b' || i as boundary, 10.0::double + i as threshold
        from (values ('rfm'), ('abc'), ('lifecycle')) as s(segmentation), range(3) as r(i)""",
    "marts.loyalty_tiers": f"""
        select {AS_OF}, 'c' || i as customer_id, 'silver' as loyalty_tier, 'gold' as next_tier,
            cast(5 as decimal(18, 2)) as next_tier_missing, i = 1 as is_tier_at_risk,
            case when i = 1 then date '2018-01-05' end as tier_lost_on,
            case when i = 1 then cast(2 as decimal(18, 2)) end as tier_lost_by,
            case when i = 1 then cast(3 as decimal(18, 2)) end as tier_to_keep
        from range(3) as r(i)""",
    "marts.partial_churn": f"""
        select {AS_OF}, 'c' || i as customer_id, 'bread' as category, 20 as n_visits_since,
            date '2017-11-01' as last_bought_on, 0.0005::double as chance
        from range(3) as r(i)""",
    "marts.referrals": f"""
        select {AS_OF}, 'c' || i as customer_id, 'b' as referrer_customer_id, date '2017-03-01' as referred_on
        from range(3) as r(i)""",
    "marts.unreachable_customers": f"""
        select {AS_OF}, 'marketing' as purpose, 'c' || i as channel, 'no_consent' as reason, 2 as n_customers,
            5 as n_all_customers
        from range(3) as r(i)""",
    "marts.survey_months": f"""
        select {AS_OF}, date '2017-03-01' as month, 's' || i as lifecycle_stage, 10 as n_customers,
            9 as n_recommendation, 5 as n_promoters, 2 as n_passives, 2 as n_detractors,
            33.3::double as net_promoter_score, 8 as n_intention,
            6 as n_intending, 7 as n_trust, 5 as n_trusting, 10 as n_satisfaction, 6 as n_satisfied,
            5 as n_satisfied_followed, 2 as n_satisfied_stayed_away, 3 as n_unsatisfied_followed,
            1 as n_unsatisfied_stayed_away, 4 as n_intending_followed, 1 as n_intending_stayed_away
        from range(3) as r(i)""",
    "marts.survey_attributes": f"""
        select {AS_OF}, 'a' || i as attribute, 0.75::double as importance, 0.5::double as satisfaction,
            0.25::double as gap, 'improve' as quadrant
        from range(3) as r(i)""",
    "marts.metric_definitions": f"""
        select {AS_OF}, 'net_sales' as name, 'Sales of the day.' as sentence, 'money' as unit""",
    "marts.tenure_watershed": f"""
        select {AS_OF}, i as tenure_month, 100 - 10 * i as n_at_risk, 5 as n_left, 5 as n_censored,
            0.1::double as hazard, 0.5::double as survival
        from range(3) as r(i)""",
    "marts.segment_names": f"""
        select {AS_OF}, 'rfm' as segmentation, 'high on all' as segment, 'Champion' as name_en,
            '冠军' as name_zh""",
    "marts.data_quality": f"""
        select {AS_OF}, 'marts.t' || i as table_name, 'rule' as rule, 'blocking' as severity, 'expectation' as kind,
            i <> 2 as passed, 10 as n_checked, case when i = 2 then 1 else 0 end as n_failed,
            'What must hold.' as reason
        from range(12) as r(i)""",
    "marts.run_manifest": f"""
        select {AS_OF}, timestamp '2018-01-01 02:00:00' as started_at, 'toy' as sources, '{{"a": 1}}' as parameters,
            '{{}}' as versions, '{{"churn_scores": 10}}' as table_rows, '[]' as stages,
            100 as rows_in, 95 as rows_accepted,
            2 as rows_quarantined, 3 as rows_left_out""",
}

BREAKING = {
    ("staging.transaction_days", "customer_id_present"): "update t set n_without_customer = 1 where day = '2017-03-04'",
    ("staging.transaction_days", "amount_in_range"): "update t set lowest_amount = -2e9 where day = '2017-03-04'",
    ("staging.transaction_days", "amount_mostly_sales"): "update t set n_sale_amounts = 2",
    ("staging.transaction_days", "discount_amount_in_range"): (
        "update t set n_negative_discounts = 1 where day = '2017-03-04'"
    ),
    ("staging.transaction_days", "currency_variety"): "update t set last_currency = 'USD' where day = '2017-03-04'",
    ("features.customer_features", "eligible_has_history"): "update t set n_orders = 0 where customer_id = 'c1'",
    ("features.customer_features", "ineligible_says_why"): (
        "update t set ineligible_reason = null where customer_id = 'c5'"
    ),
    ("features.customer_features", "numbers_are_finite"): "update t set gap_cv = 'inf' where customer_id = 'c1'",
    ("marts.churn_scores", "scored_if_and_only_if_eligible"): (
        "update t set churn_probability = null where customer_id = 'c1'"
    ),
    ("marts.churn_scores", "ineligible_says_why"): "update t set ineligible_reason = null where customer_id = 'c9'",
    ("marts.churn_scores", "predicted_margin_adds_up"): "update t set predicted_margin = 10 where customer_id = 'c3'",
    ("marts.churn_scores", "value_at_risk_adds_up"): "update t set value_at_risk = 9 where customer_id = 'c3'",
    ("marts.churn_scores", "persuadable_margin_adds_up"): (
        "update t set persuadable_margin = 9 where customer_id = 'c3'"
    ),
    ("marts.churn_scores", "horizon_margin_is_between"): (
        "update t set expected_margin_horizon = 29 where customer_id = 'c3'"
    ),
    ("marts.churn_scores", "a_year_holds_the_horizon"): (
        "update t set expected_margin_year = 1, expected_margin_year_low = 0 where customer_id = 'c3'"
    ),
    ("marts.churn_scores", "intervals_hold_the_expected"): (
        "update t set expected_margin_year_low = 150 where customer_id = 'c3'"
    ),
    ("marts.churn_scores", "return_curve_never_rises"): (
        "update t set no_order_within_365d = no_order_within_180d + 0.01 where customer_id = 'c3'"
    ),
    ("marts.churn_scores", "return_curve_meets_the_churn_probability"): (
        "update t set no_order_within_30d = no_order_within_30d - 0.001 where customer_id = 'c3'"
    ),
    ("marts.churn_scores", "next_order_is_not_in_the_past"): (
        "update t set expected_next_order_low_on = date '2017-12-30' where customer_id = 'c3'"
    ),
    ("marts.churn_scores", "next_order_is_within_its_interval"): (
        "update t set expected_next_order_high_on = as_of_date + horizon_days where customer_id = 'c3'"
    ),
    ("marts.churn_scores", "next_order_is_dated_where_one_is_expected"): (
        "update t set churn_probability = 0.5 where customer_id = 'c4'"
    ),
    ("marts.value_performance", "shares_are_shares"): "update t set value = 1.1 where metric = 'coverage'",
    ("marts.value_performance", "correlations_are_possible"): "update t set value = 1.1 where metric = 'spearman'",
    ("marts.value_performance", "errors_are_not_negative"): "update t set value = -1 where metric = 'mae'",
    ("marts.value_performance", "money_is_about_right"): (
        "update t set value = 2.5 where metric = 'actual_over_expected'"
    ),
    ("marts.value_performance", "intervals_hold_enough"): "update t set value = 0.5 where metric = 'coverage'",
    ("marts.profit_curve", "nobody_is_contacted_twice"): "update t set n_contacted = 101 where contacted_share > 0.95",
    ("marts.profit_curve", "the_best_earns"): "update t set profit = -1 where is_best",
    ("marts.churn_scores", "explained_has_a_reason"): "update t set reason_1_zh = ' ' where customer_id = 'c3'",
    ("marts.churn_scores", "contributions_add_up"): (
        "update t set contribution_silence = contribution_silence + 0.01 where customer_id = 'c3'"
    ),
    ("marts.churn_scores", "marked_as_the_contribution_goes"): (
        "update t set reason_1 = 'Speaks for staying: last purchase 1 day ago.' where customer_id = 'c3'"
    ),
    ("marts.churn_scores", "change_adds_up"): "update t set change_from_model = 0.5 where customer_id = 'c3'",
    ("marts.churn_scores", "reasons_are_words"): (
        "update t set reason_2 = 'Usually buys every nan days.' where customer_id = 'c3'"
    ),
    ("marts.retention_actions", "refusal_says_why"): (
        "update t set reason_not_contacted = null where candidate_id = 'd2'"
    ),
    ("marts.retention_actions", "holdout_has_a_kind"): "update t set holdout_kind = null where candidate_id = 'd1'",
    ("marts.retention_decisions", "everybody_has_a_reason"): "update t set reason_zh = null where customer_id = 'c3'",
    ("marts.retention_decisions", "holdout_by_a_holdout_reason"): (
        "update t set reason_code = 'cooldown' where customer_id = 'c1'"
    ),
    ("marts.retention_decisions", "shortfall_where_not_worth_it"): (
        "update t set shortfall = null where customer_id = 'c2'"
    ),
    ("marts.retention_decisions", "class_a_at_risk_is_answered"): (
        "update t set reason_code = 'at_risk_not_due' where customer_id = 'c3'"
    ),
    ("marts.action_verdicts", "verdict_for_the_whole"): (
        "update t set verdict = 'works' where lifecycle_stage = 'new'"
    ),
    (
        "marts.action_verdicts",
        "verdict_follows_interval",
    ): "update t set measured_low = -0.01 where action_id = 'offer'",
    ("marts.action_verdicts", "too_small_says_how_many"): "update t set n_more = null where action_id = 'call'",
    ("marts.action_verdicts", "nothing_harms"): (
        "update t set verdict = 'harms', measured_high = -0.01 where verdict = 'works'"
    ),
    ("marts.experiment_purity", "nobody_is_contaminated"): (
        "update t set n_contaminated = 1, n_contaminated_treated = 1 where action_id = 'offer'"
    ),
    ("marts.experiment_purity", "contaminated_by_arm"): "update t set n_contaminated_held_out = 1",
    ("marts.experiment_purity", "contaminated_are_persons_of_the_arm"): (
        "update t set n_contaminated = 21, n_contaminated_treated = 21 where action_id = 'offer'"
    ),
    ("marts.experiment_balance", "arms_are_alike"): "update t set is_balanced = false where feature = 'orders_year'",
    ("marts.contact_funnel", "sent_as_planned"): (
        "update t set n_sent = 71, n_waiting = 0, n_not_sent = -1 where planned_by = 'holdfast'"
    ),
    ("marts.contact_funnel", "planned_is_sent_or_not"): "update t set n_waiting = 5 where planned_by = 'holdfast'",
    ("marts.plan_limits", "used_within_available"): "update t set used = 5.5 where limit_kind = 'channel'",
    ("marts.plan_limits", "plan_is_near_its_bound"): "update t set used = 195 where limit_kind = 'profit'",
    ("marts.retention_actions", "due_when_decided"): (
        "update t set due_on = date '2017-12-30' where decision = 'contact'"
    ),
    ("marts.retention_actions", "arm_is_decision"): (
        "update t set experiment_arm = 'held_out' where candidate_id = 'd0'"
    ),
    ("marts.retention_actions", "interval_holds_profit"): (
        "update t set expected_profit_high = 0.4 where candidate_id = 'd0'"
    ),
    ("marts.retention_actions", "ranked_if_contacted"): "update t set plan_rank = null where candidate_id = 'd0'",
    ("marts.retention_actions", "contact_has_consent"): "update t set consent_basis = null where candidate_id = 'd0'",
    ("marts.retention_actions", "consent_holds_when_sent"): (
        "update t set consent_valid_to = timestamp '2017-12-01' where candidate_id = 'd0'"
    ),
    ("marts.retention_actions", "contact_has_channel"): "update t set channel = null where candidate_id = 'd0'",
    ("marts.retention_actions", "contact_is_expected_to_pay"): (
        "update t set expected_incremental_profit = null where candidate_id = 'd0'"
    ),
    ("marts.retention_actions", "marketing_has_marketing_consent"): (
        "update t set consent_basis = 'not_needed' where candidate_id = 'd0'"
    ),
    ("marts.holdout_ledger", "member_by_hash"): "update t set hash_value = 0.3 where person_id = 'c1'",
    ("marts.model_drift", "index_is_not_negative"): "update t set psi = -0.1 where name = 'f1'",
    ("marts.model_drift", "shares_are_shares"): "update t set missing_share_now = 1.2 where name = 'f1'",
    ("marts.model_drift", "scores_have_not_drifted"): "update t set verdict = 'drifted' where kind = 'score'",
    ("marts.model_drift", "inputs_have_not_drifted"): "update t set verdict = 'drifted' where name = 'f1'",
    ("marts.model_selection", "shares_are_shares"): "update t set value = 1.2 where metric = 'ece'",
    ("marts.model_selection", "interval_holds_value"): "update t set value = high + 0.1 where metric = 'log_loss'",
    ("marts.model_calibration", "shares_are_shares"): "update t set mean_predicted = 1.2 where slice_kind = 'tenure'",
    ("marts.model_calibration", "no_slice_is_far_off"): (
        "update t set observed_share = 0.9, low = 0.8, high = 0.95 where slice_kind = 'region'"
    ),
    ("marts.model_monitor", "no_check_of_the_future"): "update t set cutoff_date = checked_as_of where is_applied",
    ("marts.model_monitor", "kept_means_no_shift"): "update t set shift = 0.1 where verdict = 'kept'",
    ("marts.model_monitor", "shift_is_small"): "update t set shift = 3 where verdict = 'recalibrated'",
    ("marts.model_performance", "shares_are_shares"): "update t set value = 1.2 where metric = 'ece'",
    ("marts.model_performance", "losses_are_not_negative"): "update t set value = -1 where metric = 'log_loss'",
    ("marts.model_performance", "interval_holds_value"): "update t set value = high + 0.1 where metric = 'log_loss'",
    (
        "marts.model_performance",
        "no_leak",
    ): "update t set value = 0.99 where metric = 'auc' and candidate_model = 'model'",
    ("marts.model_performance", "scoring_model_beats_a_coin"): (
        "update t set value = 0.4, high = 0.45, n_rows = 200 where metric = 'auc'"
    ),
    ("marts.model_performance", "promise_was_kept"): (
        "update t set basis = 'realised', population = 'all', value = 0.3, n_rows = 2000 where metric = 'ece'"
    ),
    ("marts.model_performance", "scoring_model_is_calibrated"): "update t set value = 0.3 where metric = 'ece'",
    ("marts.retention_kpis", "day_before_as_of"): (
        "update t set kpi_date = as_of_date where kpi_date = date '2017-12-30'"
    ),
    ("marts.retention_kpis", "opening_leads_to_closing"): (
        "update t set n_lost_customers = 6 where kpi_date = date '2017-12-30'"
    ),
    ("marts.retention_kpis", "n_active_customers_at_least_n_retained_customers"): (
        "update t set n_active_customers = 89 where kpi_date = date '2017-11-25'"
    ),
    ("marts.retention_kpis", "open_window_has_no_number"): (
        "update t set n_retained_customers = 0 where kpi_date = date '2017-12-30'"
    ),
    ("marts.retention_kpis_levels", "day_before_as_of"): (
        "update t set kpi_date = as_of_date where kpi_date = date '2017-12-30'"
    ),
    ("marts.retention_kpis_levels", "opening_leads_to_closing"): (
        "update t set n_lost_customers = 6 where kpi_date = date '2017-12-30'"
    ),
    ("marts.retention_kpis_levels", "n_active_customers_at_least_n_retained_customers"): (
        "update t set n_active_customers = 89 where kpi_date = date '2017-11-25'"
    ),
    ("marts.retention_kpis_levels", "retained_or_churned"): (
        "update t set churn_rate = 0.3 where kpi_date = date '2017-11-25'"
    ),
    ("marts.retention_kpis_levels", "open_window_has_no_rate"): (
        "update t set n_retained_customers = 0 where kpi_date = date '2017-12-30'"
    ),
    ("marts.retention_kpis_levels", "first_days_have_no_rate"): (
        "update t set retention_rate = 0.9, churn_rate = 0.1 where kpi_date = date '2017-11-05'"
    ),
    ("marts.retention_kpis_total", "day_before_as_of"): (
        "update t set kpi_date = as_of_date where kpi_date = date '2017-12-30'"
    ),
    ("marts.retention_kpis_total", "opening_leads_to_closing"): (
        "update t set n_lost_customers = 6 where kpi_date = date '2017-12-30'"
    ),
    ("marts.retention_kpis_total", "n_active_customers_at_least_n_retained_customers"): (
        "update t set n_active_customers = 89 where kpi_date = date '2017-11-25'"
    ),
    ("marts.retention_kpis_total", "retained_or_churned"): (
        "update t set churn_rate = 0.3 where kpi_date = date '2017-11-25'"
    ),
    ("marts.retention_kpis_total", "open_window_has_no_rate"): (
        "update t set n_retained_customers = 0 where kpi_date = date '2017-12-30'"
    ),
    ("marts.retention_kpis_total", "first_days_have_no_rate"): (
        "update t set retention_rate = 0.9, churn_rate = 0.1 where kpi_date = date '2017-11-05'"
    ),
    ("marts.retention_kpis_levels", "totals_are_labelled"): (
        "update t set region = 'north' where kpi_date = date '2017-12-30'"
    ),
    ("marts.retention_kpis_total", "opens_where_it_closed"): (
        "update t set n_closing_customers_previous_day = 399 where kpi_date = date '2017-12-30'"
    ),
    ("marts.retention_kpis_total", "days_with_sales_have_customers"): (
        "update t set n_buying_customers = 0 where kpi_date = date '2017-12-30'"
    ),
    ("marts.cohort_retention", "open_month_has_no_share"): "update t set retained_share = 0 where not is_complete",
    ("marts.cohort_retention", "month_not_in_the_future"): (
        "update t set cohort_month = as_of_date where months_since_first = 3"
    ),
    ("marts.cohort_retention", "first_month_is_full"): "update t set n_retained = 4 where months_since_first = 0",
    ("marts.stage_transitions", "month_begun"): "update t set to_month = date '2018-02-01' where to_stage = 'silent'",
    ("marts.campaign_outcomes", "works_only_above_zero"): "update t set effect_low = -0.1 where arm = 'contacted'",
    ("marts.campaign_outcomes", "harms_only_below_zero"): "update t set verdict = 'harms' where arm = 'contacted'",
    ("marts.campaign_outcomes", "no_holdout_no_effect"): "update t set effect_basis = 'none' where arm = 'contacted'",
    ("marts.campaign_outcomes", "open_window_has_no_verdict"): (
        "update t set is_complete = false where arm = 'contacted'"
    ),
    ("marts.campaign_outcomes", "period_before_as_of"): (
        "update t set period_start = as_of_date where arm = 'contacted'"
    ),
    ("marts.tenure_watershed", "leavers_were_at_risk"): "update t set n_left = 200 where tenure_month = 0",
    ("marts.stage_transitions", "money_moved_adds_up"): "update t set net_sales_moved = 10 where to_stage = 'silent'",
    ("marts.movement_alerts", "movement_is_a_number"): "update t set money_moved = 'inf' where customer_id = 'c1'",
    ("marts.movement_alerts", "direction_follows_test"): "update t set test = 'larger' where customer_id = 'c1'",
    ("marts.movement_alerts", "gains_are_opportunities"): "update t set severity = 'high' where customer_id = 'c2'",
    ("marts.movement_alerts", "ended_alerts_say_why"): "update t set closed_because = null where customer_id = 'c3'",
    ("marts.movement_alerts", "ages_follow_dates"): "update t set age_days = 1 where customer_id = 'c0'",
    ("marts.customer_360", "nothing_from_the_future"): (
        "update t set last_contact_on = as_of_date where customer_id = 'c1'"
    ),
    ("marts.customer_360", "scored_if_and_only_if_eligible"): (
        "update t set churn_probability = null where customer_id = 'c1'"
    ),
    ("marts.customer_360", "buyers_have_a_stage"): (
        "update t set lifecycle_stage = 'never_purchased' where customer_id = 'c1'"
    ),
    ("marts.unreachable_customers", "no_more_than_all"): "update t set n_customers = 6 where channel = 'c1'",
    ("marts.customer_360", "who_refuses_profiling_is_in_no_segment"): (
        "update t set rfm_segment = 'recent, rare' where customer_id = 'c5'"
    ),
    ("marts.customer_360", "alert_is_described"): "update t set alert_metric = null where customer_id = 'c1'",
    ("marts.customer_360", "margin_after_service_adds_up"): (
        "update t set cost_to_serve_365d = 1.01 where customer_id = 'c1'"
    ),
    ("marts.partial_churn", "stopped_while_still_coming"): (
        "update t set last_bought_on = date '2017-12-31' where customer_id = 'c1'"
    ),
    ("marts.partial_churn", "stopped_is_no_accident"): "update t set chance = 0.11 where customer_id = 'c1'",
    ("marts.referrals", "nobody_brings_themselves"): (
        "update t set referrer_customer_id = 'c1' where customer_id = 'c1'"
    ),
    ("marts.referrals", "referred_before_the_date"): "update t set referred_on = as_of_date where customer_id = 'c1'",
    ("marts.survey_months", "classes_add_up"): "update t set n_passives = 3 where lifecycle_stage = 's1'",
    ("marts.survey_months", "some_of_all"): "update t set n_trusting = 8 where lifecycle_stage = 's1'",
    ("marts.survey_months", "followed_have_answered"): (
        "update t set n_unsatisfied_followed = 5 where lifecycle_stage = 's1'"
    ),
    ("marts.survey_attributes", "gap_adds_up"): "update t set gap = 0.26 where attribute = 'a1'",
    ("marts.survey_attributes", "placed_if_both_were_asked"): "update t set quadrant = null where attribute = 'a1'",
    ("marts.loyalty_tiers", "at_risk_says_when_and_how_much"): (
        "update t set tier_lost_on = date '2017-12-31' where customer_id = 'c1'"
    ),
    ("marts.loyalty_tiers", "next_tier_is_out_of_reach_today"): (
        "update t set next_tier_missing = -0.01 where customer_id = 'c1'"
    ),
    ("marts.customer_360", "control_group_gets_no_contact"): (
        "update t set is_in_control_group = true where customer_id = 'c2'"
    ),
    ("marts.customer_segments", "scored_all_or_none"): "update t set m_score = null where customer_id = 'c1'",
    ("marts.customer_segments", "every_id_is_a_customer"): (
        "update t set is_outlier_account = true where customer_id = 'c1'"
    ),
    ("marts.customer_segments", "dependent_customers_have_a_share"): (
        "update t set discount_order_share = null where customer_id = 'c3'"
    ),
    ("marts.segment_thresholds", "bounds_are_numbers"): "update t set threshold = 'nan' where boundary = 'b1'",
    ("marts.segment_thresholds", "lifecycle_bounds_are_days"): (
        "update t set threshold = 0 where boundary = 'b1' and segmentation = 'lifecycle'"
    ),
    ("marts.data_quality", "failure_says_why"): "update t set reason = null where table_name = 'marts.t2'",
    ("marts.run_manifest", "rows_add_up"): "update t set rows_accepted = 90",
    ("marts.run_manifest", "started_is_not_future"): "update t set started_at = timestamp '2999-01-01'",
    ("marts.run_manifest", "parameters_are_readable"): "update t set versions = 'python 3.11'",
    ("marts.run_manifest", "run_is_named"): "update t set run_id = 'none'",
    ("marts.run_manifest", "sources_are_named"): "update t set sources = null",
}
