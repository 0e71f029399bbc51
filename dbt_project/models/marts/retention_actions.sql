with plan as (

    select * from {{ source('actions', 'contact_plan') }}

),

playbook_actions as (

    select * from {{ ref('playbook_actions') }}

),

final as (

    select
        cast(plan.as_of_date as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(plan.candidate_id as string) as candidate_id,
        cast(plan.customer_id as string) as customer_id,
        cast(plan.action_id as string) as action_id,
        cast(playbook_actions.label_en as string) as action_label_en,
        cast(playbook_actions.label_zh as string) as action_label_zh,
        cast(playbook_actions.script as string) as script,
        cast(plan.calendar_id as string) as calendar_id,
        cast(plan.trigger_reason as string) as trigger_reason,
        cast(plan.lifecycle_stage as string) as lifecycle_stage,
        cast(plan.value_class as string) as value_class,
        cast(plan.channel as string) as channel,
        cast(plan.decision as string) as decision,
        cast(plan.reason_not_contacted as string) as reason_not_contacted,
        cast(plan.plan_rank as bigint) as plan_rank,
        cast(plan.expected_incremental_profit as double) as expected_incremental_profit,
        cast(plan.uplift as double) as uplift,
        cast(plan.uplift_basis as string) as uplift_basis,
        cast(plan.margin_at_stake as double) as margin_at_stake,
        cast(plan.contact_cost as double) as contact_cost,
        cast(plan.offer_cost as double) as offer_cost,
        cast(plan.redeem_probability as double) as redeem_probability,
        cast(plan.consent_basis as string) as consent_basis,
        cast(plan.channel_basis as string) as channel_basis,
        cast(plan.holdout_kind as string) as holdout_kind,
        cast(plan.value_at_risk as double) as value_at_risk,
        cast(plan.churn_probability as double) as churn_probability,
        cast(plan.purpose as string) as purpose,
        cast(plan.needs_profit as boolean) as needs_profit
    from plan
    left join playbook_actions on plan.action_id = playbook_actions.action_id

)

select * from final
