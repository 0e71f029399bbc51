{% set n_windows = 6 -%}
{% set window_days = 30 -%}
{% set min_windows = 4 -%}
{% set high_up_to = 0.5 -%}
{% set medium_up_to = 0.8 -%}

with

customers as (

    select
        customer_id,
        first_order_on,
        average_order_value
    from {{ ref('customer_features') }}
    where n_orders > 0

),

-- Window 0 is the last {{ window_days }} days before the as-of date, 1 the ones before it, and so on.
windows as (

    {%- for window in range(n_windows + 1) %}
    select
        {{ window }} as window_number,
        {{ as_of() }} - {{ window_days * (window + 1) }} as first_day,
        {{ as_of() }} - {{ window_days * window }} as next_day
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

days as (

    select
        customer_day.customer_id,
        windows.window_number,
        sum(customer_day.n_orders) as n_orders,
        sum(customer_day.net_sales) as net_sales
    from {{ ref('customer_day') }} as customer_day
    inner join windows
        on customer_day.day >= windows.first_day and customer_day.day < windows.next_day
    group by
        customer_day.customer_id,
        windows.window_number

),

-- Only windows that the customer spent wholly as a customer; the days before the first order are no quiet days.
customer_windows as (

    select
        customers.customer_id,
        windows.window_number,
        coalesce(days.n_orders, 0) as n_orders,
        coalesce(days.net_sales, 0) as net_sales
    from customers
    inner join windows on customers.first_order_on <= windows.first_day
    left join days
        on customers.customer_id = days.customer_id and windows.window_number = days.window_number

),

measures as (

    select
        customer_id,
        window_number,
        'n_orders' as metric,
        cast(n_orders as double) as value,
        cast(n_orders as decimal(28, 4)) as exact_value
    from customer_windows

    union all

    select
        customer_id,
        window_number,
        'net_sales' as metric,
        cast(net_sales as double) as value,
        cast(net_sales as decimal(28, 4)) as exact_value
    from customer_windows

),

baselines as (

    select
        customer_id,
        metric,
        count(*) as n_windows,
        percentile_cont(0.5) within group (order by value asc nulls last) as usual_value,
        sum(exact_value) as baseline_sum
    from measures
    where window_number > 0
    group by
        customer_id,
        metric
    having count(*) >= {{ min_windows }}

),

deviations as (

    select
        measures.customer_id,
        measures.metric,
        percentile_cont(0.5) within group (
            order by abs(measures.value - baselines.usual_value) asc nulls last
        ) as mad
    from measures
    inner join baselines
        on measures.customer_id = baselines.customer_id and measures.metric = baselines.metric
    where measures.window_number > 0
    group by
        measures.customer_id,
        measures.metric

),

-- What one order weighs in the metric: itself, or the customer's average order in money.
compared as (

    select
        measures.customer_id,
        measures.metric,
        measures.value as recent_value,
        measures.exact_value as recent_exact,
        baselines.usual_value,
        baselines.n_windows,
        {{ as_decimal('cast(baselines.baseline_sum as double) / nullif(baselines.n_windows, 0)', 28, 4) }}
            as baseline_mean,
        deviations.mad,
        case measures.metric when 'n_orders' then cast(1 as double) else customers.average_order_value end
            as order_unit,
        customers.average_order_value
    from measures
    inner join baselines
        on measures.customer_id = baselines.customer_id and measures.metric = baselines.metric
    inner join deviations
        on measures.customer_id = deviations.customer_id and measures.metric = deviations.metric
    inner join customers on measures.customer_id = customers.customer_id
    where measures.window_number = 0

),

-- The same change over everybody else who has a baseline: a season moves all, an alert moves one. The customer is
-- left out, so that nobody large can be their own season.
peers as (

    select
        *,
        cast((sum(recent_exact) over by_metric) - recent_exact as double)
        / nullif(cast((sum(baseline_mean) over by_metric) - baseline_mean as double), 0) as peer_change_ratio
    from compared
    window by_metric as (partition by metric)

),

-- What would be usual if the customer had gone with the others.
expected as (

    select
        *,
        usual_value * coalesce(greatest(peer_change_ratio, cast(0 as double)), 1) as expected_value
    from peers

),

-- Six windows may agree by luck. Orders that come at random vary by the root of their number (Poisson), of which
-- 0.6745 is the median deviation; nobody is taken to be steadier than that, nor than half an order.
spread as (

    select
        *,
        greatest(
            mad,
            order_unit * greatest(
                cast(0.5 as double),
                0.6745 * sqrt(greatest(usual_value, expected_value, cast(0 as double)) / nullif(order_unit, 0))
            )
        ) as usual_spread
    from expected

),

alerts as (

    select
        spread.customer_id,
        spread.metric,
        spread.recent_value,
        spread.usual_value,
        spread.expected_value,
        spread.n_windows,
        0.6745 * (spread.recent_value - spread.expected_value) / nullif(spread.usual_spread, 0) as robust_z,
        spread.recent_value / nullif(spread.usual_value, 0) as change_ratio,
        spread.peer_change_ratio,
        case spread.metric
            when 'net_sales' then spread.recent_value - spread.expected_value
            else (spread.recent_value - spread.expected_value) * spread.average_order_value
        end as money_moved
    from spread

),

reported as (

    select
        *,
        case when robust_z < 0 then 'down' else 'up' end as direction,
        case when robust_z < 0 then 0 else 1 end as direction_order,
        abs({{ as_decimal('money_moved', 28, 4) }}) as money
    from alerts
    where abs(robust_z) >= {{ var('movement_alert_min_z') }}

),

-- Largest losses first: those who together hold the first half of the money lost are high, up to four fifths medium.
-- Each metric apart, since both are about the same money.
ranked as (

    select
        *,
        cast(
            sum(money) over (
                partition by metric, direction
                order by money desc nulls last
                range between unbounded preceding and current row
            ) - sum(money) over (partition by metric, direction, money) as double
        ) / nullif(cast(sum(money) over (partition by metric, direction) as double), 0) as money_share_above
    from reported

),

final as (

    select
        {{ as_of() }} as as_of_date,
        customer_id,
        cast(metric as string) as metric,
        cast(direction as string) as direction,
        recent_value,
        usual_value,
        expected_value,
        cast(n_windows as int) as n_baseline_windows,
        robust_z,
        change_ratio,
        peer_change_ratio,
        money_moved,
        cast(
            case
                when direction = 'up' then 'opportunity'
                when money_share_above < {{ high_up_to }} then 'high'
                when money_share_above < {{ medium_up_to }} then 'medium'
                else 'low'
            end as string
        ) as severity,
        cast(
            row_number() over (
                order by
                    direction_order asc nulls last,
                    money desc nulls last,
                    customer_id asc nulls last,
                    metric asc nulls last
            ) as bigint
        ) as severity_rank
    from ranked

)

select * from final
