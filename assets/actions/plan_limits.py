"""What the night had, used and was short of: capacities, budgets, and how near the plan is to the best possible.

In: the limits and the allocation, `actions.contact_plan`, labels of the playbook. Out: `actions.plan_limits`, one row a
limit, with the price of one more in words.
"""

from datetime import date

import duckdb
import pyarrow as pa

from assets.actions.plan import Allocation, Limits

#: Prices below this say nothing to a reader.
_LEAST_PRICE = 0.005


def write_plan_limits(
    con: duckdb.DuckDBPyConnection,
    as_of_date: date,
    limits: Limits,
    allocation: Allocation,
    channel_names: list[str],
    owners: list[str],
    action_names: list[str],
) -> None:
    """Write `actions.plan_limits`. `channel_names` and `owners` name the capacities in order, `action_names` the
    action budgets."""
    channels = dict(con.execute("select channel, [label_en, label_zh] from playbook.playbook_channels").fetchall())
    actions = dict(con.execute("select action_id, [label_en, label_zh] from playbook.playbook_actions").fetchall())
    spend = "cast(contact_cost + offer_cost * redeem_probability as decimal(28, 6))"
    used = {
        (kind, name): float(amount)
        for kind, name, amount in con.execute(
            f"""
            select
                case when owners.owner is null then 'channel' else 'owner' end,
                coalesce(owners.owner, channel), count(*)
            from actions.contact_plan
            left join playbook.playbook_owners as owners on contact_plan.owner = owners.owner and channel = 'phone'
            where decision = 'contact' group by 1, 2
            union all
            select 'action_budget', action_id, sum({spend})
            from actions.contact_plan where decision = 'contact' group by action_id
            union all
            select case when needs_profit then 'budget' else 'care_budget' end, 'all', sum({spend})
            from actions.contact_plan where decision = 'contact' group by 1
            """
        ).fetchall()
    }
    prices: list[tuple[str, str, float, float | None, str, str]] = []
    rooms = list(zip(limits.capacities, allocation.channel_prices, strict=True))
    for name, (capacity, worth) in zip(channel_names, rooms[: len(channel_names)], strict=True):
        prices.append(("channel", name, float(capacity), worth, *channels[name]))
    for name, (capacity, worth) in zip(owners, rooms[len(channel_names) :], strict=True):
        prices.append(("owner", name, float(capacity), worth, f"Calls of {name}", f"{name} 的电话"))
    prices.append(("budget", "all", limits.budget, allocation.money_price, "money", "预算"))
    prices.append(("care_budget", "all", limits.care_budget, None, "money for care and service", "关怀与服务预算"))
    for name, money, worth in zip(action_names, limits.action_budgets, allocation.action_prices, strict=True):
        prices.append(("action_budget", name, money, worth, *actions[name]))
    rows: list[tuple[str, str, float, float, float | None, str, str]] = []
    for kind, name, available, price, english, chinese in prices:
        amount = used.get((kind, name), 0.0)
        rows.append((kind, name, available, amount, price, *_words(kind, english, chinese, available, amount, price)))
    share = allocation.profit / allocation.bound if allocation.bound else 1.0
    rows.append(
        (
            "profit",
            "all",
            allocation.bound,
            allocation.profit,
            None,
            f"the plan earns {allocation.profit:,.2f}, {share:.2%} of what any plan within these limits could",
            f"方案预期利润 {allocation.profit:,.2f}，为限制条件下可能最优值的 {share:.2%}",
        )
    )
    names = ("limit_kind", "limit_name", "available", "used", "price", "words", "words_zh")
    types = (pa.string(), pa.string(), pa.float64(), pa.float64(), pa.float64(), pa.string(), pa.string())
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), types, strict=True)]
    con.register("limit_rows", pa.table(dict(zip(names, columns, strict=True))))
    try:
        con.execute(
            "create or replace table actions.plan_limits as"
            " select cast($as_of as date) as as_of_date, * from limit_rows",
            {"as_of": as_of_date},
        )
    finally:
        con.unregister("limit_rows")


def _words(
    kind: str, english: str, chinese: str, available: float, used: float, price: float | None
) -> tuple[str, str]:
    """The limit in a sentence, in English and Chinese."""
    if kind in ("channel", "owner"):
        amounts, one_more, zh_more = f"{used:,.0f} of {available:,.0f}", "one more a night", "每晚增加一次联系"
    else:
        amounts, one_more, zh_more = f"{used:,.2f} of {available:,.2f}", "one more unit of money", "每增加一元预算"
    said = f"{english}: {amounts} used"
    said_zh = f"{chinese}：已用 {amounts.replace(' of ', ' / ')}"
    if price is None:
        return said, said_zh
    if price < _LEAST_PRICE:
        return f"{said}; more would earn nothing", f"{said_zh}；增加额度不会带来更多收益"
    return f"{said}; {one_more} is worth {price:,.2f}", f"{said_zh}；{zh_more}可多赚 {price:,.2f}"
