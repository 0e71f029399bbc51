"""A simulated business that is contacted by a plan: how its customers react, day by day, and what its systems report.

In: a `Request`, the contacts that a plan made so far. Out: table `orders` as it is with these contacts, SQL of what the
business's systems would deliver of a day, and, for a folder of `holdfast simulate`, the files of the next day.

A contact changes the pace of a customer while it works, as campaigns of the history do (see `population`). Purchases
are a function of the seed and of the contacts so far, so nothing is simulated forwards: each day the purchases are
computed again with one more day of contacts. What happened before a contact is the same to the bit, and two plans can
be compared on the same customers with the same luck. The reaction depends on the customer's hidden kind: persuadables
buy faster, sleeping dogs slower, the others (sure things and lost causes) as before. Each contact of the last four
weeks makes the next one weaker, and worse for sleeping dogs. Half of those who buy while an offer holds take it,
whether or not the contact moved them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from assets.shared.errors import UserError
from assets.shared.quoting import literal
from simulation import purchases
from simulation.baskets import FIRST_ID
from simulation.business import MARK, Request, fit_pace, generate_fitting, write_day
from simulation.population import Population, for_size

#: How each action multiplies the pace of persuadables and of sleeping dogs while it works, and what its offer costs.
#: Actions of the population's own campaigns have theirs there; what is in neither works like `OTHER`.
EFFECTS = {
    "stay_call": (3.0, 0.3, 0.0),
    "movement_call": (2.6, 0.4, 0.0),
    "personal_thanks_call": (1.8, 0.6, 0.0),
    "service_recovery": (2.2, 0.9, 0.0),
    "wake_up_offer": (2.4, 0.6, 5.0),
    "win_back_offer": (2.0, 0.6, 6.0),
    "campaign_invitation": (1.8, 0.5, 5.0),
    "stay_benefit": (2.0, 0.6, 1.0),
    "care_greeting": (1.2, 0.9, 0.5),
    "thank_and_ask": (1.2, 0.9, 0.0),
}
OTHER = (1.2, 0.8, 0.0)
#: What one contact by a channel costs the business.
COSTS = {"email": 0.02, "sms": 0.06, "phone": 4.0, "mail": 0.6}
#: Of a contact's effect, what is left for each contact of the days before it; the same of a sleeping dog's pace.
FATIGUE, ANGER, FATIGUE_DAYS = 0.6, 0.8, 28
#: Shares of contacts: never sent, bounced, answered by an opt-out (of sleeping dogs).
NOT_SENT, BOUNCED, OPTED_OUT = 0.02, 0.02, 0.10
#: Share of buyers who take the offer.
TAKES_OFFER = 0.5

_STATE = "live.json"
_CONTACTS = "live_contacts.csv"


@dataclass(frozen=True)
class Contact:
    """A contact that a plan wants made on business day `day` (0 is the first of the history)."""

    contact_id: str
    customer_id: str
    action_id: str
    channel: str
    day: int


def effects_of(p: Population) -> dict[str, tuple[float, float, float]]:
    """(multiplier of persuadables, of sleeping dogs, cost of the offer) of each action that has its own."""
    return EFFECTS | {a.action_id: (a.persuadable, a.sleeping_dog, a.offer_cost) for a in p.actions}


def open_business(con: duckdb.DuckDBPyConnection, request: Request) -> tuple[Population, float]:
    """Make the business in `con` as it is without any contact of a plan. Returns its population and factor of lines."""
    con.execute("set enable_progress_bar = false")
    p = fit_pace(con, for_size(request.variant, request.lines, request.customers), request, _quiet)
    return generate_fitting(con, p, request, _quiet)


def multiplier_sql(response: str) -> str:
    """SQL of how a contact changes the pace of a customer of kind `response`, of columns persuadable, sleeping_dog and
    n_before."""
    return f"""case {response}
                when 1 then 1 + (persuadable - 1) * power({FATIGUE}, n_before)
                when 2 then sleeping_dog * power({ANGER}, n_before) else 1 end"""


def contact(con: duckdb.DuckDBPyConnection, p: Population, request: Request, made: Sequence[Contact]) -> None:
    """Make tables `live_contacts` and `orders` again, with all contacts `made` so far.

    live_contacts: contact_id, customer, action_id, channel, day, is_sent, is_bounced, multiplier, offer_cost, cost, c0
    and c1 (business time in which it works), h (bits of its draws), n_before (contacts that tired), response (kind of
    the customer), persuadable and sleeping_dog (multipliers of the action).
    """
    effects = effects_of(p)
    con.execute(
        "create or replace temp table effects"
        " (action_id varchar, persuadable double, sleeping_dog double, offer double)"
    )
    con.executemany("insert into effects values (?, ?, ?, ?)", [(name, *rest) for name, rest in effects.items()])
    con.execute(
        "create or replace temp table asked"
        " (contact_id varchar, customer bigint, action_id varchar, channel varchar, day integer)"
    )
    if made:
        con.executemany(
            "insert into asked values (?, ?, ?, ?, ?)",
            [(c.contact_id, int(c.customer_id) - FIRST_ID, c.action_id, c.channel, c.day) for c in made],
        )
    costs = " ".join(f"when '{channel}' then {cost}" for channel, cost in COSTS.items())
    con.execute(f"""
        create or replace table live_contacts as
        with drawn as (
            select
                asked.*, c.response,
                bits_contact(c.customer * 65536 + asked.day + {1 << 43}) as h,
                coalesce(e.persuadable, {OTHER[0]}) as persuadable,
                coalesce(e.sleeping_dog, {OTHER[1]}) as sleeping_dog,
                coalesce(e.offer, {OTHER[2]}) as offer_cost
            from asked
            inner join customers as c on asked.customer = c.customer
            left join effects as e on asked.action_id = e.action_id
        ),
        sent as (
            select *, ua(h) >= {NOT_SENT} as is_sent, ub(h) < {BOUNCED} as is_bounced from drawn
        ),
        reached as (
            select customer, day from sent where is_sent and not is_bounced
            union all
            select customer, day from contacts where not is_held_out
        ),
        tired as (
            select sent.contact_id, count(reached.day) as n_before
            from sent
            left join reached on sent.customer = reached.customer and reached.day < sent.day
                and reached.day >= sent.day - {FATIGUE_DAYS}
            group by sent.contact_id
        )
        select
            sent.contact_id, sent.customer, sent.action_id, sent.channel, sent.day, is_sent, is_bounced, h, n_before,
            offer_cost, case channel {costs} else 0 end as cost,
            {multiplier_sql("response")} as multiplier, a.b0 as c0, z.b0 as c1, response, persuadable, sleeping_dog
        from sent
        inner join tired on sent.contact_id = tired.contact_id
        inner join days as a on sent.day = a.day
        inner join days as z on least(sent.day + {p.effect_days}, {request.all_days}) = z.day
    """)
    purchases.create_stretches(
        con,
        "select customer, c0, c1, multiplier from live_contacts where is_sent and not is_bounced and multiplier <> 1",
    )
    purchases.create_orders(con, p, request.all_days - 1, request.all_customers)


def reports_sql(p: Population, first_day: int, end_day: int, start: str) -> str:
    """SQL of what the business reports of the plan's contacts in first_day <= day < end_day: how far each came on its
    day, and an offer that is taken on the day of the purchase. Columns as of the campaigns' contacts."""
    at = f"cast('{start}' as timestamp) + to_days(cast(k.day as integer)) + to_seconds(25200)"
    return f"""
        with bought as (
            select k.contact_id, min(o.day * 86400 + o.second) as bought_at
            from live_contacts as k
            inner join orders as o on k.customer = o.customer and o.day >= k.day and o.day < k.day + {p.effect_days}
            where k.is_sent and not k.is_bounced and k.offer_cost > 0 and uc(k.h) < {TAKES_OFFER}
            group by k.contact_id
        ),
        reports as (
            select
                k.*, {at} as sent_at, 0.0 as taken, {at} + to_hours(3) as outcome_at,
                case
                    when not is_sent then 'not_sent'
                    when is_bounced then 'bounced'
                    when response = 2 and u8(h, 7) < {OPTED_OUT} then 'opted_out'
                    when u8(h, 6) < 0.06 then 'responded'
                    when u8(h, 6) < 0.35 then 'opened'
                    else 'delivered'
                end as outcome
            from live_contacts as k
            where k.day >= {first_day} and k.day < {end_day}
            union all
            select
                k.*, {at} as sent_at, k.offer_cost as taken,
                cast('{start}' as timestamp) + to_days(cast(b.bought_at // 86400 as integer))
                    + to_seconds(cast(b.bought_at % 86400 as integer)) as outcome_at,
                'redeemed' as outcome
            from live_contacts as k
            inner join bought as b on k.contact_id = b.contact_id
            where b.bought_at >= {first_day} * 86400 and b.bought_at < {end_day} * 86400
        )
        select
            contact_id,
            {FIRST_ID} + customer as customer_id,
            cast(null as varchar) as campaign_id,
            action_id,
            channel,
            sent_at,
            cast(case when is_sent then cost else 0 end as decimal(9, 2)) as cost,
            cast(taken as decimal(9, 2)) as offer_cost,
            outcome,
            outcome_at,
            cast(cast(sent_at as date) + {p.effect_days - 1} as date) as window_ends_on
        from reports
        order by outcome_at, contact_id
    """


def _quiet(line: str) -> None:
    pass


# -- a folder that lives ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Day:
    """A day that was written: its date, contacts read from the export of its morning, lines and reports written."""

    on: date
    n_contacts: int
    n_lines: int
    n_reports: int


def live_day(out: Path, exports: Path) -> Day:
    """Let one day pass in the business of folder `out`: read the files of `exports/<date>/` of its morning and write
    the day into `out/landing`. The same day again, after a crash, writes the same files.

    Raises UserError where `out` is no simulation, has no day left, or where the night of the day exported nothing."""
    require_day(out)
    request, state = _request(out), _state(out)
    on = request.start + timedelta(days=state["day"])
    folder = exports / on.isoformat()
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not there: no plan of {on} was exported", f"run the night of {on} on this business first"
        )
    made = [*_read_contacts(out / _CONTACTS), *_exported(folder, request)]
    made = list({c.contact_id: c for c in made}.values())
    _write_contacts(out / _CONTACTS, made)
    with duckdb.connect() as con:
        p, factor = open_business(con, request)
        contact(con, p, request, made)
        con.execute("set preserve_insertion_order = true")
        rows = write_day(con, p, request, factor, state["day"], out / "landing", {"contacts_plan": reports_sql})
    (out / _STATE).write_text(json.dumps({"day": state["day"] + 1}) + "\n")
    return Day(on, sum(c.day == state["day"] for c in made), rows["transactions"], rows["contacts_plan"])


def require_day(out: Path) -> None:
    """Raise UserError where the business of folder `out` has no day left to live."""
    request = _request(out)
    if _state(out)["day"] >= request.first_end_day:
        raise UserError(
            f"the business in {out} has lived all its {request.nights} days", "simulate one with more --nights"
        )


def next_morning(out: Path) -> date:
    """The as-of date of the night that is due."""
    return _request(out).start + timedelta(days=_state(out)["day"])


def _request(out: Path) -> Request:
    try:
        said = json.loads((out / MARK).read_text())
        said["start"] = date.fromisoformat(said["start"])
        return Request(out=out, **said)
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"{out} holds no simulated business", "make one first, with as many --nights as it shall live"
        ) from None


def _state(out: Path) -> dict[str, int]:
    path = out / _STATE
    return json.loads(path.read_text()) if path.exists() else {"day": _request(out).history_days}


def _exported(folder: Path, request: Request) -> list[Contact]:
    with duckdb.connect() as con:
        rows = con.execute(
            "select contact_id, customer_id, action_id, parse_filename(filename, true), due_on"
            " from read_csv(?, header = true, all_varchar = true, filename = true, union_by_name = true)"
            " order by contact_id",
            [str(folder / "*.csv")],
        ).fetchall()
    return [
        Contact(contact_id, customer_id, action_id, channel, (date.fromisoformat(due_on) - request.start).days)
        for contact_id, customer_id, action_id, channel, due_on in rows
    ]


def _read_contacts(path: Path) -> list[Contact]:
    if not path.exists():
        return []
    with duckdb.connect() as con:
        rows = con.execute(
            f"select contact_id, customer_id, action_id, channel, day::integer from read_csv({literal(path)},"
            " header = true, all_varchar = true) order by contact_id"
        ).fetchall()
    return [Contact(*row) for row in rows]


def _write_contacts(path: Path, made: Sequence[Contact]) -> None:
    lines = ["contact_id,customer_id,action_id,channel,day"]
    lines += [f"{c.contact_id},{c.customer_id},{c.action_id},{c.channel},{c.day}" for c in made]
    path.write_text("\n".join(lines) + "\n")
