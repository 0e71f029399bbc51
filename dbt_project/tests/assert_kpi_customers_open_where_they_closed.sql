-- The customers of a morning are those of the evening before: in total and by region to the head, and in every other
-- group with those who moved in or out of it. Opening, new, won back, lost and closing are rules of every row.
with

levels as (

    select
        *,
        lag(n_closing_customers) over (
            partition by level, region, value_class, lifecycle_stage, channel order by kpi_date asc nulls last
        ) as n_closing_before
    from {{ ref('kpi_levels') }}
    where lifecycle_stage <> 'never_purchased'

)

select
    kpi_date,
    level,
    region,
    value_class,
    lifecycle_stage,
    channel
from levels
where
    n_closing_before + n_moved_customers <> n_opening_customers
    or (level in ('total', 'region') and n_moved_customers <> 0)
