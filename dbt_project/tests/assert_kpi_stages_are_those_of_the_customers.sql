-- The evening before the as-of date is the as-of date's morning: stages, value classes and expected margins of the KPIs
-- are those that customers have in their own tables, after a long closure (ingest.business_days) as well. Left out
-- there, refuses profiling: the KPIs count them under value class unknown, and in the stages without saying who.
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

),

left_out as (

    select count(*) as n_customers
    from {{ ref('customer_features') }}
    where
        not ({{ is_profiled() }})
        and n_orders > 0

),

compared as (

    select
        coalesce(evening.level, morning.level) as level,
        coalesce(evening.label, morning.label) as label,
        coalesce(evening.n_customers, 0) as n_in_kpis,
        coalesce(morning.n_customers, 0) as n_in_segments,
        sum(coalesce(evening.n_customers, 0) - coalesce(morning.n_customers, 0)) over (
            partition by coalesce(evening.level, morning.level)
        ) as n_more_of_level,
        coalesce(cast(evening.expected_margin_year as double), 0) - coalesce(morning.expected_margin_year, 0)
            as margin_more
    from evening
    full join morning
        on
            evening.level = morning.level
            and evening.label = morning.label

)

select
    compared.level,
    compared.label,
    compared.n_in_kpis,
    compared.n_in_segments,
    left_out.n_customers as n_left_out
from compared
cross join left_out
where
    compared.n_more_of_level <> left_out.n_customers
    or compared.n_in_kpis < compared.n_in_segments
    or (
        compared.level = 'value_class'
        and compared.n_in_kpis - compared.n_in_segments
        <> case when compared.label = 'unknown' then left_out.n_customers else 0 end
    )
    -- A cent a customer: each cell is rounded once.
    or abs(compared.margin_more) > 0.01 * compared.n_in_segments
