-- The evening before the as-of date is the as-of date's morning: stages, value classes and expected margins of the KPIs
-- are those that customers have in their own tables, after a long closure (ingest.business_days) as well.
with

evening as (

    select
        level,
        case when level = 'lifecycle_stage' then lifecycle_stage else value_class end as label,
        n_customers,
        expected_margin_year
    from {{ ref('kpi_levels') }}
    where
        level in ('lifecycle_stage', 'value_class')
        and kpi_date = {{ as_of() }} - 1
        and n_customers > 0

),

customers as (

    select
        customer_lifecycle.customer_id,
        customer_lifecycle.lifecycle_stage,
        customer_value.value_class,
        scores.expected_margin_year
    from {{ ref('customer_lifecycle') }} as customer_lifecycle
    inner join {{ ref('customer_value') }} as customer_value
        on customer_lifecycle.customer_id = customer_value.customer_id
    left join {{ source('score', 'expected_value') }} as scores on customer_lifecycle.customer_id = scores.customer_id
    where customer_lifecycle.lifecycle_stage <> 'never_purchased'

),

morning as (

    select
        'lifecycle_stage' as level,
        lifecycle_stage as label,
        count(*) as n_customers,
        {{ exact_sum('expected_margin_year') }} as expected_margin_year
    from customers
    group by lifecycle_stage

    union all

    select
        'value_class' as level,
        value_class as label,
        count(*) as n_customers,
        {{ exact_sum('expected_margin_year') }} as expected_margin_year
    from customers
    group by value_class

)

select
    coalesce(evening.level, morning.level) as level,
    coalesce(evening.label, morning.label) as label,
    evening.n_customers as n_in_kpis,
    morning.n_customers as n_in_segments
from evening
full join morning
    on
        evening.level = morning.level
        and evening.label = morning.label
where
    coalesce(evening.n_customers, 0) <> coalesce(morning.n_customers, 0)
    -- A cent a customer: each cell is rounded once.
    or abs(coalesce(cast(evening.expected_margin_year as double), 0) - coalesce(morning.expected_margin_year, 0))
    > 0.01 * coalesce(morning.n_customers, 0)
