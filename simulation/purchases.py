"""When everybody bought: the renewal process of each customer, walked in blocks for all customers at once.

In: tables `customers`, `contacts`, `responses`, `days`, `clock`. Out: table `orders`, one row a purchase.

Three clocks. The customer's own clock counts usual gaps; divided by its pace it is effective time, which runs with the
business's time but slower while the customer fades and faster or slower while a contact works. Gaps are drawn on the
own clock in units of 2^-30 and added as integers, because sums of doubles depend on the order of the threads.
"""

import duckdb

from assets.shared.warehouse import fetch_value
from simulation.draws import number
from simulation.population import Population

#: Purchases of one customer that an order number has room for.
MAX_PURCHASES = 1 << 16
#: Customers walked at once: bounds the memory of the gaps that are drawn beyond the end.
CHUNK = 250_000
#: Hours of the day in which people buy.
OPEN_HOURS = (8, 20)


def create_clock_macros(con: duckdb.DuckDBPyConnection) -> None:
    """`faded(b, join_b, onset, length)`: effective time from the first purchase to business time b without contacts;
    `unfaded` its inverse. Fading is exponential from `onset` on, so that both have a closed form."""
    con.execute("""
        create or replace temp macro faded(b, join_b, onset, length) as
        least(b - join_b, onset) + length * (1 - exp(-greatest(b - join_b - onset, 0) / length))
    """)
    con.execute("""
        create or replace temp macro unfaded(f, join_b, onset, length) as
        join_b + case when f <= onset then f else onset - length * ln(1 - (f - onset) / length) end
    """)


def create_stretches(con: duckdb.DuckDBPyConnection, more: str | None = None) -> None:
    """Table `stretches`: for each customer the pieces of effective time with one multiplier: u0 ≤ effective time < u1,
    f0 the effective time without contacts at u0, step 1 where a contact begins. Only contacts that change anything make
    pieces. more: SQL of further contacts (customer, c0, c1, multiplier). Of two that overlap the later one works from
    its begin on, so that what happened before a contact never depends on it."""
    further = "" if more is None else f"union all {more}"
    con.execute(f"""
        create or replace table stretches as
        with influences as (
            select contacts.customer, contacts.c0, contacts.c1, responses.multiplier
            from contacts
            inner join customers as c on contacts.customer = c.customer
            inner join responses on contacts.action = responses.action and c.response = responses.response
            where not contacts.is_held_out and responses.multiplier <> 1
            {further}
        ),
        strongest as (
            -- of several on one day one works
            select customer, c0, max(c1) as c1, arg_max(multiplier, abs(multiplier - 1)) as multiplier
            from influences group by customer, c0
        ),
        working as (
            select
                i.customer,
                faded(i.c0, c.join_b, c.fade_onset, c.fade_length) as f0,
                faded(
                    least(i.c1, coalesce(lead(i.c0) over (partition by i.customer order by i.c0), i.c1)),
                    c.join_b, c.fade_onset, c.fade_length
                ) as f1,
                i.multiplier
            from strongest as i
            inner join customers as c on i.customer = c.customer
        ),
        points as (
            select customer, f0 as f, 1 as step, multiplier from working
            union all
            select customer, f1 as f, 0 as step, 1.0 as multiplier from working
            union all
            select customer, 0.0 as f, -1 as step, 1.0 as multiplier from customers
        ),
        pieces as (
            select
                customer,
                f as f0,
                step,
                multiplier,
                lead(f) over own as f1
            from points
            window own as (partition by customer order by f, step)
        ),
        placed as (
            select
                *,
                -- integers again, so that the sum is the same in any order
                coalesce(sum(cast(round((f1 - f0) * multiplier * 1073741824) as bigint)) over (
                    partition by customer order by f0, step rows between unbounded preceding and 1 preceding
                ), 0) / 1073741824e0 as u0
            from pieces
        )
        select
            customer,
            f0,
            step,
            u0,
            multiplier,
            coalesce(lead(u0) over (partition by customer order by f0, step), 1e300) as u1
        from placed
    """)


def create_orders(
    con: duckdb.DuckDBPyConnection, p: Population, end_day: int, n_customers: int, progress=lambda done, total: None
) -> None:
    """Table `orders`, up to business day `end_day`: customer, n (from 0), day, second of it, b (business time),
    next_day (of the customer's next purchase; null: none before the end), evidence (0 nothing known of a failure, 1 a
    failure is known, 2 known that there was none), complained, survey_score, has_left, lines_draw, return_lag.
    """
    end_b = fetch_value(con, "select b0 from days where day = ?", [end_day])
    con.execute("""
        create or replace table orders (
            customer bigint, n integer, day smallint, second integer, b double, next_day smallint, next_b double,
            evidence tinyint, complained boolean, survey_score tinyint, has_left boolean, lines_draw double,
            return_lag tinyint
        )
    """)
    for first in range(1, n_customers + 1, CHUNK):
        _walk(con, p, first, min(first + CHUNK, n_customers + 1), end_b)
        _place(con, p, end_b)
        progress(min(first + CHUNK - 1, n_customers), n_customers)


def _walk(con: duckdb.DuckDBPyConnection, p: Population, first: int, last: int, end_b: float) -> None:
    """Table `steps`: purchases of customers first <= number < last on their own clocks, until the end of time."""
    con.execute(
        """
        create or replace temp table walking as
        select
            c.customer,
            0 as n,
            cast(0 as bigint) as units,
            cast(c.pace * (s.u0 + (faded(?, c.join_b, c.fade_onset, c.fade_length) - s.f0) * s.multiplier)
                * 1073741824 as bigint) as end_units,
            c.pace, c.rhythm, c.leave_ok, c.leave_failed
        from customers as c
        inner join stretches as s on c.customer = s.customer
        where c.customer >= ? and c.customer < ? and not c.never_buys and c.join_b < ?
            and faded(?, c.join_b, c.fade_onset, c.fade_length) >= s.f0
        qualify row_number() over (partition by c.customer order by s.f0 desc, s.step desc) = 1
    """,
        [end_b, first, last, end_b, end_b],
    )
    con.execute("""
        create or replace temp table steps (
            customer bigint, n integer, units bigint, next_units bigint, has_failed boolean, has_left boolean,
            fate ubigint
        )
    """)
    block, n = 8, 0
    slow = p.clumpy_slow_pace
    while fetch_value(con, "select count(*) from walking"):
        con.execute(f"""
            create or replace temp table block as
            with drawn as (
                select
                    w.*  exclude (n),
                    cast(w.n + i.range as integer) as n,
                    bits_fate(w.customer * {MAX_PURCHASES} + w.n + i.range) as fate,
                    bits_gap(w.customer * {MAX_PURCHASES} + w.n + i.range) as h
                from walking as w, range({block}) as i
            ),
            fates as (
                select
                    *,
                    ua(fate) < {number(p.failure_share)} as has_failed,
                    ub(fate) < case when ua(fate) < {number(p.failure_share)} then leave_failed else leave_ok end
                        as has_left
                from drawn
            ),
            gaps as (
                select
                    * exclude (h),
                    cast(least(1e9, case
                        when has_left then -ln(ua(h)) / {number(p.return_pace)}
                        when rhythm = 0 then -ln(ua(h))
                        when rhythm = 1 then -ln(ua(h) * ub(h) * uc(h)) / {p.regular_shape}
                        when ub(h) < {number(p.clumpy_fast_share)} then -ln(ua(h)) / {number(p.clumpy_fast_pace)}
                        else -ln(ua(h)) / {number(slow)}
                    end) * 1073741824 as bigint) as gap
                from fates
            )
            select
                *,
                units + cast(sum(gap) over (partition by customer order by n) as bigint) as next_units
            from gaps
        """)
        con.execute("""
            insert into steps
            select customer, n, next_units - gap, next_units, has_failed, has_left, fate
            from block
            where next_units - gap < end_units
        """)
        n += block
        con.execute(
            """
            create or replace temp table walking as
            select customer, n + 1 as n, next_units as units, end_units, pace, rhythm, leave_ok, leave_failed
            from block
            where n = ? and next_units < end_units
            """,
            [n - 1],
        )
        block = min(2 * block, 64)
    con.execute("drop table block")


def _place(con: duckdb.DuckDBPyConnection, p: Population, end_b: float) -> None:
    """Append `steps` to `orders`, with their place in business time and on the calendar."""
    silent = p.complaint_share
    con.execute(f"""
        insert into orders
        with timed as (
            select
                steps.*,
                c.basket_scale,
                unfaded(
                    s.f0 + (steps.units / 1073741824e0 / c.pace - s.u0) / s.multiplier,
                    c.join_b, c.fade_onset, c.fade_length
                ) as b
            from steps
            inner join customers as c on steps.customer = c.customer
            inner join stretches as s
                on steps.customer = s.customer
                and steps.units / 1073741824e0 / c.pace >= s.u0
                and steps.units / 1073741824e0 / c.pace < s.u1
        ),
        dated as (
            select
                t.*,
                case when t.b < k.next_b0 then k.day else k.day + 1 end as day,
                case
                    when t.b < k.next_b0 then (t.b - k.b0) / k.weight else (t.b - k.next_b0) / k.next_weight
                end as part,
                bits_order(t.customer * {MAX_PURCHASES} + t.n) as h
            from timed as t
            inner join clock as k on bucket_of(t.b) = k.bucket
            where t.b < {number(end_b)}
        )
        select
            customer,
            n,
            cast(day as smallint),
            cast(floor({OPEN_HOURS[0] * 3600} + {(OPEN_HOURS[1] - OPEN_HOURS[0]) * 3600} * part) as integer),
            b,
            cast(lead(day) over own as smallint),
            lead(b) over own,
            case
                when has_failed and uc(fate) < {number(silent)} then 1
                when uc(fate) >= {number(1 - p.survey_share)} then case when has_failed then 1 else 2 end
                else 0
            end,
            has_failed and uc(fate) < {number(silent)},
            case when uc(fate) >= {number(1 - p.survey_share)}
                then case when has_failed then 1 + h % 4 else 6 + h % 5 end
            end,
            has_left,
            -ln(ua(h)) * basket_scale,
            case when ub(h) < {number(p.return_share)} then cast(1 + floor(uc(h) * {p.max_return_days}) as tinyint) end
        from dated
        window own as (partition by customer order by n)
    """)
