"""Tonight's list: every alert that is open, and those that ended tonight, with money, peers and severity.

In: the state of the morning, classes of value, accounts that are no customers. Out: `movements.customer_movements`.
"""

from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow as pa

from assets.movements.kept_states import EPOCH, keep_state, state_as_of
from assets.movements.life import is_down
from assets.movements.night import Budget
from assets.movements.state import METRICS, NONE, REASONS, STATUSES, TESTS, State
from assets.shared.params import Params
from assets.shared.tables import declared_table
from assets.shared.warehouse import count_rows

#: Of all money lost, those from the largest down who hold the first half are high, up to four fifths medium.
HIGH_UP_TO = 0.5
MEDIUM_UP_TO = 0.8


def budget_of(params: Params) -> Budget:
    return Budget(
        params.movement_false_alerts_per_1000,
        params.movement_false_opportunities_per_1000,
        params.movement_max_open_days,
        params.business == "bank",
    )


def build_movements(con: duckdb.DuckDBPyConnection, params: Params, as_of_date: date) -> dict[str, float | int | str]:
    """Write `movements.customer_movements` as of the date, and keep the state. Returns what to say of the night."""
    budget = budget_of(params)
    state, customers, began = state_as_of(con, as_of_date, budget)
    write_list(con, state, customers, as_of_date, budget)
    keep_state(con, state, customers, as_of_date, budget, began)
    return {
        "watched": state.n_watched,
        "expected_false": round(expected_false(state, budget.down), 2),
        "listed": count_rows(con, "movements.customer_movements"),
        "went_on_from": began.isoformat() if began else "the whole history",
    }


def expected_false(state: State, per_1000: float) -> float:
    """New false alarms of a direction that the budget lets through in a night."""
    return per_1000 / 1000 * state.n_watched


def listed(state: State, customers: list[str], metric: str) -> pa.Table:
    """Alerts of one metric, a row a customer."""
    c = {name.removeprefix(f"{metric}_"): v for name, v in state.columns.items() if name.startswith(f"{metric}_")}
    who = np.flatnonzero(c["status"] != NONE)
    down = is_down(c["test"][who])

    def days(name: str) -> list[date]:
        return [EPOCH + timedelta(days=int(day)) for day in c[name][who]]

    return pa.table(
        {
            "customer_id": pa.array([customers[i] for i in who], pa.string()),
            "metric": pa.array([metric] * len(who), pa.string()),
            "direction": pa.array(["down" if is_loss else "up" for is_loss in down], pa.string()),
            "test": pa.array([TESTS[code] for code in c["test"][who]], pa.string()),
            "status": pa.array([STATUSES[code] for code in c["status"][who]], pa.string()),
            "first_seen_on": pa.array(days("first_seen"), pa.date32()),
            "age_days": pa.array(state.day - c["first_seen"][who], pa.int32()),
            "closed_because": pa.array([REASONS[code] for code in c["closed_because"][who]], pa.string()),
            "changed_on": pa.array(days("changed_on"), pa.date32()),
            "recent_value": c["recent"][who],
            "usual_value": c["usual"][who],
            "expected_value": c["expected"][who],
            "money_moved": c["money"][who],
        }
    )


def write_list(
    con: duckdb.DuckDBPyConnection, state: State, customers: list[str], as_of_date: date, budget: Budget
) -> None:
    table = declared_table("movements.customer_movements")
    con.register("listed", pa.concat_tables([listed(state, customers, metric) for metric in METRICS]))
    con.execute(f"create or replace table movements.customer_movements ({table.column_list})")
    con.execute(
        f"""
        insert into movements.customer_movements by name
        with valued as (
            select
                listed.*,
                customer_value.value_class,
                listed.status in ('recovered', 'closed') as is_over,
                cast(round(abs(listed.money_moved), 4) as decimal(28, 4)) as money
            from listed
            left join segments.customer_value as customer_value on listed.customer_id = customer_value.customer_id
            -- A till's or a house's own account is watched with the others, and nobody calls it.
            where listed.customer_id not in (select customer_id from features.outlier_accounts)
                -- Who refuses to be profiled is no row of a list of changed habits.
                and listed.customer_id not in (select customer_id from features.profiling_refusals)
        ),

        shared as (
            select
                *,
                cast(
                    sum(money) over (
                        partition by metric, direction, is_over order by money desc
                        range between unbounded preceding and current row
                    ) - sum(money) over (partition by metric, direction, is_over, money) as double
                ) / nullif(cast(sum(money) over (partition by metric, direction, is_over) as double), 0)
                    as money_share_above
            from valued
        )

        select
            $as_of as as_of_date,
            * exclude (is_over, money, money_share_above),
            recent_value / nullif(usual_value, 0) as change_ratio,
            expected_value / nullif(usual_value, 0) as peer_change_ratio,
            case
                when is_over then 'over'
                when direction = 'up' then 'opportunity'
                when money_share_above < {HIGH_UP_TO} then 'high'
                when money_share_above < {MEDIUM_UP_TO} then 'medium'
                else 'low'
            end as severity,
            row_number() over (
                order by is_over, direction, money desc, customer_id, metric
            ) as severity_rank,
            cast($n_watched as bigint) as n_watched,
            case direction when 'down' then $false_down else $false_up end as expected_false
        from shared
        order by severity_rank
        """,
        {
            "as_of": as_of_date,
            "n_watched": state.n_watched,
            "false_down": expected_false(state, budget.down),
            "false_up": expected_false(state, budget.up),
        },
    )
    con.unregister("listed")
