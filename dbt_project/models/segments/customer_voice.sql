-- What each customer said last, question by question.
with

ranked as (

    select
        *,
        row_number() over (
            partition by customer_id, question order by answered_at desc nulls last, answer desc nulls last
        ) as newest
    from {{ ref('stg_surveys') }}
    where
        attribute is null
        and answered_on < {{ as_of() }}
        and answered_on >= {{ as_of() }} - {{ var('value_window_days') }}

),

said as (

    select
        customer_id,
        max(answered_on) as answered_on,
        max(answer) filter (where question = 'recommendation') as recommendation,
        max(answered_on) filter (where question = 'recommendation') as recommended_on,
        max(answer) filter (where question = 'repurchase_intention') as repurchase_intention,
        max(answer) filter (where question = 'trust') as trust,
        max(answer) filter (where question = 'satisfaction') as satisfaction
    from ranked
    where newest = 1
    group by customer_id

),

final as (

    select
        {{ as_of() }} as as_of_date,
        customer_id,
        answered_on,
        recommended_on,
        cast(recommendation as double) as recommendation,
        cast({{ nps_class('recommendation') }} as string) as nps_class,
        cast(repurchase_intention as double) as repurchase_intention,
        cast(trust as double) as trust,
        cast(satisfaction as double) as satisfaction,
        {{ says_yes('satisfaction') }} as is_satisfied,
        coalesce({{ says_yes('repurchase_intention') }}, recommendation >= 9) as says_loyal
    from said

)

select * from final
