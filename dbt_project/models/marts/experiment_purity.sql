{%- set window_days = var('measure_outcome_window_days') -%}
with follow_up as (

    select * from {{ ref('plan_follow_up') }}

),

tonight as (

    select * from {{ source('actions', 'contact_plan') }}

),

control_group as (

    select
        customer_id,
        min(valid_from) as entered_on
    from {{ source('ledgers', 'holdout_ledger') }}
    where
        valid_to is null
        and salt = {{ text_var('actions_holdout_salt') }}
    group by customer_id

),

actions as (

    select * from {{ ref('playbook_actions') }}

),

-- What the business sends of its own accord reaches both arms alike; it makes differences smaller, not wrong.
own_contacts as (

    select
        customer_id,
        coalesce(action_id, 'unknown') as action_id,
        sent_on
    from {{ ref('stg_contacts') }}
    where
        sent_on < {{ as_of() }}
        and coalesce(outcome, 'sent') <> 'held_out'
        and contact_id not in (
            select planned.contact_id from {{ ref('plan_follow_up') }} as planned
            where planned.contact_id is not null
        )

),

-- Persons whose outcome window is open tonight, from the first night on that assigned them.
experiments as (

    select
        customer_id,
        action_id,
        min(experiment_arm) as arm,
        min(as_of_date) as entered_on
    from (
        select
            customer_id,
            action_id,
            experiment_arm,
            as_of_date
        from follow_up
        where
            experiment_arm is not null
            and not is_night_released
            and as_of_date > {{ as_of() }} - {{ window_days }}

        union all

        select
            customer_id,
            action_id,
            experiment_arm,
            as_of_date
        from tonight
        where
            experiment_arm is not null
            and decision <> 'not_contacted'
    ) as assigned
    group by
        customer_id,
        action_id

),

-- Every paying contact that is planned and not released, in whatever action; for the control group, every one that is
-- no answer to a complaint.
planned as (

    select
        contacts.customer_id,
        contacts.action_id,
        contacts.as_of_date,
        coalesce(actions.needs_profit, true) as needs_profit,
        coalesce(actions.purpose, 'marketing') as purpose
    from (
        select
            customer_id,
            action_id,
            as_of_date
        from follow_up
        where
            decision = 'contact'
            and not is_released

        union all

        select
            customer_id,
            action_id,
            as_of_date
        from tonight
        where decision = 'contact'
    ) as contacts
    left join actions on contacts.action_id = actions.action_id

),

persons as (

    select
        experiments.action_id,
        experiments.arm,
        exists(
            select 1 from planned
            where
                planned.customer_id = experiments.customer_id
                and planned.action_id <> experiments.action_id
                and planned.needs_profit
                and planned.as_of_date >= experiments.entered_on
        ) as is_contaminated,
        exists(
            select 1 from own_contacts
            where
                own_contacts.customer_id = experiments.customer_id
                and own_contacts.action_id <> experiments.action_id
                and own_contacts.sent_on >= experiments.entered_on
        ) as is_reached_by_business
    from experiments

    union all

    select
        'control_group' as action_id,
        'held_out' as arm,
        exists(
            select 1 from planned
            where
                planned.customer_id = control_group.customer_id
                and planned.purpose <> 'service'
                and planned.as_of_date >= control_group.entered_on
        ) as is_contaminated,
        exists(
            select 1 from own_contacts
            where
                own_contacts.customer_id = control_group.customer_id
                and own_contacts.sent_on >= control_group.entered_on
        ) as is_reached_by_business
    from control_group

),

final as (

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        action_id,
        count(*) filter (where arm = 'treated') as n_treated,
        count(*) filter (where arm = 'held_out') as n_held_out,
        count(*) filter (where is_contaminated and arm = 'treated') as n_contaminated_treated,
        count(*) filter (where is_contaminated and arm = 'held_out') as n_contaminated_held_out,
        count(*) filter (where is_contaminated) as n_contaminated,
        count(*) filter (where is_reached_by_business) as n_reached_by_business
    from persons
    group by action_id

)

select {{ contract_columns() }}
from final
