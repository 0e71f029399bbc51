-- Every day's money and lines in customer_day are those of staging: nothing lost, nothing counted twice,
-- also on days that an incremental run did not touch.

with

staged as (

    select
        occurred_on as day,
        count(*) as n_lines,
        sum(net_amount) as net_sales
    from {{ ref('stg_transactions') }}
    group by occurred_on

),

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
from staged
full outer join daily on staged.day = daily.day
where
    coalesce(staged.n_lines, 0) <> coalesce(daily.n_lines, 0)
    or coalesce(staged.net_sales, 0) <> coalesce(daily.net_sales, 0)
