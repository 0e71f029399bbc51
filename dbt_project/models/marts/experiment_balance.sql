{#- Differences of the arms below this share of a standard deviation matter to no effect. -#}
{%- set of_no_matter = 0.1 -%}
{#- Standard errors that chance alone exceeds once in 16,000 times. -#}
{%- set by_chance = 4 -%}
{%- set features = {
    'orders_year': 'orders in the year before',
    'net_sales_year': 'net sales in the year before',
    'days_since_last_order': 'days since the last order',
    'days_since_first_order': 'days since the first order',
} -%}
with follow_up as (

    select * from {{ ref('plan_follow_up') }}
    where
        experiment_arm is not null
        and not is_night_released

),

matured as (

    select * from {{ ref('experiment_episodes') }}

),

customer_day as (

    select * from {{ ref('customer_day') }}
    where
        day < {{ as_of() }}
        and n_orders > 0

),

running as (

    select
        customer_id,
        action_id,
        experiment_arm as arm,
        due_on as started_on,
        row_number() over (
            partition by customer_id, action_id order by due_on asc nulls last, candidate_id asc nulls last
        ) as episode_number
    from follow_up

),

-- Those of closed windows, from which effects are measured, and those of the plan whose window is open.
episodes as (

    select
        customer_id,
        action_id,
        experiment_id,
        arm,
        started_on
    from matured

    union all

    select
        running.customer_id,
        running.action_id,
        'plan' as experiment_id,
        running.arm,
        running.started_on
    from running
    left join matured
        on
            running.customer_id = matured.customer_id
            and running.action_id = matured.action_id
            and matured.experiment_id = 'plan'
    where
        running.episode_number = 1
        and matured.customer_id is null

),

-- As it stood before the first contact, or before the one that was not made.
described as (

    select
        episodes.customer_id,
        episodes.action_id,
        episodes.experiment_id,
        episodes.arm,
        cast(
            coalesce(
                sum(case when customer_day.day >= episodes.started_on - 365 then customer_day.n_orders end), 0
            ) as double
        ) as orders_year,
        cast(
            coalesce(
                sum(case when customer_day.day >= episodes.started_on - 365 then customer_day.net_sales end), 0
            ) as double
        ) as net_sales_year,
        cast({{ dbt.datediff('max(customer_day.day)', 'max(episodes.started_on)', 'day') }} as double)
            as days_since_last_order,
        cast({{ dbt.datediff('min(customer_day.day)', 'max(episodes.started_on)', 'day') }} as double)
            as days_since_first_order
    from episodes
    left join customer_day on episodes.customer_id = customer_day.customer_id and episodes.started_on > customer_day.day
    group by
        episodes.customer_id,
        episodes.action_id,
        episodes.experiment_id,
        episodes.arm

),

measured as (

    {%- for feature in features %}
    select
        action_id,
        experiment_id,
        '{{ feature }}' as feature,
        count(case when arm = 'treated' then {{ feature }} end) as n_treated,
        count(case when arm = 'held_out' then {{ feature }} end) as n_held_out,
        {{ total_of_arm('treated', feature) }} as sum_treated,
        {{ total_of_arm('treated', feature ~ ' * ' ~ feature) }} as squares_treated,
        {{ total_of_arm('held_out', feature) }} as sum_held_out,
        {{ total_of_arm('held_out', feature ~ ' * ' ~ feature) }} as squares_held_out
    from described
    group by
        action_id,
        experiment_id
    {%- if not loop.last %}

    union all
    {%- endif %}
    {% endfor %}
),

moments as (

    select
        *,
        sum_treated / nullif(n_treated, 0) as mean_treated,
        greatest(squares_treated - sum_treated * sum_treated / nullif(n_treated, 0), 0) / nullif(n_treated - 1, 0)
            as variance_treated,
        sum_held_out / nullif(n_held_out, 0) as mean_held_out,
        greatest(squares_held_out - sum_held_out * sum_held_out / nullif(n_held_out, 0), 0) / nullif(n_held_out - 1, 0)
            as variance_held_out
    from measured

),

differences as (

    select
        *,
        case
            when n_treated < 2 or n_held_out < 2 then null
            when mean_treated = mean_held_out then 0
            else (mean_treated - mean_held_out) / nullif(sqrt((variance_treated + variance_held_out) / 2), 0)
        end as standardized_difference,
        {{ by_chance }} * sqrt(
            cast(1 as double) / nullif(n_treated, 0) + cast(1 as double) / nullif(n_held_out, 0)
        ) as largest_by_chance
    from moments

),

final as (

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        action_id,
        experiment_id,
        feature,
        case feature
            {%- for feature, words in features.items() %}
            when '{{ feature }}' then '{{ words }}'
            {%- endfor %}
        end as feature_words,
        n_treated,
        n_held_out,
        mean_treated,
        mean_held_out,
        standardized_difference,
        largest_by_chance,
        coalesce(abs(standardized_difference) <= greatest({{ of_no_matter }}, largest_by_chance), true) as is_balanced
    from differences

)

select {{ contract_columns() }}
from final
