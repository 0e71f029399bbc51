{#- Days before an episode that say what the customer usually buys. -#}
{% set usual_days = 180 -%}

with

contacts as (

    select * from {{ ref('stg_contacts') }}
    where
        sent_on < {{ as_of() }}
        and action_id is not null

),

-- Of nights of an action of which the business reported at least one contact as made: what nobody carried out shows no
-- effect.
past_plans as (

    select * from {{ ref('plan_follow_up') }}
    where
        experiment_arm is not null
        and is_night_carried_out

),

customer_day as (

    select * from {{ ref('customer_day') }}
    where
        day < {{ as_of() }}
        and n_orders > 0

),

first_day as (

    select min(day) as first_day from customer_day

),

nodes as (

    select * from {{ ref('lifecycle_nodes') }}
    where cutoff_date = {{ as_of() }}

),

-- Campaigns of the business that kept somebody back at random. Who was held out once stays in the holdout: arms go by
-- assignment, not by what happened.
own_campaigns as (

    select
        customer_id,
        action_id,
        concat_ws('|', 'campaign', source, coalesce(campaign_id, 'none')) as experiment_id,
        case when bool_or(outcome = 'held_out') then 'held_out' else 'treated' end as arm,
        min(sent_on) as started_on,
        max(
            coalesce(cast(window_ends_on + 1 as date), cast(sent_on + {{ var('measure_outcome_window_days') }} as date))
        ) as window_end
    from contacts
    group by
        customer_id,
        action_id,
        concat_ws('|', 'campaign', source, coalesce(campaign_id, 'none'))

),

randomised as (

    select
        action_id,
        experiment_id
    from own_campaigns
    group by
        action_id,
        experiment_id
    having bool_or(arm = 'held_out') and bool_or(arm = 'treated')

),

-- The plan's own experiments. The arm of a person is the same each time, so the first time alone counts.
own_plans as (

    select
        past_plans.customer_id,
        past_plans.action_id,
        cast('plan' as string) as experiment_id,
        past_plans.experiment_arm as arm,
        past_plans.due_on as started_on,
        past_plans.due_on + {{ var('measure_outcome_window_days') }} as window_end,
        row_number() over (
            partition by past_plans.customer_id, past_plans.action_id order by past_plans.as_of_date asc nulls last
        ) as episode_number
    from past_plans

),

episodes as (

    select
        own_campaigns.customer_id,
        own_campaigns.action_id,
        own_campaigns.experiment_id,
        own_campaigns.arm,
        own_campaigns.started_on,
        own_campaigns.window_end
    from own_campaigns
    inner join randomised
        on
            own_campaigns.action_id = randomised.action_id
            and own_campaigns.experiment_id = randomised.experiment_id

    union all

    select
        customer_id,
        action_id,
        experiment_id,
        arm,
        started_on,
        window_end
    from own_plans
    where episode_number = 1

),

-- Closed windows that the purchases on record cover from their first day.
matured as (

    select episodes.*
    from episodes
    cross join first_day
    where
        episodes.window_end <= {{ as_of() }}
        and episodes.started_on >= first_day.first_day

),

judged as (

    select
        matured.customer_id,
        matured.action_id,
        matured.experiment_id,
        matured.arm,
        matured.started_on,
        matured.window_end,
        sum(case when customer_day.day < matured.started_on then customer_day.n_orders end) as n_orders_before,
        sum(
            case
                when customer_day.day < matured.started_on and customer_day.day >= matured.started_on - {{ usual_days }}
                    then customer_day.n_orders
            end
        ) as n_orders_usual,
        sum(
            case
                when customer_day.day >= matured.started_on and customer_day.day < matured.window_end
                    then customer_day.n_orders
            end
        ) as n_orders,
        max(case when customer_day.day < matured.started_on then customer_day.day end) as last_order_on,
        count(*) filter (
            where customer_day.day >= matured.started_on and customer_day.day < matured.window_end
        ) as n_days_with_orders,
        sum(
            case
                when customer_day.day >= matured.started_on and customer_day.day < matured.window_end
                    then customer_day.net_sales
            end
        ) as net_sales
    from matured
    left join customer_day on matured.customer_id = customer_day.customer_id
    group by
        matured.customer_id,
        matured.action_id,
        matured.experiment_id,
        matured.arm,
        matured.started_on,
        matured.window_end

),

silences as (

    select
        *,
        {{ dbt.datediff('last_order_on', 'started_on', 'day') }} as silence_days
    from judged

),

counted as (

    select
        silences.customer_id,
        silences.action_id,
        silences.experiment_id,
        silences.arm,
        silences.started_on,
        silences.window_end,
        {{ lifecycle_stage('silences.n_orders_before', 'silences.silence_days', 'nodes') }} as lifecycle_stage,
        silences.n_days_with_orders > 0 as has_purchased,
        cast(coalesce(silences.net_sales, 0) as double) as net_sales,
        cast(coalesce(silences.n_orders, 0) as double) as n_orders,
        cast(coalesce(silences.n_orders_usual, 0) as double)
        * {{ dbt.datediff('silences.started_on', 'silences.window_end', 'day') }}
        / cast({{ usual_days }} as double) as usual_orders
    from silences
    left join nodes on true

),

-- How many of its usual purchases a stage makes in a window when nobody is contacted, all experiments together.
usual as (

    select
        lifecycle_stage,
        {{ ratio(exact_sum('n_orders'), exact_sum('usual_orders')) }} as share_of_usual
    from counted
    where arm = 'held_out'
    group by lifecycle_stage

),

final as (

    select
        counted.*,
        usual.share_of_usual * counted.usual_orders as expected_orders
    from counted
    left join usual on counted.lifecycle_stage = usual.lifecycle_stage

)

select {{ contract_columns() }}
from final
