-- What was said in a month, and what was done after it, by what the customers are now.
with

answers as (

    select
        customer_id,
        question,
        answer,
        answered_at,
        answered_on,
        cast(date_trunc('month', answered_on) as date) as month
    from {{ ref('stg_surveys') }}
    where
        attribute is null
        and answered_on < {{ as_of() }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by customer_id, month, question order by answered_at desc nulls last, answer desc nulls last
        ) as newest
    from answers

),

said as (

    select
        customer_id,
        month,
        max(answered_on) as answered_on,
        max(answer) filter (where question = 'recommendation') as recommendation,
        max(answer) filter (where question = 'repurchase_intention') as repurchase_intention,
        max(answer) filter (where question = 'trust') as trust,
        max(answer) filter (where question = 'satisfaction') as satisfaction
    from ranked
    where newest = 1
    group by customer_id, month

),

orders as (

    select
        customer_id,
        day
    from {{ ref('customer_day') }}
    where
        n_orders > 0
        and day < {{ as_of() }}

),

came_back as (

    select distinct
        said.customer_id,
        said.month
    from said
    inner join orders
        on
            said.customer_id = orders.customer_id
            and said.answered_on < orders.day
            and said.answered_on + {{ var('churn_horizon_days') }} >= orders.day

),

beside as (

    select
        said.month,
        coalesce(stages.lifecycle_stage, 'unknown') as lifecycle_stage,
        {{ nps_class('said.recommendation') }} as nps_class,
        {{ says_yes('said.repurchase_intention') }} as is_intending,
        {{ says_yes('said.trust') }} as is_trusting,
        {{ says_yes('said.satisfaction') }} as is_satisfied,
        said.answered_on + {{ var('churn_horizon_days') }} < {{ as_of() }} as is_matured,
        came_back.customer_id is null as stayed_away
    from said
    left join {{ ref('customer_lifecycle') }} as stages on said.customer_id = stages.customer_id
    left join came_back
        on
            said.customer_id = came_back.customer_id
            and said.month = came_back.month

),

counted as (

    select
        month,
        lifecycle_stage,
        count(*) as n_customers,
        count(nps_class) as n_recommendation,
        count(*) filter (where nps_class = 'promoter') as n_promoters,
        count(*) filter (where nps_class = 'passive') as n_passives,
        count(*) filter (where nps_class = 'detractor') as n_detractors,
        count(is_intending) as n_intention,
        count(*) filter (where is_intending) as n_intending,
        count(is_trusting) as n_trust,
        count(*) filter (where is_trusting) as n_trusting,
        count(is_satisfied) as n_satisfaction,
        count(*) filter (where is_satisfied) as n_satisfied,
        count(*) filter (where is_matured and is_satisfied) as n_satisfied_followed,
        count(*) filter (where is_matured and is_satisfied and stayed_away) as n_satisfied_stayed_away,
        count(*) filter (where is_matured and not is_satisfied) as n_unsatisfied_followed,
        count(*) filter (where is_matured and not is_satisfied and stayed_away) as n_unsatisfied_stayed_away,
        count(*) filter (where is_matured and is_intending) as n_intending_followed,
        count(*) filter (where is_matured and is_intending and stayed_away) as n_intending_stayed_away
    from beside
    group by month, lifecycle_stage

),

final as (

    select
        {{ as_of() }} as as_of_date,
        month,
        cast(lifecycle_stage as string) as lifecycle_stage,
        n_customers,
        n_recommendation,
        n_promoters,
        n_passives,
        n_detractors,
        cast(100 * (n_promoters - n_detractors) as double) / nullif(n_recommendation, 0) as net_promoter_score,
        n_intention,
        n_intending,
        n_trust,
        n_trusting,
        n_satisfaction,
        n_satisfied,
        n_satisfied_followed,
        n_satisfied_stayed_away,
        n_unsatisfied_followed,
        n_unsatisfied_stayed_away,
        n_intending_followed,
        n_intending_stayed_away,
        last_day(month) < {{ as_of() }} as is_complete
    from counted

)

select * from final
