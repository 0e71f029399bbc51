-- Whoever is contacted or held out tonight has a score with reasons: nobody calls a customer without knowing why.
with

plan as (

    select distinct customer_id from {{ ref('retention_actions') }}
    where decision in ('contact', 'holdout')

),

scores as (

    select * from {{ ref('churn_scores') }}

)

select scores.customer_id
from scores
inner join plan on scores.customer_id = plan.customer_id
where
    scores.is_eligible
    and (not scores.is_explained or scores.reason_1 is null or scores.reason_1_zh is null)
