-- Money and orders of the KPIs are those of customer_day, day by day: nothing lost, nothing counted twice. Each row is
-- rounded to the cent once, so amounts with more digits may differ by half a cent a row.
with

totals as (

    select
        kpi_date,
        count(*) as n_rows,
        sum(n_orders) as n_orders,
        sum(net_sales) as net_sales,
        sum(n_buying_customers) as n_buying_customers
    from {{ ref('kpi_daily') }}
    group by kpi_date

),

days as (

    select
        day,
        sum(n_orders) as n_orders,
        sum(net_sales) as net_sales,
        count(*) filter (where n_orders > 0) as n_buying_customers
    from {{ ref('customer_day') }}
    where
        day < {{ as_of() }}
        and day >= {{ as_of() }} - 400
    group by day

)

select
    coalesce(totals.kpi_date, days.day) as kpi_date,
    totals.net_sales as kpi_net_sales,
    days.net_sales as day_net_sales
from totals
full join days on totals.kpi_date = days.day
where
    coalesce(totals.n_orders, 0) <> coalesce(days.n_orders, 0)
    or abs(coalesce(totals.net_sales, 0) - coalesce(days.net_sales, 0)) > 0.005 * coalesce(totals.n_rows, 0)
    or coalesce(totals.n_buying_customers, 0) <> coalesce(days.n_buying_customers, 0)
