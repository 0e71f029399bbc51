"""What was bought: lines with articles, prices, discounts and returns, made while they are written.

In: table `orders`. Out: SQL of the transaction lines of a span of days, in order of time; the table `orders` gets its
number of lines. A line is a pure function of its order and number, so a return finds the line it takes back.
"""

import duckdb

from assets.shared.errors import UserError
from assets.shared.warehouse import fetch_row, fetch_value
from simulation.draws import number, sql_list
from simulation.population import (
    CATEGORIES,
    CATEGORY_PRICES,
    CHANNELS,
    DISCOUNT_STEPS,
    QUANTITY_STEPS,
    TIERS,
    Population,
)
from simulation.purchases import MAX_PURCHASES

#: Lines of one order that a line number has room for.
MAX_LINES = 512
#: Customer ids as written: the number plus this.
FIRST_ID = 100_000


class TooManyOrders(UserError):
    """There are more orders than lines."""


def fit_lines(con: duckdb.DuckDBPyConnection, lines: int, history_days: int) -> float:
    """The factor c for which 1 + floor(c × lines_draw), summed over the orders of the history, plus their returns, is
    exactly `lines`; returns it. Each order's count steps at a point of its own, so bisection ends at the exact number.

    Raises TooManyOrders when the orders alone are more than that.
    """
    n_orders, returns = fetch_row(
        con,
        "select count(*), count(*) filter (where day + return_lag < ?) from orders where day < ?",
        [history_days, history_days],
    )
    if n_orders + returns > lines:
        # A business of next to one line a customer has no room for returns.
        con.execute("update orders set return_lag = null")
        returns = 0
    goal = lines - returns
    if n_orders > goal:
        raise TooManyOrders(
            f"{n_orders:,} orders do not fit into {lines:,} lines", "ask for more lines or fewer customers"
        )

    def total(factor: float) -> int:
        return fetch_value(
            con,
            f"select coalesce(sum(1 + least(cast(floor(lines_draw * ?) as bigint), {MAX_LINES - 2})), 0) "
            "from orders where day < ?",
            [factor, history_days],
        )

    low, high = 0.0, 1.0
    while total(high) < goal and high < 1e6:
        low, high = high, high * 2
    if total(high) < goal:
        raise UserError(f"{lines:,} lines are too many for {n_orders:,} orders", "ask for more customers or years")
    for _ in range(80):
        middle = (low + high) / 2
        found = total(middle)
        if found == goal:
            return middle
        low, high = (middle, high) if found < goal else (low, middle)
    return high


def line_columns(p: Population, line: str) -> str:
    """SQL of the columns drawn for a line: needs `customer`, `n`, and the columns of `customers` next to them."""
    categories = "[" + ", ".join(f"'{c}'" for c in CATEGORIES[p.variant]) + "]"
    prices, tiers, steps = (sql_list(x) for x in (CATEGORY_PRICES[p.variant], TIERS, DISCOUNT_STEPS))
    return f"""
        bits_line((customer * {MAX_PURCHASES} + n) * {MAX_LINES} + {line}) as h,
        case when u8(h, 0) < 0.5 then favourite
            else cast(floor(12 * u8(h, 1) * u8(h, 1)) as integer) end as category_no,
        case when (h >> 16) & 255 < 51 then greatest(taste - 1, 0)
            when (h >> 16) & 255 >= 205 then least(taste + 1, 4) else taste end as tier,
        cast((h >> 50) & 63 as integer) as item,
        case when (h >> 24) & 255 < {QUANTITY_STEPS[0]} then 1
            when (h >> 24) & 255 < {QUANTITY_STEPS[1]} then 2 else 3 end as quantity,
        round({prices}[category_no + 1] * {tiers}[tier + 1] * (0.7 + 0.6 * item / 63), 2) * quantity as full_price,
        case when (h >> 32) & 65535 < 65536 * discount_line_share
            then round(full_price * {steps}[cast((h >> 48) & 3 as integer) + 1], 2) else 0 end as discount,
        {categories}[category_no + 1] as category,
        (category_no * 5 + tier) * 64 + item as product_id
    """


def lines_sql(p: Population, factor: float, first_day: int, end_day: int, start: str) -> str:
    """SQL of the canonical transaction lines with first_day ≤ day < end_day, in order of time, order and line."""
    count = f"1 + least(cast(floor(lines_draw * {number(factor)}) as integer), {MAX_LINES - 2})"
    channels = "[" + ", ".join(f"'{c}'" for c in CHANNELS) + "]"
    at = f"cast('{start}' as timestamp) + to_days(cast(on_day as integer)) + to_seconds(second)"
    return f"""
        with till as (
            select *, day as on_day, range(1, {count} + 1) as numbers, false as is_return
            from orders where day >= {first_day} and day < {end_day}
            union all
            select
                *,
                day + return_lag as on_day,
                [1 + cast(bits_order(customer * {MAX_PURCHASES} + n) % ({count}) as bigint)] as numbers,
                true as is_return
            from orders
            where
                return_lag is not null and day >= {first_day - p.max_return_days} and day < {end_day}
                and day + return_lag >= {first_day} and day + return_lag < {end_day}
        ),
        in_order as (
            select t.*, c.favourite, c.taste, c.discount_line_share, c.usual_channel, c.home_store, c.region
            from till as t inner join customers as c on t.customer = c.customer
            order by t.on_day, t.second, t.customer, t.n
        ),
        lines as (
            select * exclude (numbers), unnest(numbers) as line from in_order
        ),
        drawn as (
            select *, {line_columns(p, "line")} from lines
        )
        select
            {FIRST_ID} + customer as customer_id,
            customer * {MAX_PURCHASES} + n as order_id,
            cast(line + case when is_return then {MAX_LINES} else 0 end as smallint) as line_id,
            {at} as occurred_at,
            cast(case when is_return then discount - full_price else full_price - discount end as decimal(12, 2))
                as amount,
            cast(case when is_return then -quantity else quantity end as smallint) as quantity,
            cast(case when is_return then 0 else discount end as decimal(12, 2)) as discount_amount,
            cast(product_id as integer) as product_id,
            category,
            {channels}[case when n % 4 = 3 then (usual_channel + 1) % 3 else usual_channel end + 1] as channel,
            cast(region * 20 + home_store as smallint) as store_id
        from drawn
    """
