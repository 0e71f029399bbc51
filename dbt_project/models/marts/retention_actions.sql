with plan as (

    select * from {{ source('actions', 'contact_plan') }}

),

playbook_actions as (

    select * from {{ ref('playbook_actions') }}

),

scripts as (

    select * from {{ ref('playbook_scripts') }}
    where business = '{{ var("business") }}'

),

permissions as (

    select * from {{ ref('permissions') }}

),

business as (

    select {{ currency() }} as currency

),

final as (

    select
        plan.as_of_date,
        {{ run_id() }} as run_id,
        business.currency,
        plan.candidate_id,
        plan.customer_id,
        plan.action_id,
        playbook_actions.label_en as action_label_en,
        playbook_actions.label_zh as action_label_zh,
        coalesce(scripts.script, playbook_actions.script) as script,
        plan.calendar_id,
        {{ in_currency('plan.trigger_reason') }} as trigger_reason,
        plan.lifecycle_stage,
        plan.value_class,
        plan.channel,
        plan.owner,
        plan.decision,
        plan.reason_code,
        {{ in_currency('plan.reason_not_contacted') }} as reason_not_contacted,
        {{ in_currency('plan.reason_not_contacted_zh') }} as reason_not_contacted_zh,
        plan.plan_rank,
        plan.due_on,
        plan.expected_incremental_profit,
        plan.profit_low as expected_profit_low,
        plan.profit_high as expected_profit_high,
        plan.uplift,
        plan.uplift_low,
        plan.uplift_high,
        plan.uplift_basis,
        plan.margin_at_stake,
        plan.margin_year,
        plan.persistence,
        plan.contact_cost,
        plan.offer_cost,
        plan.redeem_probability,
        plan.consent_basis,
        plan.channel_basis,
        plan.holdout_kind,
        plan.experiment_arm,
        plan.value_at_risk,
        plan.churn_probability,
        plan.purpose,
        plan.needs_profit,
        permissions.consented_at,
        permissions.consent_valid_to,
        permissions.lawful_basis
    from plan
    left join playbook_actions on plan.action_id = playbook_actions.action_id
    left join scripts on plan.action_id = scripts.action_id
    left join permissions
        on
            plan.customer_id = permissions.customer_id
            and plan.channel = permissions.channel
            and plan.purpose = permissions.purpose
    cross join business

)

select {{ contract_columns(doubles=[
    'expected_incremental_profit', 'expected_profit_low', 'expected_profit_high', 'margin_at_stake', 'margin_year',
    'contact_cost', 'offer_cost', 'value_at_risk',
]) }}
from final
