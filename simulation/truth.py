"""What nobody in the business can know, but a benchmark must: probabilities, margins and effects as they truly are.

In: the generator's tables. Out: SQL, one row a customer with a purchase before the date, and horizon. Two kinds:

* `p_no_purchase`: given the customer's own parameters and its recorded history; whether it has left is summed over.
* `p_no_purchase_knowable`: given the parameters of the population, the customer's recorded history and attributes, but
  not its own parameters; the best that any model could do (see `knowable`).

Both know the calendar of seasons and campaigns but not who will be drawn for a campaign after the date; that draw is
summed over.
"""

import duckdb

from simulation.baskets import FIRST_ID
from simulation.draws import number, sql_list
from simulation.population import RESPONSES, RHYTHMS, Population
from simulation.records import turned_away_sql
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


def leave_given(p: Population, evidence: str, leave_ok: str, failed: str) -> str:
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
        {_past(day)},
        ages as (
            select
                s.*,
                c.rhythm, c.leave_level, c.line_value, c.basket_scale, c.agrees_email,
                {leave_given(p, "s.evidence", "c.leave_ok", "c.leave_failed")} as leave,
                {_age("m.here", "since_last")} as age,
                {_age("m.there", "by_the_end")} as age_end,
                c.pace * coalesce((r.multiplier - 1) * (
                    faded(least(m.there, m.c1), c.join_b, c.fade_onset, c.fade_length)
                    - faded(m.c0, c.join_b, c.fade_onset, c.fade_length)), 0) as added,
                case when m.c0 is not null and c.agrees_email then {number(p.contact_probability)} else 0 end
                    as contacted
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
                    v + (k.next_m[i] - v) * (x.age_end - x.age - k.span) / (k.next_span - k.span))) / alive_now
                    as n_plain,
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
            cast({FIRST_ID} + c.customer as varchar) as customer_id,
            {horizon} as horizon_days,
            round(((1 - contacted) * alive_plain + contacted * alive_contacted) / alive_now, 9) as p_no_purchase,
            round(k.p, 9) as p_no_purchase_knowable,
            round((1 - contacted) * n_plain + contacted * n_contacted, 7) as expected_orders,
            round(k.orders, 7) as expected_orders_knowable,
            round({number(p.margin_share)} * line_value
                * (1 + 1 / (exp(1 / ({number(factor)} * basket_scale)) - 1) - {number(p.return_share)})
                * ((1 - contacted) * n_plain + contacted * n_contacted), 6) as expected_margin,
            coalesce(next_day < {end}, false) as has_purchased,
            has_left
        from counted as c
        left join knowable as k on c.customer = k.customer and k.day = {day} and k.horizon = {horizon}
    """


def customers_sql(p: Population) -> str:
    """SQL: each customer's own parameters, one row a customer."""
    return f"""
        select
            cast({FIRST_ID} + customer as varchar) as customer_id,
            cast({FIRST_ID} + person as varchar) as person_id,
            never_buys,
            round(pace, 9) as purchases_a_day,
            round(leave_ok, 9) as leave_probability,
            {list(RHYTHMS)}[rhythm + 1] as rhythm,
            case when fade = 0 then null else {sql_list(p.fade_onsets)}[fade + 1] end as fades_after_days,
            {list(RESPONSES)}[response + 1] as response,
            is_hunter as is_promotion_hunter
        from customers
        order by customer
    """


def effects_sql(p: Population, day: int, horizon: int, as_of: str) -> str:
    """SQL: for each standing customer and action, the probability of a purchase within `horizon` days of the business
    day's morning with and without a contact on it, and the four kinds of customers (who does not respond is a sure
    thing if a purchase is likely anyway, else a lost cause). No other campaign in the horizon is assumed."""
    actions = [a.action_id for a in p.actions]
    alive_now = survival(p, "rhythm", "leave", "age")
    return f"""
        with moments as (
            select a.b0 as here, z.b0 as there, e.b0 as effect_end
            from days as a, days as z, days as e
            where a.day = {day} and z.day = {day + horizon} and e.day = {day + min(horizon, p.effect_days)}
        ),
        {_past(day)},
        ages as (
            select
                c.customer, c.rhythm, c.response, r.action,
                r.multiplier,
                {leave_given(p, "s.evidence", "c.leave_ok", "c.leave_failed")} as leave,
                {_age("m.here", "since_last")} as age,
                {_age("m.there", "by_the_end")} as age_end,
                c.pace * (r.multiplier - 1) * (
                    faded(m.effect_end, c.join_b, c.fade_onset, c.fade_length)
                    - faded(m.here, c.join_b, c.fade_onset, c.fade_length)) as added
            from standing as s
            inner join customers as c on s.customer = c.customer
            inner join responses as r on c.response = r.response
            cross join moments as m
            left join past on s.customer = past.customer
        ),
        chances as (
            select
                *,
                1 - ({survival(p, "rhythm", "leave", "age_end")}) / ({alive_now}) as p_if_not,
                1 - ({survival(p, "rhythm", "leave", "(age_end + added)")}) / ({alive_now}) as p_if_contacted
            from ages
        )
        select
            cast('{as_of}' as date) as as_of_date,
            cast({FIRST_ID} + customer as varchar) as customer_id,
            {actions}[action + 1] as action_id,
            {horizon} as horizon_days,
            round(p_if_not, 9) as p_purchase_if_not_contacted,
            round(p_if_contacted, 9) as p_purchase_if_contacted,
            round(p_if_contacted - p_if_not, 9) as effect,
            case
                when response = 1 then 'persuadable' when response = 2 then 'sleeping_dog'
                when p_if_not >= 0.5 then 'sure_thing' else 'lost_cause'
            end as kind
        from chances
    """


def changes_sql(p: Population, end_day: int, start: str) -> str:
    """SQL: dated changes of behaviour before `end_day`, a row a customer, change and day: `stop` (turned away; the day
    after the last purchase, `until_on` that of the next one), `fading` (its pace begins to fall) and, at a bank,
    `salary_stop` and `sweep`."""
    turned = f"""
        union all
        select customer, change, changed_day, until_day from ({turned_away_sql(p)})
        where change is not null and (until_day is null or changed_day < until_day)
    """
    return f"""
        with changed as (
            select customer, 'stop' as change, day + 1 as day, next_day as until_day from orders where has_left
            union all
            select customer, 'fading', join_day + cast(fade_onset as integer), null
            from customers where fade_onset < 1e6 and not never_buys
            {turned if p.variant == "bank" else ""}
        )
        select
            {FIRST_ID} + customer as customer_id,
            change,
            cast(cast('{start}' as date) + cast(day as integer) as date) as changed_on,
            cast(cast('{start}' as date) + cast(until_day as integer) as date) as until_on
        from changed
        where day < {end_day}
        order by customer_id, changed_on, change
    """


def _age(at: str, past: str) -> str:
    """SQL: own time from the last purchase to business time `at`, earlier contacts included."""
    return f"""c.pace * (
                    faded({at}, c.join_b, c.fade_onset, c.fade_length)
                    - faded(s.last_b, c.join_b, c.fade_onset, c.fade_length) + coalesce(past.{past}, 0)
                )"""


def _past(day: int) -> str:
    """SQL of the relation `past`: what earlier contacts add to effective time since the last purchase, until the moment
    and until the end of the horizon; one row a customer whom one of them moved. Summed as integers: the same in any
    order."""

    def added(at: str) -> str:
        return f"""sum(cast(round((r.multiplier - 1) * 1e9 * (
                    faded(greatest(least({at}, k.c1), s.last_b), c.join_b, c.fade_onset, c.fade_length)
                    - faded(greatest(least({at}, k.c0), s.last_b), c.join_b, c.fade_onset, c.fade_length)
                )) as bigint)) / 1e9"""

    return f"""past as (
            select k.customer, {added("m.here")} as since_last, {added("m.there")} as by_the_end
            from contacts as k
            inner join standing as s on k.customer = s.customer
            inner join customers as c on k.customer = c.customer
            inner join responses as r on k.action = r.action and c.response = r.response
            cross join moments as m
            where not k.is_held_out and k.day < {day} and r.multiplier <> 1
            group by k.customer
        )"""
