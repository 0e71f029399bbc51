{#- Days back that complaints and scores count, days that a complaint may take, days in which a question is recent. -#}
{% set window = 180 -%}
{% set slow_days = 7 -%}
{% set asked_days = 30 -%}

-- Most people leave without a word, so every word counts: complaints that stay open, come again or take long, scores
-- that are low or have fallen, no recommendation, and a question after which nothing was bought for longer than usual.

with

customers as (

    select
        customer_id,
        last_order_on,
        -- What somebody says is heard, how they buy is not looked at where they refuse profiling.
        case when {{ is_profiled() }} then recency_over_gap_median end as recency_over_gap_median
    from {{ ref('customer_features') }}

),

interactions as (

    select
        customer_id,
        kind,
        occurred_on,
        occurred_at,
        score,
        case when resolved_at < {{ as_of() }} then cast(resolved_at as date) end as resolved_on
    from {{ ref('stg_interactions') }}
    where occurred_on < {{ as_of() }}

),

voices as (

    select * from {{ ref('customer_voice') }}

),

known as (

    select count(*) > 0 or (select count(*) > 0 from voices) as has_interactions
    from interactions

),

complaints as (

    select
        customer_id,
        count(*) as n_complaints,
        count(*) filter (where resolved_on is null) as n_open,
        max({{ dbt.datediff('occurred_on', 'coalesce(resolved_on, ' ~ as_of() ~ ')', 'day') }}) as most_days
    from interactions
    where
        kind = 'complaint'
        and occurred_on >= {{ as_of() }} - {{ window }}
    group by customer_id

),

-- Whatever the scale of the business is: the lowest quarter of all scores is low, a quarter of their range is a fall.
scores as (

    select
        customer_id,
        occurred_on,
        score,
        cast(count(*) over (
            order by score asc nulls last range between unbounded preceding and current row
        ) as double) / nullif(count(*) over (), 0) as share_up_to_here,
        max(score) over () - min(score) over () as score_range,
        lag(score) over (
            partition by customer_id order by occurred_at asc nulls last, score asc nulls last
        ) as score_before,
        row_number() over (
            partition by customer_id order by occurred_at desc nulls last, score desc nulls last
        ) as newest
    from interactions
    where
        kind = 'survey'
        and score is not null
        and occurred_on >= {{ as_of() }} - {{ var('value_window_days') }}

),

last_scores as (

    select * from scores
    where newest = 1

),

questions as (

    select
        customer_id,
        max(occurred_on) as asked_on
    from interactions
    where
        kind = 'inquiry'
        and occurred_on >= {{ as_of() }} - {{ asked_days }}
    group by customer_id

),

signs as (

    select
        customers.customer_id,
        known.has_interactions,
        coalesce(complaints.n_open, 0) > 0 as has_open_complaint,
        coalesce(complaints.n_complaints, 0) >= 2 as has_repeated_complaints,
        coalesce(complaints.most_days, 0) > {{ slow_days }} as had_slow_answer,
        coalesce(
            last_scores.occurred_on >= {{ as_of() }} - {{ window }}
            and last_scores.score_range > 0
            and last_scores.share_up_to_here <= 0.25, false
        ) as has_low_score,
        coalesce(
            last_scores.occurred_on >= {{ as_of() }} - {{ window }}
            and last_scores.score_range > 0
            and last_scores.score_before - last_scores.score >= last_scores.score_range / 4, false
        ) as has_fallen_score,
        coalesce(
            questions.asked_on > customers.last_order_on and customers.recency_over_gap_median > 1, false
        ) as asked_and_stayed_away,
        coalesce(
            voices.nps_class = 'detractor'
            and voices.recommended_on >= {{ as_of() }} - {{ window }}, false
        ) as is_detractor,
        last_scores.score as last_survey_score,
        last_scores.occurred_on as last_survey_on,
        coalesce(last_scores.share_up_to_here > 0.5, voices.is_satisfied) as is_satisfied
    from customers
    cross join known
    left join complaints on customers.customer_id = complaints.customer_id
    left join last_scores on customers.customer_id = last_scores.customer_id
    left join voices on customers.customer_id = voices.customer_id
    left join questions on customers.customer_id = questions.customer_id

),

final as (

    select
        {{ as_of() }} as as_of_date,
        customer_id,
        case
            when has_interactions
                then
                    has_open_complaint or has_repeated_complaints or had_slow_answer or has_low_score
                    or has_fallen_score or asked_and_stayed_away or is_detractor
        end as is_dissatisfied,
        nullif(concat_ws(
            '; ',
            case when has_open_complaint then 'complaint still open' end,
            case when has_repeated_complaints then 'complained again' end,
            case when had_slow_answer then 'waited more than {{ slow_days }} days for an answer' end,
            case when has_low_score then 'low survey score' end,
            case when has_fallen_score then 'survey score has fallen' end,
            case when asked_and_stayed_away then 'asked something and has stayed away since' end,
            case when is_detractor then 'would not recommend us' end
        ), '') as dissatisfaction_reasons,
        nullif(concat_ws(
            '；',
            case when has_open_complaint then '投诉尚未解决' end,
            case when has_repeated_complaints then '重复投诉' end,
            case when had_slow_answer then '投诉处理超过 {{ slow_days }} 天' end,
            case when has_low_score then '调查评分低' end,
            case when has_fallen_score then '调查评分下降' end,
            case when asked_and_stayed_away then '咨询后未再出现' end,
            case when is_detractor then '不愿推荐我们' end
        ), '') as dissatisfaction_reasons_zh,
        last_survey_score,
        last_survey_on,
        is_satisfied
    from signs

)

select * from final
