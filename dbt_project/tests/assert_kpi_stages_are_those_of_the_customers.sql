-- The evening before the as-of date is the as-of date's morning: stages of the KPIs and of customers must agree.
with

evening as (

    select
        lifecycle_stage,
        n_customers
    from {{ ref('kpi_daily') }}
    where
        dimension = 'lifecycle_stage'
        and kpi_date = {{ as_of() }} - 1
        and n_customers > 0

),

morning as (

    select
        lifecycle_stage,
        count(*) as n_customers
    from {{ ref('customer_lifecycle') }}
    where lifecycle_stage <> 'never_purchased'
    group by lifecycle_stage

)

select
    coalesce(evening.lifecycle_stage, morning.lifecycle_stage) as lifecycle_stage,
    evening.n_customers as n_in_kpis,
    morning.n_customers as n_in_segments
from evening
full join morning on evening.lifecycle_stage = morning.lifecycle_stage
where coalesce(evening.n_customers, 0) <> coalesce(morning.n_customers, 0)
