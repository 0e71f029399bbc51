-- Every day's money and lines in customer_day are those of staging: nothing lost, nothing counted twice,
-- also on days that an incremental run did not touch. What staging held is on record by day (transaction_days).

with

daily as (

    select
        day,
        sum(n_lines) as n_lines,
        sum(net_sales) as net_sales
    from {{ ref('customer_day') }}
    group by day

)

select
    coalesce(staged.day, daily.day) as day,
    staged.n_lines as staged_lines,
    daily.n_lines as daily_lines,
    staged.net_sales as staged_net_sales,
    daily.net_sales as daily_net_sales
from {{ ref('transaction_days') }} as staged
full outer join daily on staged.day = daily.day
where
    coalesce(staged.n_lines, 0) <> coalesce(daily.n_lines, 0)
    or coalesce(staged.net_sales, 0) <> coalesce(daily.net_sales, 0)
