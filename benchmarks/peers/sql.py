"""The two tables in SQL, written once for DuckDB (the floor) and Spark: only the difference of two dates is spelled
differently. `{days(a, b)}` below stands for the days from a to b.

In: a relation `lines` (customer_id, order_id, day, net_amount negative for returns, is_return, quantity,
discount_amount, category, channel). Out: text of a query.
"""

from collections.abc import Callable

#: Features that every peer computes as of one date, all decided by purchases alone.
FEATURES = (
    "days_since_last_order",
    "recency_days",
    "tenure_days",
    "frequency",
    "n_orders",
    "n_order_days",
    "recency_over_gap_median",
    "recency_over_gap_mean",
    "recency_over_gap_max",
    "recency_gap_z",
    "gap_median_days",
    "gap_mean_days",
    "gap_max_days",
    "gap_std_days",
    "gap_cv",
    "gap_last_days",
    "gap_last_over_median",
    "gap_last3_over_mean",
    "n_orders_30d",
    "n_orders_90d",
    "n_orders_prev_90d",
    "orders_trend_ratio",
    "net_sales_30d",
    "net_sales_90d",
    "net_sales_prev_90d",
    "sales_trend_ratio",
    "orders_slope_6m",
    "first_order_amount",
    "second_gap_days",
    "net_sales_total",
    "n_orders_365d",
    "net_sales_365d",
    "average_order_value",
    "order_value_last_over_mean",
    "lines_per_order",
    "quantity_per_order",
    "discount_share",
    "discount_order_share",
    "categories_per_day",
    "orders_per_30d",
)
DAY_COLUMNS = (
    "customer_id",
    "day",
    "n_orders",
    "n_lines",
    "quantity",
    "net_sales",
    "gross_sales",
    "return_amount",
    "n_return_lines",
    "discount_amount",
    "n_discount_orders",
    "n_categories",
    "channel",
)


def duckdb_days(first: str, last: str) -> str:
    return f"({last} - {first})"


def spark_days(first: str, last: str) -> str:
    return f"datediff({last}, {first})"


#: Lines are reduced to orders and categories first: nothing is counted distinct over lines.
CUSTOMER_DAY = """
with
pieces as (
    select
        customer_id, day, order_id, channel, category,
        count(*) as n_lines,
        count(*) filter (where is_return) as n_return_lines,
        sum(quantity) filter (where not is_return) as quantity,
        sum(net_amount) as net_sales,
        coalesce(sum(net_amount) filter (where not is_return), 0) as gross_sales,
        coalesce(-sum(net_amount) filter (where is_return), 0) as return_amount,
        sum(discount_amount) filter (where not is_return) as discount_amount
    from lines
    group by customer_id, day, order_id, channel, category
),
orders as (
    select
        customer_id, day, order_id,
        sum(n_lines) as n_lines,
        sum(n_return_lines) as n_return_lines,
        sum(n_lines) > sum(n_return_lines) as has_sale,
        sum(quantity) as quantity,
        sum(net_sales) as net_sales,
        sum(gross_sales) as gross_sales,
        sum(return_amount) as return_amount,
        sum(discount_amount) as discount_amount
    from pieces
    group by customer_id, day, order_id
),
days as (
    select
        customer_id, day,
        count(*) filter (where has_sale) as n_orders,
        sum(n_lines) as n_lines,
        coalesce(sum(quantity), 0) as quantity,
        sum(net_sales) as net_sales,
        sum(gross_sales) as gross_sales,
        sum(return_amount) as return_amount,
        sum(n_return_lines) as n_return_lines,
        sum(discount_amount) as discount_amount,
        case when count(discount_amount) > 0 then count(*) filter (where has_sale and discount_amount > 0) end
            as n_discount_orders
    from orders
    group by customer_id, day
),
categories as (
    select customer_id, day, count(*) as n_categories
    from (
        select customer_id, day, category
        from pieces
        where category is not null and n_lines > n_return_lines
        group by customer_id, day, category
    ) as bought
    group by customer_id, day
),
channels as (
    select customer_id, day, channel
    from (
        select
            customer_id, day, channel,
            row_number() over (
                partition by customer_id, day order by sum(gross_sales) desc nulls last, channel asc nulls last
            ) as spend_rank
        from pieces
        where channel is not null
        group by customer_id, day, channel
    ) as ranked
    where spend_rank = 1
)
select
    days.customer_id, days.day, n_orders, n_lines, quantity, net_sales, gross_sales, return_amount, n_return_lines,
    discount_amount, n_discount_orders, coalesce(n_categories, 0) as n_categories, channel
from days
left join categories on days.customer_id = categories.customer_id and days.day = categories.day
left join channels on days.customer_id = channels.customer_id and days.day = channels.day
"""


def customer_features(days: Callable[[str, str], str], as_of: str, customer_day: str = "customer_day") -> str:
    """Query of the features as of `as_of` (an SQL date expression) from the relation `customer_day`."""

    def between(first: int, last: int) -> str:
        """Days from `first` (inclusive) to `last` (exclusive) days before the as-of date."""
        age = days("day", as_of)
        return f"{age} <= {first} and {age} > {last}"

    windows = ",\n        ".join(
        f"coalesce(sum(n_orders) filter (where {between(30 * (n + 1), 30 * n)}), 0) as window_{n + 1}" for n in range(6)
    )
    return f"""
with
days as (
    select
        *,
        case when n_orders > 0 then row_number() over by_day end as order_day_number,
        case when n_orders > 0 then {days("lag(day) over by_day", "day")} end as gap,
        case when n_orders > 0 then {days("lag(day, 3) over by_day", "day")} / cast(3 as double) end as last3,
        cast(gross_sales as double) / nullif(n_orders, 0) as order_value
    from {customer_day}
    where day < {as_of}
    window by_day as (partition by customer_id, n_orders > 0 order by day)
),
histories as (
    select
        customer_id,
        min(day) filter (where n_orders > 0) as first_order_on,
        max(day) filter (where n_orders > 0) as last_order_on,
        sum(n_orders) as n_orders,
        count(order_day_number) as n_order_days,
        count(gap) as n_gaps,
        percentile_cont(0.5) within group (order by gap) as gap_median,
        max(gap) as gap_max,
        sum(gap) as gap_sum,
        sum(gap * gap) as gap_squares,
        max_by(gap, day) filter (where gap is not null) as gap_last,
        max_by(last3, day) filter (where last3 is not null) as last3,
        max(gap) filter (where order_day_number = 2) as second_gap,
        {windows},
        coalesce(sum(n_orders) filter (where {between(365, 0)}), 0) as n_orders_365d,
        cast(coalesce(sum(net_sales) filter (where {between(30, 0)}), 0) as double) as net_sales_30d,
        cast(coalesce(sum(net_sales) filter (where {between(90, 0)}), 0) as double) as net_sales_90d,
        cast(coalesce(sum(net_sales) filter (where {between(180, 90)}), 0) as double) as net_sales_prev_90d,
        cast(coalesce(sum(net_sales) filter (where {between(365, 0)}), 0) as double) as net_sales_365d,
        cast(sum(net_sales) as double) as net_sales_total,
        cast(sum(gross_sales) as double) as gross_sales,
        max(gross_sales) filter (where order_day_number = 1) as first_order_amount,
        max_by(order_value, day) filter (where n_orders > 0) as order_value_last,
        sum(n_lines) as n_lines,
        sum(n_return_lines) as n_return_lines,
        cast(sum(quantity) as double) as quantity,
        cast(sum(discount_amount) as double) as discount_amount,
        sum(n_discount_orders) as n_discount_orders,
        sum(n_categories) as n_categories
    from days
    group by customer_id
),
measured as (
    select
        *,
        cast({days("last_order_on", as_of)} as double) as days_since_last_order,
        cast({days("first_order_on", as_of)} as double) as tenure_days,
        cast(gap_sum as double) / nullif(n_gaps, 0) as gap_mean_days,
        sqrt(
            cast(n_gaps * gap_squares - gap_sum * gap_sum as double) / nullif(n_gaps * (n_gaps - 1), 0)
        ) as gap_std_days,
        gross_sales / nullif(n_orders, 0) as average_order_value,
        window_1 + window_2 + window_3 as orders_90d,
        window_4 + window_5 + window_6 as orders_prev_90d
    from histories
)
select
    customer_id,
    first_order_on,
    last_order_on,
    days_since_last_order,
    cast({days("first_order_on", "last_order_on")} as double) as recency_days,
    tenure_days,
    case when n_order_days > 0 then cast(n_order_days - 1 as double) end as frequency,
    cast(n_orders as double) as n_orders,
    cast(n_order_days as double) as n_order_days,
    days_since_last_order / nullif(cast(gap_median as double), 0) as recency_over_gap_median,
    days_since_last_order / nullif(gap_mean_days, 0) as recency_over_gap_mean,
    days_since_last_order / nullif(cast(gap_max as double), 0) as recency_over_gap_max,
    (days_since_last_order - gap_mean_days) / nullif(gap_std_days, 0) as recency_gap_z,
    cast(gap_median as double) as gap_median_days,
    gap_mean_days,
    cast(gap_max as double) as gap_max_days,
    gap_std_days,
    gap_std_days / nullif(gap_mean_days, 0) as gap_cv,
    cast(gap_last as double) as gap_last_days,
    gap_last / nullif(cast(gap_median as double), 0) as gap_last_over_median,
    last3 / nullif(gap_mean_days, 0) as gap_last3_over_mean,
    cast(window_1 as double) as n_orders_30d,
    cast(orders_90d as double) as n_orders_90d,
    cast(orders_prev_90d as double) as n_orders_prev_90d,
    cast(orders_90d + 1 as double) / (orders_prev_90d + 1) as orders_trend_ratio,
    net_sales_30d,
    net_sales_90d,
    net_sales_prev_90d,
    (greatest(net_sales_90d, cast(0 as double)) + average_order_value)
        / nullif(greatest(net_sales_prev_90d, cast(0 as double)) + average_order_value, 0) as sales_trend_ratio,
    cast(5 * (window_1 - window_6) + 3 * (window_2 - window_5) + (window_3 - window_4) as double) / 35
        as orders_slope_6m,
    cast(first_order_amount as double) as first_order_amount,
    cast(second_gap as double) as second_gap_days,
    net_sales_total,
    cast(n_orders_365d as double) as n_orders_365d,
    net_sales_365d,
    average_order_value,
    order_value_last / nullif(average_order_value, 0) as order_value_last_over_mean,
    cast(n_lines - n_return_lines as double) / nullif(n_orders, 0) as lines_per_order,
    quantity / nullif(n_orders, 0) as quantity_per_order,
    discount_amount / nullif(gross_sales + discount_amount, 0) as discount_share,
    cast(n_discount_orders as double) / nullif(n_orders, 0) as discount_order_share,
    cast(n_categories as double) / nullif(n_order_days, 0) as categories_per_day,
    30 * cast(n_orders as double) / nullif(tenure_days, 0) as orders_per_30d
from measured
"""


#: The lines of the landed Parquet files as every peer reads them: in this business a return has a negative quantity.
LINES = """
select
    customer_id,
    order_id,
    cast(occurred_at as date) as day,
    quantity < 0 as is_return,
    case when quantity < 0 then -abs(amount) else amount end as net_amount,
    abs(quantity) as quantity,
    discount_amount,
    category,
    channel
from landed
"""
