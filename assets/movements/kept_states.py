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

from assets.movements.night import NOBODY, Budget, advance
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
    for name in ("flows.py", "life.py", "limits.py", "night.py", "state.py"):
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()[:16]


def past_mark(con: duckdb.DuckDBPyConnection, as_of_date: date) -> str:
    """What was bought and was on accounts before `as_of_date`: numbers of rows and hashes that no order changes."""
    n, mark = fetch_row(
        con,
        "select count(*), bit_xor(hash(customer_id, day, n_orders, net_sales)) from features.customer_day"
        " where day < $1",
        [as_of_date],
    )
    n_balances, balances = fetch_row(
        con,
        "select count(*), bit_xor(hash(source, customer_id, account_id, from_day, balance)) from features.balance_spans"
        " where from_day < $1",
        [as_of_date],
    )
    return f"{n}:{mark}:{n_balances}:{balances}"


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
        bought = _by_day(rows, "amount", state.day, until)
        held = _by_day(_balances(con, state.day, until), "balance", state.day, until) if budget.has_flows else None
        for number, (who, amounts) in enumerate(bought):
            advance(state, who, amounts, budget, held[number] if held else NOBODY)
    con.unregister("numbered")


def _by_day(rows: dict, value: str, first: int, until: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Numbers of customers and values of each day of [first, until); rows are sorted by day."""
    days = np.asarray(rows["day"], np.int64)
    numbers, values = np.asarray(rows["number"], np.int64), np.asarray(rows[value], np.float64)
    starts = np.searchsorted(days, np.arange(first, until + 1))
    return [(numbers[low:high], values[low:high]) for low, high in zip(starts, starts[1:], strict=False)]


def _balances(con: duckdb.DuckDBPyConnection, first: int, until: int) -> dict:
    """day, number, balance: what all accounts of a customer held at the end of each day with a new balance."""
    return con.execute(
        """
        with moved as (
            select distinct customer_id, from_day as day from features.balance_spans
            where from_day >= $1 and from_day < $2
        )

        select
            date_diff('day', date '1970-01-01', m.day) as day, n.number, cast(sum(b.balance) as double) as balance
        from moved as m
        inner join numbered as n on m.customer_id = n.customer_id
        inner join features.balance_spans as b
            on m.customer_id = b.customer_id and b.from_day <= m.day and (b.until_day is null or b.until_day > m.day)
        group by all
        order by day, n.number
        """,
        [EPOCH + timedelta(days=first), EPOCH + timedelta(days=until)],
    ).fetchnumpy()


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
