"""Everything but transactions that the business knows: SQL of customers, consents, interactions, surveys, referrals,
contacts, balances.

Each function gives the rows of first_day ≤ day < end_day, in a fixed order, in the columns of the canonical tables.
"""

from simulation.baskets import FIRST_ID
from simulation.population import AGE_BANDS, INCOME_BANDS, REGIONS, Population

_FIRST_NAMES = (
    "Ada",
    "Bao",
    "Cleo",
    "Dan",
    "Eve",
    "Finn",
    "Gia",
    "Hugo",
    "Ines",
    "Jon",
    "Kim",
    "Lea",
    "Max",
    "Nia",
    "Oto",
    "Pia",
)
_LAST_NAMES = (
    "Abel",
    "Berg",
    "Cruz",
    "Dahl",
    "Egger",
    "Frank",
    "Gomez",
    "Haas",
    "Ito",
    "Jung",
    "Klein",
    "Lopez",
    "Meyer",
    "Novak",
    "Olsen",
    "Petit",
)


def _texts(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{v}'" for v in values) + "]"


def _day(start: str, day: str) -> str:
    return f"cast(cast('{start}' as date) + cast({day} as integer) as date)"


def _at(start: str, day: str, second: str) -> str:
    return f"cast('{start}' as timestamp) + to_days(cast({day} as integer)) + to_seconds(cast({second} as integer))"


def customers_sql(p: Population, first_day: int, end_day: int, start: str) -> str:
    """Who joined in the span. A second identity repeats the name, the birth date and either the e-mail or the phone."""
    return f"""
        select
            {FIRST_ID} + customer as customer_id,
            {_day(start, "join_day")} as joined_on,
            {_texts(REGIONS)}[region + 1] as region,
            {_texts(AGE_BANDS)}[age + 1] as age_band,
            {_texts(INCOME_BANDS)}[income + 1] as income_band,
            cast(household as varchar) as household_size,
            case when household = 1 then 'single' when household = 2 then 'couple' else 'family' end as household_type,
            {_day(start, "-365 * ([21, 30, 40, 50, 60, 72][age + 1]) - cast(bits_person(person) % 365 as integer)")}
                as birth_date,
            {_texts(_FIRST_NAMES)}[cast(bits_person(person) % 16 as integer) + 1] || ' '
                || {_texts(_LAST_NAMES)}[cast((bits_person(person) >> 8) % 16 as integer) + 1] as full_name,
            case when not is_second_identity or customer % 2 = 0 then 'p' || person || '@example.com'
                else 'p' || person || '.b@example.com' end as email,
            case when not is_second_identity or customer % 2 = 1
                then '+99 ' || cast(100000000 + person as varchar)
                else '+99 ' || cast(500000000 + customer as varchar) end as phone,
            cast(10000 + region * 1000 + cast(bits_place(person) % 800 as integer) as varchar) as postal_code
        from customers
        where join_day >= {first_day} and join_day < {end_day}
        order by customer
    """


def consents_sql(p: Population, first_day: int, end_day: int, start: str) -> str:
    """What each customer said at the till when it joined, by channel; some withdraw text messages 200 days later."""
    said = """
        select customer, join_day as day, 'email' as channel,
            case when agrees_email then 'granted' else 'denied' end as status from customers
        union all
        select customer, join_day, 'sms', case when agrees_sms then 'granted' else 'denied' end from customers
        union all
        select customer, join_day, 'phone', 'granted' from customers where agrees_phone
        union all
        select customer, join_day + 200, 'sms', 'withdrawn' from customers
        where agrees_sms and bits_consent(customer) % 16 = 0
    """
    return f"""
        select
            {FIRST_ID} + customer as customer_id,
            channel,
            'marketing' as purpose,
            status,
            'consent' as lawful_basis,
            {_at(start, "day", "7 * 3600")} as valid_from
        from ({said})
        where day >= {first_day} and day < {end_day}
        order by day, customer, channel, status
    """


def interactions_sql(p: Population, first_day: int, end_day: int, start: str) -> str:
    """Complaints and surveys in the evening of a purchase, inquiries now and then. Most failures leave no trace."""
    return f"""
        with events as (
            select customer, day, 'complaint' as kind, cast(null as tinyint) as score,
                72000 + cast(bits_service(customer * 65536 + n) % 10800 as integer) as second,
                cast(bits_service(customer * 65536 + n + 7) % 6 as integer) as open_days
            from orders where complained
            union all
            select customer, day, 'survey', survey_score,
                72000 + cast(bits_service(customer * 65536 + n) % 10800 as integer), null
            from orders where survey_score is not null
            union all
            select customer, day, 'inquiry', null, second + 600, 0
            from orders where bits_service(customer * 65536 + n) % 50 = 0
        )
        select
            {FIRST_ID} + customer as customer_id,
            {_at(start, "day", "second")} as occurred_at,
            kind,
            cast(score as double) as score,
            case when kind = 'complaint' and open_days < 5 and day + open_days < {end_day}
                    then {_at(start, "day + open_days", "86000")}
                when kind = 'inquiry' then {_at(start, "day", "second + 900")} end as resolved_at
        from events
        where day >= {first_day} and day < {end_day}
        order by day, second, customer, kind
    """


#: What questionnaires ask about: the least and the most important that anybody calls it, and whether satisfaction with
#: it follows what happened at the purchase.
_ATTRIBUTES = (("price", 3, 5, False), ("range", 2, 4, False), ("service", 4, 5, True), ("opening hours", 1, 3, False))


def surveys_sql(p: Population, first_day: int, end_day: int, start: str) -> str:
    """A questionnaire an hour after each survey. Answers follow what the score already shows, and chance: they say
    whether the purchase failed, and nothing more of whether the customer leaves: many who leave are satisfied."""
    questions = """
        select customer, day, second, cast(null as varchar) as attribute, survey_score as recommendation,
            case when has_failed then 1 + (h >> 3) % 3 else 3 + (h >> 3) % 3 end as repurchase_intention,
            case when has_failed then 1 + (h >> 9) % 4 else 2 + (h >> 9) % 4 end as trust,
            case when has_failed then 1 + (h >> 15) % 2 else 3 + (h >> 15) % 3 end as satisfaction,
            null as importance
        from asked
    """
    for n, (name, low, high, follows) in enumerate(_ATTRIBUTES):
        drawn = f"(h >> {21 + 8 * n})"
        satisfaction = f"case when has_failed then 1 + {drawn} % 2 else 3 + {drawn} % 3 end"
        questions += f"""
            union all select customer, day, second, '{name}', null, null, null,
                {satisfaction if follows else f"1 + {drawn} % 5"}, {low} + ({drawn} >> 4) % {high - low + 1}
            from asked
        """
    return f"""
        with asked as (
            select customer, day, survey_score, survey_score < 5 as has_failed,
                72000 + cast(bits_service(customer * 65536 + n) % 10800 as integer) + 3600 as second,
                bits_survey(customer * 65536 + n) as h
            from orders where survey_score is not null and day >= {first_day} and day < {end_day}
        )
        select
            {FIRST_ID} + customer as customer_id,
            {_at(start, "day", "least(second, 86399)")} as answered_at,
            attribute,
            cast(recommendation as double) as recommendation,
            cast(repurchase_intention as double) as repurchase_intention,
            cast(trust as double) as trust,
            cast(satisfaction as double) as satisfaction,
            cast(importance as double) as importance
        from ({questions})
        order by day, second, customer, attribute nulls first
    """


def referrals_sql(p: Population, first_day: int, end_day: int, start: str) -> str:
    """One in eight customers was brought by somebody of the same region who had joined before, on joining."""
    return f"""
        with numbered as (
            select customer, region, join_day, bits_place(customer + {1 << 44}) as h,
                row_number() over (partition by region order by join_day, customer) as place
            from customers
        )
        select
            {FIRST_ID} + b.customer as customer_id,
            {FIRST_ID} + r.customer as referrer_customer_id,
            {_day(start, "b.join_day")} as referred_on
        from numbered as b
        inner join numbered as r
            on b.region = r.region and r.place = 1 + cast((b.h >> 8) % greatest(b.place - 1, 1) as integer)
        where b.place > 1 and b.h % 8 = 0 and b.join_day >= {first_day} and b.join_day < {end_day}
        order by b.join_day, b.customer
    """


def contacts_sql(p: Population, first_day: int, end_day: int, start: str) -> str:
    """One row a drawn customer and campaign: held_out, or how far the message came. A redemption is the first purchase
    while the offer held, by half of those who bought, and is written only once it has happened."""
    actions = p.actions
    return f"""
        with drawn as (
            select c.*, bits_contact((c.customer * 512 + c.campaign) + {1 << 42}) as h
            from contacts as c where c.day >= {first_day} and c.day < {end_day}
        ),
        bought as (
            select d.customer, d.campaign, min(o.day * 86400 + o.second) as bought_at
            from drawn as d
            inner join orders as o on d.customer = o.customer and o.day >= d.day and o.day < d.day + {p.effect_days}
            where not d.is_held_out and u8(d.h, 0) < 0.5 and o.day < {end_day}
            group by d.customer, d.campaign
        )
        select
            'M' || d.campaign || '-' || ({FIRST_ID} + d.customer) as contact_id,
            {FIRST_ID} + d.customer as customer_id,
            'campaign_' || lpad(cast(d.campaign + 1 as varchar), 2, '0') as campaign_id,
            {_texts(tuple(a.action_id for a in actions))}[d.action + 1] as action_id,
            {_texts(tuple(a.channel for a in actions))}[d.action + 1] as channel,
            {_at(start, "d.day", "7 * 3600")} as sent_at,
            cast(case when d.is_held_out then 0 else {[a.cost for a in actions]}[d.action + 1] end as decimal(9, 2))
                as cost,
            cast(case when b.bought_at is null then 0 else {[a.offer_cost for a in actions]}[d.action + 1] end
                as decimal(9, 2)) as offer_cost,
            case
                when d.is_held_out then 'held_out'
                when u8(d.h, 1) < 0.02 and b.bought_at is null then 'bounced'
                when b.bought_at is not null and {[a.offer_cost for a in actions]}[d.action + 1] > 0 then 'redeemed'
                when u8(d.h, 2) < 0.06 then 'responded'
                when u8(d.h, 2) < 0.35 then 'opened'
                else 'delivered'
            end as outcome,
            case
                when d.is_held_out then null
                when b.bought_at is not null and {[a.offer_cost for a in actions]}[d.action + 1] > 0
                    then {_at(start, "b.bought_at // 86400", "b.bought_at % 86400")}
                else {_at(start, "d.day", "8 * 3600 + cast(u8(d.h, 3) * 36000 as integer)")}
            end as outcome_at,
            {_day(start, f"d.day + {p.effect_days - 1}")} as window_ends_on
        from drawn as d
        left join bought as b on d.customer = b.customer and d.campaign = b.campaign
        order by d.day, d.customer
    """


def turned_away_sql(p: Population) -> str:
    """What a bank's customers who turned away do with their account: a row a customer and time that it turned away,
    with the day it began to show, and the day of its next purchase (null: none before the end)."""
    return f"""
        select
            customer,
            day as left_day,
            next_day as until_day,
            day + cast(u8(h, 0) * {p.balance_lag_days} as integer) as changed_day,
            case
                when u8(h, 1) < {p.salary_stop_share} then 'salary_stop'
                when u8(h, 1) < {p.salary_stop_share + p.sweep_share} then 'sweep'
            end as change
        from (select *, bits_balance(customer * 65536 + n + {1 << 50}) as h from orders where has_left)
    """


def balances_sql(p: Population, first_day: int, end_day: int, start: str) -> str:
    """Bank only: the balance after the salary came in (25th) and after the month's spending and sweep (last day), for
    each customer and month since it joined. Who leaves easily keeps less from month to month. Of those who have turned
    away, most take their salary elsewhere from a day
    within the next weeks on, and some sweep what comes in; both until they are seen again. See `turned_away_sql`."""
    return f"""
        with turned as ({turned_away_sql(p)}),
        dates as (
            select day, {_day(start, "day")} as on_date from days where day >= {first_day} and day < {end_day}
        ),
        moments as (
            select day, on_date, extract(day from on_date) = 25 as is_salary from dates
            where extract(day from on_date) = 25 or on_date = last_day(on_date)
        ),
        drawn as (
            select
                c.customer,
                m.day,
                m.on_date,
                m.is_salary,
                [1400, 2300, 3800, 7000][c.income + 1] * exp(0.25 * normal(u8(bits_balance(c.customer), 0),
                    u8(bits_balance(c.customer), 1))) as salary,
                u8(bits_balance(c.customer), 2) < 0.3 as sweeps,
                ua(bits_balance(c.customer * 4096 + m.day)) as u,
                greatest(0.25, exp({list(p.balance_drifts)}[c.leave_class + 1] * (m.day - c.join_day) / 30.4)) as kept,
                t.change
            from customers as c
            inner join moments as m on c.join_day <= m.day
            left join turned as t
                on c.customer = t.customer and m.day >= t.changed_day and (t.until_day is null or m.day < t.until_day)
        )
        select
            {FIRST_ID} + customer as customer_id,
            'A' || ({FIRST_ID} + customer) as account_id,
            on_date as day,
            cast(case
                when change = 'salary_stop' then salary * (0.03 + 0.12 * u)
                when change = 'sweep' and not is_salary then 20 + 60 * u
                when is_salary then kept * salary * (1.05 + 0.6 * u)
                when sweeps then 200 + 50 * u
                else kept * salary * (0.35 + 0.4 * u)
            end as decimal(12, 2)) as balance
        from drawn
        order by day, customer
    """
