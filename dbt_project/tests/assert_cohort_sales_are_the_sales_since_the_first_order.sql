-- Every cent since a customer's first order is in exactly one cohort month.
with

first_orders as (

    select
        customer_id,
        min(day) as first_order_on
    from {{ ref('customer_day') }}
    where
        n_orders > 0
        and day < {{ as_of() }}
    group by customer_id

),

since_first as (

    select
        count(distinct customer_day.customer_id) as n_customers,
        coalesce(sum(customer_day.net_sales), 0) as net_sales
    from {{ ref('customer_day') }} as customer_day
    inner join first_orders
        on
            customer_day.customer_id = first_orders.customer_id
            and customer_day.day >= first_orders.first_order_on
    where customer_day.day < {{ as_of() }}

),

cohorts as (

    select
        coalesce(sum(n_customers) filter (where months_since_first = 0), 0) as n_customers,
        coalesce(sum(net_sales), 0) as net_sales
    from {{ ref('cohort_months') }}

)

select
    cohorts.net_sales as cohort_net_sales,
    since_first.net_sales as day_net_sales
from cohorts
cross join since_first
where
    cohorts.net_sales <> since_first.net_sales
    or cohorts.n_customers <> since_first.n_customers
