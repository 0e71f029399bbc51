"""Who the customers are: attributes, latent classes, consent, and the campaigns that they were drawn for.

In: the population. Out: tables `customers` (one row a customer number) and `contacts` (one row a drawn customer and
campaign, held out or not). Nothing here depends on what anybody bought.
"""

from datetime import date

import duckdb

from simulation.draws import number, sql_list
from simulation.population import CATEGORY_PRICES, DISCOUNT_STEPS, LEAVE_LEVELS, MEAN_QUANTITY, TIERS, Population


def _class_of(uniform: str, weights: tuple[float, ...]) -> str:
    """SQL: the class (from 0) that a uniform falls into."""
    total, cases = 0.0, []
    for i, weight in enumerate(weights[:-1]):
        total += weight
        cases.append(f"when {uniform} < {number(total)} then {i}")
    return f"case {' '.join(cases)} else {len(weights) - 1} end" if cases else "0"


def leave_level(pace: str, hazard: str) -> str:
    """SQL: index (from 1) into LEAVE_LEVELS of the chance to leave before the next purchase, hazard / (pace + hazard),
    which is its log odds ln(hazard / pace)."""
    step = f"round((ln({hazard} / {pace}) + 8.0) / 0.16)"
    return f"cast(greatest(0, least({len(LEAVE_LEVELS) - 1}, {step})) as integer) + 1"


def covariate_pace(p: Population) -> str:
    return (
        f"exp({sql_list(p.pace_by_region)}[region + 1] + {sql_list(p.pace_by_age)}[age + 1]"
        f" + {number(p.pace_by_household)} * (household - 2))"
    )


def covariate_hazard(p: Population) -> str:
    return f"exp({sql_list(p.leave_by_region)}[region + 1] + {sql_list(p.leave_by_age)}[age + 1])"


def create_customers(
    con: duckdb.DuckDBPyConnection, p: Population, n_customers: int, n_history: int, history_days: int, end_day: int
) -> None:
    """Table `customers`. Those numbered up to `n_history` join within the history, the others in the nights after it,
    which end before `end_day`. A second identity copies who its person is, not how it buys."""
    discount_mean = sum(DISCOUNT_STEPS) / len(DISCOUNT_STEPS)
    rates = sql_list(p.rate_classes())
    discounted = f"case when is_hunter then {number(p.hunter_discount_share)} else {number(p.usual_discount_share)} end"
    n_persons = max(1, round(n_history * (1 - p.duplicate_share)))
    prices = CATEGORY_PRICES[p.variant]
    mean_price = sum(prices[int(12 * ((k + 0.5) / 256) ** 2)] for k in range(256)) / 256
    con.execute(f"""
        create or replace table customers as
        with numbered as (
            select
                cast(range + 1 as bigint) as customer,
                case
                    when range < {n_persons} or range >= {n_history} then range + 1
                    else 1 + bits_person(range) % {n_persons}
                end as person
            from range({n_customers})
        ),
        drawn as (
            select
                customer,
                cast(person as bigint) as person,
                customer <> person as is_second_identity,
                bits_person(person) as hp,
                bits_place(person) as hl,
                bits_taste(customer) as ht,
                bits_join(customer) as hj,
                bits_join(customer + {1 << 40}) as hr,
                bits_consent(customer) as hc
            from numbered
        ),
        attributes as (
            select
                *,
                {_class_of("ua(hl)", (0.22, 0.18, 0.2, 0.17, 0.15, 0.08))} as region,
                {_class_of("ub(hl)", (0.12, 0.2, 0.2, 0.18, 0.15, 0.15))} as age,
                {_class_of("uc(hl)", (0.3, 0.34, 0.16, 0.13, 0.07))} + 1 as household,
                {_class_of("ua(hp)", (0.25, 0.4, 0.25, 0.1))} as income,
                case
                    when customer > {n_history} then {history_days} + floor(ub(hj) * {end_day - history_days})
                    when ua(hj) < {number(p.initial_share)} then floor(ub(hj) * {min(p.initial_days, history_days)})
                    else floor(ub(hj) * {history_days})
                end as join_day,
                uc(hj) < {number(p.never_share)} as never_buys,
                cast(floor(ua(hr) * {p.n_rate_classes}) as integer) as rate_class,
                {_class_of("ub(hr)", p.leave_weights)} as leave_class,
                {_class_of("uc(hr)", p.rhythm_weights)} as rhythm,
                {_class_of("ua(ht)", p.fade_weights)} as fade,
                {
        _class_of("ub(ht)", (1 - p.persuadable_share - p.sleeping_dog_share, p.persuadable_share, p.sleeping_dog_share))
    } as response,
                bits_taste(customer + {1 << 40}) as hb,
                bits_taste(customer + {1 << 41}) as hs
            from drawn
        ),
        paced as (
            select
                attributes.*,
                {number(p.rate_scale)} * {rates}[rate_class + 1] * {covariate_pace(p)} as pace,
                {sql_list(p.leave_hazards)}[leave_class + 1] * {covariate_hazard(p)} as hazard
            from attributes
        ),
        levelled as (
            select
                *,
                {leave_level("pace", "hazard")} as leave_level,
                cast(floor(u8(hb, 0) * 12) as integer) as favourite,
                {_class_of("u8(hb, 1)", (0.1, 0.2, 0.4, 0.2, 0.1))} as taste,
                u8(hb, 2) < {number(p.hunter_share)} as is_hunter,
                {_class_of("u8(hb, 3)", (0.55, 0.3, 0.15))} as usual_channel,
                exp({number(p.lines_sigma)} * normal(ua(hs), ub(hs)) - {number(p.lines_sigma**2 / 2)}) as basket_scale,
                1 + cast(floor(u8(hb, 5) * 20) as integer) as home_store,
                ua(hc) < {number(p.email_consent)} as agrees_email,
                ub(hc) < 0.4 as agrees_sms,
                uc(hc) < 0.25 as agrees_phone
            from paced
        )
        select
            levelled.* exclude (hp, hl, ht, hj, hr, hc, hb, hs, join_day, pace, hazard),
            cast(levelled.join_day as integer) as join_day,
            pace,
            days.b0 + ua(bits_join(customer + {1 << 41})) * days.weight as join_b,
            days.b0 as join_day_b,
            {sql_list(LEAVE_LEVELS)}[leave_level] as leave_ok,
            1 - (1 - {sql_list(LEAVE_LEVELS)}[leave_level]) * {number(1 - p.failure_leave)} as leave_failed,
            {sql_list(p.fade_onsets)}[fade + 1] as fade_onset,
            {sql_list(p.fade_lengths)}[fade + 1] as fade_length,
            {discounted} as discount_line_share,
            -- expected money of one line: price x quantity x (1 - discount), over category, tier and article
            (0.5 * {sql_list(prices)}[favourite + 1] + 0.5 * {number(mean_price)})
            * (51 * {sql_list(TIERS)}[greatest(taste - 1, 0) + 1] + 154 * {sql_list(TIERS)}[taste + 1]
                + 51 * {sql_list(TIERS)}[least(taste + 1, 4) + 1]) / 256
            * {number(MEAN_QUANTITY)}
            * (1 - {discounted} * {number(discount_mean)}) as line_value
        from levelled
        inner join days on levelled.join_day = days.day
    """)


def create_contacts(con: duckdb.DuckDBPyConnection, p: Population, start: date, last_day: int) -> None:
    """Tables `campaigns` (number, action, day, business time of begin and end of the effect), `responses` (multiplier
    by action and kind of response) and `contacts`. Campaigns go to a random part of those who agreed to e-mail and are
    customers already, and a random part of that audience is held out."""
    days = range(p.campaign_first_day, last_day, p.campaign_every_days)
    con.execute(
        "create or replace table campaigns (campaign integer, action integer, day integer, c0 double, c1 double)"
    )
    for campaign, day in enumerate(days):
        con.execute(
            "insert into campaigns select ?, ?, ?, a.b0, b.b0 from days a, days b "
            "where a.day = ? and b.day = least(?, (select max(day) from days))",
            [campaign, campaign % len(p.actions), day, day, day + p.effect_days],
        )
    con.execute("create or replace table responses (action integer, response integer, multiplier double)")
    for kind, action in enumerate(p.actions):
        for response, multiplier in enumerate((1.0, action.persuadable, action.sleeping_dog)):
            con.execute("insert into responses values (?, ?, ?)", [kind, response, multiplier])
    con.execute(f"""
        create or replace table contacts as
        select
            customers.customer,
            campaigns.campaign,
            campaigns.action,
            campaigns.day,
            campaigns.c0,
            campaigns.c1,
            ub(bits_contact(customers.customer * 512 + campaigns.campaign)) < {number(p.campaign_holdout)}
                as is_held_out
        from customers
        inner join campaigns on customers.join_day < campaigns.day
        where
            customers.agrees_email
            and ua(bits_contact(customers.customer * 512 + campaigns.campaign)) < {number(p.campaign_share)}
    """)
