"""The states of two nights, kept in the warehouse: tonight's, and the one that tonight went on from.

In: `movements.kept_states` (a row a night and customer) and `movements.kept_nights` (a row a night). Out: the state to
go on from, and the two tables with tonight's. What they hold can be made again from `features.customer_day`: a state is
used only if it was made by the same code and budget, and if no day before it has changed since.
"""

import hashlib
import json
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from assets.movements.night import Budget, advance
from assets.movements.state import COLUMNS, POOL, State
from assets.shared.tables import declared_table
from assets.shared.warehouse import fetch_row

EPOCH = date(1970, 1, 1)
#: Days of purchases that are read at once.
DAYS_AT_ONCE = 60


def day_number(day: date) -> int:
    return (day - EPOCH).days


def rules_mark(budget: Budget) -> str:
    """What a state depends on beside the purchases: the code of the tests and the budget."""
    digest = hashlib.sha256(json.dumps(asdict(budget), sort_keys=True).encode())
    for name in ("limits.py", "night.py", "state.py"):
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()[:16]


def past_mark(con: duckdb.DuckDBPyConnection, as_of_date: date) -> str:
    """What was bought before `as_of_date`: the number of customer-days and a hash that no order changes."""
    n, mark = fetch_row(
        con,
        "select count(*), bit_xor(hash(customer_id, day, n_orders, net_sales)) from features.customer_day"
        " where day < $1",
        [as_of_date],
    )
    return f"{n}:{mark}"


def state_as_of(
    con: duckdb.DuckDBPyConnection, as_of_date: date, budget: Budget
) -> tuple[State, list[str], date | None]:
    """The state of the morning of `as_of_date`, the ids of its customers by their number, and the night it went on from
    (None where it was made from the whole history)."""
    _create_tables(con)
    began, state, customers = _newest_state(con, as_of_date, budget)
    known = set(customers)
    added = con.execute(
        "select distinct customer_id from features.customer_day where day < $1 and n_orders > 0 order by 1",
        [as_of_date],
    ).fetchall()
    customers = customers + [customer for (customer,) in added if customer not in known]
    if state is None:
        days = con.execute(
            "select min(day) from features.customer_day where day < $1 and n_orders > 0", [as_of_date]
        ).fetchall()
        state = State.empty(day_number(days[0][0] or as_of_date))
    state.grow_to(len(customers))
    _walk(con, state, customers, as_of_date, budget)
    return state, customers, began


def _walk(con: duckdb.DuckDBPyConnection, state: State, customers: list[str], as_of_date: date, budget: Budget) -> None:
    """Take every day from that of `state` up to `as_of_date`, not including it."""
    con.register("numbered", pa.table({"customer_id": customers, "number": np.arange(len(customers))}))
    end = day_number(as_of_date)
    while state.day < end:
        until = min(state.day + DAYS_AT_ONCE, end)
        rows = con.execute(
            """
            select
                date_diff('day', date '1970-01-01', d.day) as day, n.number, cast(d.net_sales as double) as amount
            from features.customer_day as d
            inner join numbered as n on d.customer_id = n.customer_id
            where d.day >= $1 and d.day < $2 and d.n_orders > 0
            order by day, n.number
            """,
            [EPOCH + timedelta(days=state.day), EPOCH + timedelta(days=until)],
        ).fetchnumpy()
        days = np.asarray(rows["day"], np.int64)
        numbers, amounts = np.asarray(rows["number"], np.int64), np.asarray(rows["amount"], np.float64)
        starts = np.searchsorted(days, np.arange(state.day, until + 1))
        for low, high in zip(starts, starts[1:], strict=False):
            advance(state, numbers[low:high], amounts[low:high], budget)
    con.unregister("numbered")


def keep_state(
    con: duckdb.DuckDBPyConnection,
    state: State,
    customers: list[str],
    as_of_date: date,
    budget: Budget,
    began: date | None,
) -> None:
    """Write tonight's state beside the one it went on from; all others go."""
    kept = began if began is not None else as_of_date
    for table in ("kept_states", "kept_nights"):
        con.execute(f"delete from movements.{table} where as_of_date <> $1 or as_of_date = $2", [kept, as_of_date])
    night = pa.table({"customer_id": customers, **{name: state.columns[name] for name in COLUMNS}})
    con.register("night_state", night)
    columns = ", ".join(COLUMNS)
    con.execute(
        f"insert into movements.kept_states (as_of_date, customer_id, {columns})"
        f" select cast($1 as date), customer_id, {columns} from night_state order by customer_id",
        [as_of_date],
    )
    con.unregister("night_state")
    numbers = [state.clock, state.usual_pace, state.age, state.n_watched, *(state.pool[name] for name in POOL)]
    marks = ", ".join(f"${i + 4}" for i in range(len(numbers)))
    con.execute(
        "insert into movements.kept_nights (as_of_date, rules_mark, past_mark, clock, usual_pace, age, n_watched,"
        f" {', '.join(POOL)}) values ($1, $2, $3, {marks})",
        [as_of_date, rules_mark(budget), past_mark(con, as_of_date), *numbers],
    )


def _newest_state(
    con: duckdb.DuckDBPyConnection, as_of_date: date, budget: Budget
) -> tuple[date | None, State | None, list[str]]:
    nights = con.execute(
        f"select as_of_date, past_mark, clock, usual_pace, age, {', '.join(POOL)} from movements.kept_nights"
        " where as_of_date < $1 and rules_mark = $2 order by as_of_date desc",
        [as_of_date, rules_mark(budget)],
    ).fetchall()
    for night, mark, clock, usual_pace, age, *pool in nights:
        if past_mark(con, night) != mark:
            continue
        rows = con.execute(
            f"select customer_id, {', '.join(COLUMNS)} from movements.kept_states where as_of_date = $1"
            " order by customer_id",
            [night],
        ).fetchnumpy()
        columns = {name: np.array(rows[name]) for name in COLUMNS}
        state = State(day_number(night), clock, usual_pace, age, 0, dict(zip(POOL, pool, strict=True)), columns)
        return night, state, [str(customer) for customer in rows["customer_id"]]
    return None, None, []


def _create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """The two tables where they are not there yet; made anew where their columns are of an earlier version."""
    con.execute("create schema if not exists movements")
    for name in ("kept_states", "kept_nights"):
        table = declared_table(f"movements.{name}")
        found = con.execute(
            "select column_name from duckdb_columns() where schema_name = 'movements' and table_name = $1"
            " order by column_index",
            [name],
        ).fetchall()
        if [column for (column,) in found] != list(table.duckdb_types):
            con.execute(f"create or replace table movements.{name} ({table.column_list})")
