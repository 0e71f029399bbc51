"""What nobody in the business can know, but a benchmark must: probabilities, margins and effects as they truly are.

In: the generator's tables. Out: SQL, one row a customer (with a purchase before the date) and horizon. Two kinds of truth:

* `p_no_purchase`: given the customer's own parameters and its recorded history; whether it has left is summed over.
* `p_no_purchase_knowable`: given the parameters of the population, the customer's recorded history and attributes, but
  not its own parameters; the best that any model could do (see `knowable`).

Both know the calendar of seasons and campaigns but not who will be drawn for a campaign after the date; that draw is
summed over.
"""

import duckdb

from simulation.baskets import FIRST_ID
from simulation.draws import number
from simulation.population import Population
from simulation.renewal import FINEST, STEPS, count_table, phase_weights, survival


def create_counts(con: duckdb.DuckDBPyConnection, p: Population) -> None:
    """Table `counts`, see `renewal.count_table`."""
    con.register("count_rows", count_table(p))
    con.execute("create or replace table counts as select * from count_rows")
    con.unregister("count_rows")


def own_clock(con: duckdb.DuckDBPyConnection, day: int) -> None:
    """Table `standing`: for each customer with a purchase before `day` the last purchase, and effective time since."""
    con.execute(f"""
        create or replace temp table standing as
        with here as (select b0 as b from days where day = {day})
        select
            o.customer, o.b as last_b, o.evidence, o.next_day, o.has_left
        from orders as o, here
        where o.day < {day} and (o.next_day >= {day} or o.next_day is null)
    """)


def leave_given(p: Population, evidence: str = "evidence", leave_ok: str = "leave_ok", failed: str = "leave_failed") -> str:
    """SQL: chance to have left at a purchase, by what is known of a failure."""
    silent = p.silent_failure_share
    return (
        f"(case {evidence} when 1 then {failed} when 2 then {leave_ok} "
        f"else {number(silent)} * {failed} + {number(1 - silent)} * {leave_ok} end)"
    )


def outlook_sql(p: Population, day: int, horizon: int, factor: float, as_of: str) -> str:
    """SQL: truth of every standing customer at the morning of business day `day` for `horizon` days."""
    end = day + horizon
    step = f"cast(floor(ln(1 + span / {number(FINEST)}) * {STEPS}) as integer)"
    return f"""
        with moments as (
            select a.b0 as here, z.b0 as there, g.c0, g.c1, g.action
            from days as a, days as z
            left join campaigns as g on g.day >= {day} and g.day < {end}
            where a.day = {day} and z.day = {end}
        ),
        past as (
            -- effect of earlier contacts, one row a customer who has one that works
            select
                k.customer,
                sum(cast(round((r.multiplier - 1) * 1e9 * (
                    faded(greatest(least(m.here, k.c1), s.last_b), c.join_b, c.fade_onset, c.fade_length)
                    - faded(greatest(least(m.here, k.c0), s.last_b), c.join_b, c.fade_onset, c.fade_length)
                )) as bigint)) / 1e9 as since_last,
                sum(cast(round((r.multiplier - 1) * 1e9 * (
                    faded(greatest(least(m.there, k.c1), s.last_b), c.join_b, c.fade_onset, c.fade_length)
                    - faded(greatest(least(m.there, k.c0), s.last_b), c.join_b, c.fade_onset, c.fade_length)
                )) as bigint)) / 1e9 as by_the_end
            from contacts as k
            inner join standing as s on k.customer = s.customer
            inner join customers as c on k.customer = c.customer
            inner join responses as r on k.action = r.action and c.response = r.response
            cross join moments as m
            where not k.is_held_out and k.day < {day} and r.multiplier <> 1
            group by k.customer
        ),
        ages as (
            select
                s.*,
                c.rhythm, c.leave_level, c.line_value, c.basket_scale, c.agrees_email,
                {leave_given(p, "s.evidence", "c.leave_ok", "c.leave_failed")} as leave,
                c.pace * (
                    faded(m.here, c.join_b, c.fade_onset, c.fade_length)
                    - faded(s.last_b, c.join_b, c.fade_onset, c.fade_length) + coalesce(past.since_last, 0)
                ) as age,
                c.pace * (
                    faded(m.there, c.join_b, c.fade_onset, c.fade_length)
                    - faded(s.last_b, c.join_b, c.fade_onset, c.fade_length) + coalesce(past.by_the_end, 0)
                ) as age_end,
                c.pace * coalesce((r.multiplier - 1) * (
                    faded(least(m.there, m.c1), c.join_b, c.fade_onset, c.fade_length)
                    - faded(m.c0, c.join_b, c.fade_onset, c.fade_length)), 0) as added,
                case when m.c0 is not null and c.agrees_email then {number(p.contact_probability)} else 0 end as contacted
            from standing as s
            inner join customers as c on s.customer = c.customer
            cross join moments as m
            left join past on s.customer = past.customer
            left join responses as r on m.action = r.action and c.response = r.response
        ),
        chances as (
            select
                *,
                {survival(p, "rhythm", "leave", "age")} as alive_now,
                {survival(p, "rhythm", "leave", "age_end")} as alive_plain,
                {survival(p, "rhythm", "leave", "(age_end + added)")} as alive_contacted,
                {phase_weights(p, "rhythm", "leave", "age")} as phase_weight
            from ages
        ),
        counted as (
            select
                x.*,
                list_dot_product(phase_weight, list_transform(k.m, lambda v, i:
                    v + (k.next_m[i] - v) * (x.age_end - x.age - k.span) / (k.next_span - k.span))) / alive_now as n_plain,
                list_dot_product(phase_weight, list_transform(l.m, lambda v, i:
                    v + (l.next_m[i] - v) * (x.age_end + added - x.age - l.span) / (l.next_span - l.span))) / alive_now
                    as n_contacted
            from chances as x
            inner join counts as k on x.rhythm = k.rhythm and x.leave_level = k.leave_level
                and {step.replace("span", "(x.age_end - x.age)")} = k.step
            inner join counts as l on x.rhythm = l.rhythm and x.leave_level = l.leave_level
                and {step.replace("span", "(x.age_end + added - x.age)")} = l.step
        )
        select
            cast('{as_of}' as date) as as_of_date,
            cast({FIRST_ID} + customer as varchar) as customer_id,
            {horizon} as horizon_days,
            round((1 - contacted) * alive_plain / alive_now + contacted * alive_contacted / alive_now, 9) as p_no_purchase,
            round((1 - contacted) * n_plain + contacted * n_contacted, 7) as expected_orders,
            round({number(p.margin_share)} * line_value
                * (1 + 1 / (exp(1 / ({number(factor)} * basket_scale)) - 1) - {number(p.return_share)})
                * ((1 - contacted) * n_plain + contacted * n_contacted), 6) as expected_margin,
            coalesce(next_day < {end}, false) as has_purchased,
            has_left
        from counted
    """
