-- On every day each way of breaking the numbers down adds up to the total, rates apart.
with

sums as (

    select
        kpi_date,
        dimension,
        sum(n_customers) as n_customers,
        sum(n_active_customers) as n_active_customers,
        sum(n_retained_customers) as n_retained_customers,
        sum(n_orders) as n_orders,
        sum(net_sales) as net_sales,
        sum(n_contacts) as n_contacts,
        sum(n_complaints) as n_complaints
    from {{ ref('kpi_daily') }}
    group by kpi_date, dimension

)

select
    parts.kpi_date,
    parts.dimension
from sums as parts
inner join sums as totals
    on
        parts.kpi_date = totals.kpi_date
        and totals.dimension = 'total'
where
    parts.n_customers <> totals.n_customers
    or parts.n_active_customers <> totals.n_active_customers
    or parts.n_retained_customers <> totals.n_retained_customers
    or parts.n_orders <> totals.n_orders
    or parts.net_sales <> totals.net_sales
    or coalesce(parts.n_contacts, -1) <> coalesce(totals.n_contacts, -1)
    or coalesce(parts.n_complaints, -1) <> coalesce(totals.n_complaints, -1)
