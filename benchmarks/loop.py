"""What the contact plan achieves on a business whose truth is known: `make bench-loop`.

In: simulated businesses. Out: docs/learning-loop.md and its picture: true expected profit by month of the contacts that
the plan makes, and that other ways to choose make, on the same customers with the same luck.

Profit is not what customers happened to buy, which chance decides among a few hundred of them, but what each contact
was bound to bring (see `expected`): orders that it adds while it works, less offers and contacts.

The plan is the real one: the models of stage candidates as dbt compiles them, the ledgers, the allocation, the measured
effects. What comes before it is simpler than a night: the scores are a logistic regression on recency, rhythm and
frequency, fitted to the history before the first night and the same for every way to choose, because a whole night
costs a minute of processor time and six months of them for each way to choose hours. Money of an order is its number of
lines times the expected money of a line of its customer.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import duckdb
import numpy as np

from assets.actions.contact_plan import build_contact_plan
from assets.dbt.manifest import parse_project
from assets.dbt.runner import dbt_vars, invoke_dbt
from assets.ledgers.holdout import build_holdout_ledger
from assets.ledgers.past_plans import build_past_flagged, build_past_plans
from assets.shared.params import DBT_PROJECT_DIR, Params, load_params
from assets.shared.settings import Settings, prepare_home
from simulation import live
from simulation.baskets import FIRST_ID, MAX_LINES
from simulation.business import Request
from simulation.population import Population
from simulation.records import contacts_sql

DOC = Path(__file__).resolve().parents[1] / "docs" / "learning-loop.md"
#: Ways to choose, in the order of the table. The first plan learns; `priors` keeps the playbook's numbers.
WAYS = ("plan", "priors", "value at risk", "risk", "random", "means", "truth")
#: Limits of a night for 1,000 customers, small enough to bind.
ROOM = {"email": 40, "sms": 10, "phone": 2, "mail": 5}
BUDGET = 40.0
HORIZON = 30
NODES = (60, 150, 270)

_TABLES = """
create schema identity;
create schema ingest; create schema staging; create schema features; create schema segments; create schema score;
create schema playbook; create schema candidates; create schema movements;
create table movements.customer_movements
    (customer_id varchar, metric varchar, direction varchar, status varchar, money_moved double);
create table staging.stg_interactions (
    customer_id varchar, kind varchar, occurred_at timestamp, resolved_at timestamp,
    occurred_on date as (cast(occurred_at as date)));
create table identity.id_changes (
    old_customer_id varchar, customer_id varchar, next_customer_id varchar, valid_from date, is_first_id boolean,
    is_circular boolean, source varchar, batch_id varchar);
create table features.profiling_refusals (customer_id varchar);
create table segments.customer_tiers (
    customer_id varchar, is_tier_at_risk boolean, tier_basis varchar, tier_lost_on date);
create table segments.tier_bounds (tier_rank integer, tier_basis varchar);
create table ingest.source_status (source varchar, has_consents boolean, has_interactions boolean);
insert into ingest.source_status values ('shop', true, false);
"""


@dataclass
class Business:
    """One simulated business, and what the contacts of each way to choose were bound to bring (see `expected`)."""

    con: duckdb.DuckDBPyConnection
    request: Request
    population: Population
    factor: float
    score: "Score"
    rows: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    def money(self) -> str:
        """SQL of the money of an order `o` of customer `c`."""
        return f"((1 + least(cast(floor(o.lines_draw * {self.factor!r}) as integer), {MAX_LINES - 2})) * c.line_value)"


@dataclass(frozen=True)
class Score:
    """Logistic regression of no purchase within the horizon."""

    model: object

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(features)[:, 1]  # type: ignore[attr-defined]


def standing_sql(business: Business, day: int) -> str:
    """SQL: one row a customer with a purchase before `day`: recency, rhythm, frequency, money."""
    return f"""
        select
            o.customer, max(o.day) as last_day, min(o.day) as first_day, count(*) as n_orders,
            count(*) filter (where o.day >= {day - 180}) as n_180, count(*) filter (where o.day >= {day - 60}) as n_60,
            sum({business.money()}) as money,
            sum({business.money()}) filter (where o.day >= {day - 365}) as money_year
        from orders as o inner join customers as c on o.customer = c.customer
        where o.day < {day}
        group by o.customer
    """


def features_of(rows: dict[str, np.ndarray], day: int) -> np.ndarray:
    """(n, 5) of what the score knows."""
    recency, tenure = day - rows["last_day"], day - rows["first_day"]
    gap = tenure / np.maximum(rows["n_orders"], 1)
    return np.c_[
        np.log1p(recency),
        np.log1p(rows["n_180"]),
        np.log1p(rows["n_60"]),
        np.log1p(tenure),
        np.log(recency / gap + 0.1),
    ]


def fit_score(business: Business, day: int) -> Score:
    """Fitted to four cutoffs whose horizons were over on `day`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, outcomes = [], []
    for back in (30, 60, 90, 120):
        cutoff = day - back
        rows = business.con.execute(
            f"""
            select s.*, not exists (select 1 from orders as o where o.customer = s.customer and o.day >= {cutoff}
                and o.day < {cutoff + HORIZON}) as has_left
            from ({standing_sql(business, cutoff)}) as s order by customer
            """
        ).fetchnumpy()
        features.append(features_of(rows, cutoff))
        outcomes.append(rows["has_left"].astype(int))
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return Score(model.fit(np.concatenate(features), np.concatenate(outcomes)))


# -- the night ----------------------------------------------------------------------------------------------------


class Candidates:
    """The SQL of stage candidates, compiled by dbt once a date for all ways to choose and all businesses."""

    def __init__(self, home: Path, params: Params) -> None:
        self.settings = Settings(home=home, sources=("shop",))
        prepare_home(self.settings)
        self.params, self.project = params, parse_project(self.settings)
        self.compiled: dict[date, list[tuple[str, str]]] = {}

    def models(self, as_of: date) -> list[tuple[str, str]]:
        """(table, SQL), each after those it reads."""
        if as_of not in self.compiled:
            self.compiled[as_of] = self._compile(as_of)
        return self.compiled[as_of]

    def _compile(self, as_of: date) -> list[tuple[str, str]]:
        variables = json.dumps(dbt_vars(self.params, as_of.isoformat(), "none", ()))
        arguments = ["compile", "--select", "config.schema:candidates", "--exclude", "resource_type:test"]
        with redirect_stdout(StringIO()):  # it prints every model
            run = invoke_dbt(self.settings, [*arguments, "--vars", variables], manifest=self.project.manifest)
        waiting = {r.node.unique_id: r.node for r in run.result.results}
        done: list[tuple[str, str]] = []
        while waiting:
            ready = [u for u, node in waiting.items() if not set(node.depends_on.nodes) & set(waiting)]
            done += [(waiting[u].alias, waiting[u].compiled_code) for u in sorted(ready)]
            waiting = {u: node for u, node in waiting.items() if u not in ready}
        return done


def fill_night(business: Business, way: str, day: int) -> None:
    """What stage candidates reads, as the business knows it in the morning of `day`."""
    con, request, start = business.con, business.request, business.request.start
    as_of = start + timedelta(days=day)
    rows = con.execute(f"select * from ({standing_sql(business, day)}) order by customer").fetchnumpy()
    probability = business.score(features_of(rows, day))
    con.register("scored", {"customer": rows["customer"], "p": probability})
    con.execute(
        f"create or replace temp table now_scored as select s.*, scored.p from ({standing_sql(business, day)})"
        " as s inner join scored on s.customer = scored.customer"
    )
    con.unregister("scored")
    on = f"date '{start}' + cast({{}} as integer)"
    margin = business.population.margin_share
    silent, dormant, lost = NODES
    con.execute(f"""
        create or replace temp table now_known as
        select
            cast({FIRST_ID} + s.customer as varchar) as customer_id, s.*, {day} - last_day as silence,
            {margin} * money_year * 365 / least(365, greatest({day} - first_day, 90)) as margin_year,
            percent_rank() over (order by money_year desc nulls last) as place
        from now_scored as s;
        -- Who buys within the horizon buys once at the least.
        create or replace temp table now_worth as
        select *, {margin} * money / n_orders * pace / (1 - exp(-pace)) as margin_if_retained
        from (
            select *, greatest({HORIZON} * n_180 / least(180, greatest({day} - first_day, 45)), 1e-6) as pace
            from now_known
        );
        create or replace table features.customer_features as select
            customer_id, cast(null as date) as joined_on, {on.format("first_day")} as first_order_on,
            {on.format("last_day")} as last_order_on, money / n_orders as average_order_value,
            cast(null as varchar) as outlier_account_reason from now_known;
        create or replace table features.customer_day as select
            cast({FIRST_ID} + o.customer as varchar) as customer_id, {on.format("o.day")} as day,
            cast(count(*) as double) as n_orders, sum({business.money()}) as net_sales
            from orders as o inner join customers as c on o.customer = c.customer where o.day < {day} group by 1, 2;
        create or replace table features.lifecycle_nodes as select date '{as_of}' as cutoff_date,
            {silent}::bigint as silent_days, {dormant}::bigint as dormant_days, {lost}::bigint as lost_days;
        create or replace table segments.customer_lifecycle as select customer_id, case
            when silence >= {lost} then 'lost' when silence >= {dormant} then 'dormant' when silence >= {silent}
            then 'silent' when n_orders = 1 then 'new' else 'active' end as lifecycle_stage from now_known;
        create or replace table segments.customer_value as select customer_id,
            case when place < 0.2 then 'A' when place < 0.5 then 'B' else 'C' end as value_class from now_known;
        create or replace table segments.promotion_dependence as select
            cast({FIRST_ID} + customer as varchar) as customer_id, is_hunter as is_promotion_dependent from customers;
        create or replace table score.churn_scores as select customer_id, p as churn_probability,
            case when p >= 0.8 then 'critical' when p >= 0.6 then 'high' when p >= 0.4 then 'medium' else 'low' end
                as churn_band,
            margin_if_retained, p * margin_if_retained as value_at_risk from now_worth;
        create or replace table score.expected_value as select customer_id,
            least((1 - p) * margin_if_retained * {365 / HORIZON}, margin_year) as expected_margin_year,
            margin_year - least((1 - p) * margin_if_retained * {365 / HORIZON}, margin_year) as value_at_risk_year
            from now_worth;
        create or replace table staging.stg_customers as select cast({FIRST_ID} + customer as varchar) as customer_id,
            true as has_email, true as has_phone, true as has_postal_code, cast(null as varchar) as owner
            from customers;
        create or replace table staging.stg_consents as
            select cast({FIRST_ID} + customer as varchar) as customer_id, channel, 'marketing' as purpose,
                case when agrees then 'granted' else 'denied' end as status,
                timestamp '{start}' as valid_from, cast(null as timestamp) as valid_to,
                'consent' as lawful_basis, cast(null as date) as requested_on, cast(null as date) as confirmed_on
            from (select customer, unnest(['email', 'sms', 'phone']) as channel,
                unnest([agrees_email, agrees_sms, agrees_phone]) as agrees from customers);
        create or replace table staging.stg_contact_reports as
            select contact_id, cast(customer_id as varchar) as customer_id, action_id, channel, sent_at, outcome,
                outcome_at, cast(sent_at as date) as sent_on, 'crm' as source, campaign_id, cost, offer_cost,
                window_ends_on
            from (
                select * from ({live.reports_sql(business.population, request.history_days, day, start.isoformat())})
                union all
                select * from ({contacts_sql(business.population, 0, day, start.isoformat())})
            )
            qualify row_number() over (partition by contact_id order by outcome_at desc nulls last) = 1;
        create or replace view staging.stg_contacts as
            select * from staging.stg_contact_reports where outcome <> 'not_sent';
    """)


def read_playbook(con: duckdb.DuckDBPyConnection) -> None:
    """The real seeds, typed as the project declares them."""
    import yaml

    folder = DBT_PROJECT_DIR / "seeds"
    for seed in yaml.safe_load((folder / "_seeds.yml").read_text())["seeds"]:
        types = seed["config"]["column_types"]
        con.execute(
            f"create table playbook.{seed['name']} as select * from read_csv(?, header = true, columns = {types!r})",
            [str(folder / f"{seed['name']}.csv")],
        )


def night(business: Business, way: str, day: int, candidates: Candidates, ledgers: Path) -> list[live.Contact]:
    """Whom a way to choose contacts on `day`."""
    con, as_of = business.con, business.request.start + timedelta(days=day)
    fill_night(business, way, day)
    learns = way == "plan"
    params = candidates.params
    if not learns:
        params = params.model_copy(update={"actions_global_holdout_share": 0.0})
    build_holdout_ledger(con, params, as_of, ledgers)
    build_past_plans(con, as_of, ledgers)
    build_past_flagged(con, as_of, ledgers)
    for table, sql in candidates.models(as_of):
        con.execute(f"create or replace table candidates.{table} as {sql}")
        if table in ("experiment_differences", "experiment_episodes") and not learns:
            con.execute(f"delete from candidates.{table}")
        if table == "due_actions" and not learns:
            con.execute("update candidates.due_actions set holdout_kind = null, experiment_arm = null")
    if way in ("plan", "priors"):
        build_contact_plan(con, params, as_of, ledgers)
        chosen = con.execute(
            "select candidate_id, customer_id, action_id, channel, due_on from actions.contact_plan"
            " where decision = 'contact' order by candidate_id"
        ).fetchall()
        return [
            live.Contact(contact_id, who, action, channel, (due_on - business.request.start).days)
            for contact_id, who, action, channel, due_on in chosen
        ]
    return list(_simple(business, way, day, params))


def _simple(business: Business, way: str, day: int, params: Params) -> Iterator[live.Contact]:
    """The same candidates within the same limits, in another order: by chance, by risk, by value at risk, by the
    true mean effect of the action on what the customer is expected to buy, or by what they would truly bring. Nothing
    is held out, and only the last two leave out who costs more than they bring."""
    con, p = business.con, business.population
    other_p, other_s, other_o = live.OTHER
    rows = (
        con.sql(f"""
        with working as (
            select
                k.candidate_id, k.customer_id, k.action_id, o.channel, o.spend, k.churn_probability, k.value_at_risk,
                hash(k.candidate_id || '{day}') as lot,
                case c.response when 1 then 1 + (coalesce(e.persuadable, {other_p}) - 1) * power({live.FATIGUE}, t.n)
                    when 2 then coalesce(e.sleeping_dog, {other_s}) * power({live.ANGER}, t.n) else 1 end as multiplier,
                c.pace * case when l.has_left then {p.return_pace} else 1 end
                    * (faded(z.b0, c.join_b, c.fade_onset, c.fade_length)
                    - faded(a.b0, c.join_b, c.fade_onset, c.fade_length)) as orders_if_not,
                {p.margin_share} * c.line_value * (1 + {business.factor!r} * c.basket_scale) as margin_an_order,
                coalesce(e.offer, {other_o}) as offer,
                case o.channel {" ".join(f"when '{name}' then {cost}" for name, cost in live.COSTS.items())} end
                    as cost,
                {p.persuadable_share} * (coalesce(e.persuadable, {other_p}) - 1) * power({live.FATIGUE}, t.n)
                    + {p.sleeping_dog_share} * (coalesce(e.sleeping_dog, {other_s}) * power({live.ANGER}, t.n) - 1)
                    as mean_lift,
                s.margin_expected * {p.effect_days / 30} as margin_expected
            from candidates.candidates as k
            inner join candidates.contact_options as o on k.candidate_id = o.candidate_id
            inner join customers as c on k.customer_id = cast({FIRST_ID} + c.customer as varchar)
            inner join days as a on a.day = {day}
            inner join days as z on z.day = {day + p.effect_days}
            inner join (select customer, arg_max(has_left, n) as has_left from orders where day < {day}
                group by customer) as l on c.customer = l.customer
            inner join (select c.customer, count(r.day) as n from customers as c left join (
                    select customer, day from live_contacts where is_sent and not is_bounced
                    union all
                    select customer, day from contacts where not is_held_out
                ) as r on c.customer = r.customer and r.day >= {day - live.FATIGUE_DAYS} and r.day < {day}
                group by c.customer) as t on c.customer = t.customer
            left join effects as e on k.action_id = e.action_id
            left join candidates.customer_state as s on k.customer_id = s.customer_id
            where (k.reason_code is null or k.reason_code in ('no_profit', 'too_little_profit', 'price_later'))
                and o.is_consented and o.is_reachable and not o.is_channel_capped and k.needs_profit
        )
        select *, (multiplier - 1) * orders_if_not * margin_an_order
            - case when offer > 0 then {live.TAKES_OFFER} * offer * (1 - exp(-multiplier * orders_if_not)) else 0 end
            - cost as truly,
            coalesce(mean_lift * margin_expected
                - case when offer > 0 then {live.TAKES_OFFER} * offer * (1 - churn_probability) else 0 end
                - cost, 0) as by_means
        from working
    """)
        .to_arrow_table()
        .to_pylist()
    )
    keys = {
        "random": lambda row: (row["lot"],),
        "risk": lambda row: (-(row["churn_probability"] or 0), row["lot"]),
        "value at risk": lambda row: (-(row["value_at_risk"] or 0), row["lot"]),
        "means": lambda row: (-row["by_means"], row["lot"]),
        "truth": lambda row: (-row["truly"], row["lot"]),
    }
    left, money, served = dict(params.capacities()), params.actions_daily_budget, set()
    for row in sorted(rows, key=keys[way]):
        if way in ("truth", "means") and row["truly" if way == "truth" else "by_means"] <= 0:
            break
        if row["customer_id"] in served or left[row["channel"]] < 1 or row["spend"] > money:
            continue
        served.add(row["customer_id"])
        left[row["channel"]] -= 1
        money -= row["spend"]
        yield live.Contact(row["candidate_id"], row["customer_id"], row["action_id"], row["channel"], day)


def expected(business: Business, knows_kinds: bool) -> list[dict[str, object]]:
    """What each contact made so far was bound to bring: action_id, day, is_care, and in money gain, offer and cost. A
    contact works until the next one begins, and takes away the rest of a campaign of the business before it.

    Whether a customer is persuadable shows in nothing that a plan could read, and a few heavy buyers among them decide
    what a hundred contacts bring. So the gain is the mean over the kinds of customers, unless who chose `knows_kinds`.
    """
    p = business.population
    orders = f"""pace * case when has_left then {p.return_pace} else 1 end
        * (faded({{end}}, join_b, fade_onset, fade_length) - faded(c0, join_b, fade_onset, fade_length))"""
    shares = (1 - p.persuadable_share - p.sleeping_dog_share, p.persuadable_share, p.sleeping_dog_share)
    return (
        business.con.sql(f"""
        with kinds as (
            select * from (values {", ".join(f"({kind}, {share})" for kind, share in enumerate(shares))})
                as kinds (kind, share)
        ),
        working as (
            select k.* exclude (multiplier), kind, {live.multiplier_sql("kind")} as multiplier,
                {"cast(kind = response as integer)" if knows_kinds else "share"} as share
            from live_contacts as k cross join kinds
        ),
        events as (
            select contact_id, customer, kind, c0, c1, multiplier from working where is_sent and not is_bounced
            union all
            select null, k.customer, kinds.kind, k.c0, k.c1, coalesce(r.multiplier, 1)
            from contacts as k
            cross join kinds
            left join responses as r on k.action = r.action and kinds.kind = r.response
            where not k.is_held_out
        ),
        ordered as (
            select *, lead(c0) over own as next_c0, lag(contact_id) over own as contact_before,
                lag(c1) over own as c1_before, lag(multiplier) over own as multiplier_before
            from events
            window own as (partition by customer, kind order by c0, contact_id nulls first)
        ),
        placed as (
            select
                k.contact_id, k.action_id, k.day, k.share, k.c0, k.c1, k.multiplier, k.is_sent, k.cost, k.offer_cost,
                k.is_sent and not k.is_bounced as is_reached, c.pace, c.join_b, c.fade_onset, c.fade_length,
                least(k.c1, coalesce(e.next_c0, k.c1)) as ends,
                case when e.contact_before is null and e.c1_before > k.c0 then e.multiplier_before - 1 else 0 end
                    as lost,
                e.c1_before,
                {p.margin_share} * c.line_value * (1 + {business.factor!r} * c.basket_scale) as margin_an_order,
                (select arg_max(o.has_left, o.n) from orders as o where o.customer = k.customer and o.day < k.day)
                    as has_left
            from working as k
            inner join customers as c on k.customer = c.customer
            left join ordered as e on k.contact_id = e.contact_id and k.kind = e.kind
        )
        select
            placed.action_id, day, not bool_and(a.needs_profit) as is_care,
            cast(sum(share * case when is_reached then margin_an_order * ((multiplier - 1) * {orders.format(end="ends")}
                - lost * {orders.format(end="least(ends, coalesce(c1_before, c0))")}) else 0 end) as double) as gain,
            cast(sum(share * case when is_reached and placed.offer_cost > 0
                then {live.TAKES_OFFER} * placed.offer_cost * (1 - exp(-multiplier * {orders.format(end="c1")})) else 0
                end) as double) as offer,
            cast(any_value(case when is_sent then cost else 0 end) as double) as cost
        from placed
        inner join playbook.playbook_actions as a on placed.action_id = a.action_id
        group by placed.contact_id, placed.action_id, day
        order by day, placed.contact_id
    """)
        .to_arrow_table()
        .to_pylist()
    )


def live_through(seed: int, arguments: argparse.Namespace, home: Path, candidates: Candidates) -> dict[str, np.ndarray]:
    """Expected profit of each way to choose by month of 30 days."""
    request = Request(
        lines=arguments.lines,
        customers=arguments.customers,
        seed=seed,
        nights=arguments.days,
        out=home / "unused",
        years=arguments.years,
    )
    con = duckdb.connect()
    con.execute("attach ':memory:' as warehouse; use warehouse")
    p, factor = live.open_business(con, request)
    business = Business(con, request, p, factor, Score(None))
    con.execute(_TABLES)
    read_playbook(con)
    live.contact(con, p, request, [])
    business.score = fit_score(business, request.history_days)
    months = arguments.days // 30
    found = {}
    for way in arguments.ways:
        began, made, ledgers = time.process_time(), [], home / f"{seed}-{way}"
        ledgers.mkdir()
        live.contact(con, p, request, made)
        for day in range(request.history_days, request.history_days + months * 30, arguments.every):
            made += night(business, way, day, candidates, ledgers)
            live.contact(con, p, request, made)
        first = request.history_days
        rows = expected(business, knows_kinds=way == "truth")
        found[way], care = np.zeros(months), 0.0
        for row in rows:
            profit = row["gain"] - row["offer"] - row["cost"]
            if row["is_care"]:
                care += profit
            else:
                found[way][(row["day"] - first) // 30] += profit
        business.rows[way] = rows
        print(
            f"business {seed}, {way}: {len(made)} contacts, profit by month "
            + " ".join(f"{value:,.0f}" for value in found[way])
            + f", care {care:,.0f}"
            + f" ({time.process_time() - began:.0f} s of processor time)",
            flush=True,
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=600)
    parser.add_argument("--lines", type=int, default=24_000)
    parser.add_argument("--years", type=float, default=2.0)
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--every", type=int, default=7, help="days between two nights")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--out", type=Path, default=DOC)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scale = arguments.customers / 1000
        overrides = {f"actions_{name}_capacity": max(1, round(room * scale)) for name, room in ROOM.items()}
        overrides |= {"actions_daily_budget": BUDGET * scale, "actions_value_at_risk_top_share": 0.3}
        candidates = Candidates(Path(folder) / "dbt", load_params(overrides))
        runs: list[dict[str, np.ndarray]] = []
        for seed in arguments.seeds:
            runs.append(live_through(seed, arguments, Path(folder), candidates))
            if {"plan", "means", "truth"} <= set(arguments.ways):
                write_page(runs, arguments)


def write_page(runs: list[dict[str, np.ndarray]], arguments: argparse.Namespace) -> None:
    """The page and its picture: each month over all businesses, above contacting nobody."""
    gains = {way: sum(run[way] for run in runs) for way in WAYS if way in runs[0]}
    months = len(gains["plan"])
    names = [*(f"month {m + 1}" for m in range(months)), "all", "last month, share of the truth"]
    rows = [f"| way to choose | {' | '.join(names)} |", "|---" * (months + 3) + "|"]
    best = gains["truth"][-1]
    for way, gain in gains.items():
        cells = " | ".join(f"{value:,.0f}" for value in gain)
        share = f"{gain[-1] / best:.0%}" if best > 0 else "-"
        rows.append(f"| {way} | {cells} | {gain.sum():,.0f} | {share} |")
    each = "; ".join(
        f"business {seed}: {run['plan'].sum():,.0f} of {run['truth'].sum():,.0f}"
        for seed, run in zip(arguments.seeds, runs, strict=False)
    )
    total = {way: float(gain.sum()) for way, gain in gains.items()}
    better = [way for way in total if way not in ("plan", "means", "truth") and total[way] > total["plan"]]
    verdict = (
        f"Over all months the plan earned {total['plan'] / total['truth']:.0%} of what the truth earned, and in the"
        f" last one {gains['plan'][-1] / best:.0%}; the goal, 95 % in the last month, is"
        f" {'reached' if gains['plan'][-1] >= 0.95 * best else 'not reached'}. Of what *means* earned it was"
        f" {total['plan'] / total['means']:.0%}."
    )
    if better:
        verdict += f" More than the plan earned: {', '.join(better)}."
    text = PAGE.format(
        verdict=verdict,
        customers=arguments.customers,
        lines=arguments.lines,
        every=arguments.every,
        n=len(runs),
        table="\n".join(rows),
        each=each,
        days=arguments.days,
        picture=arguments.out.with_suffix(".png").name,
    )
    arguments.out.write_text(text)
    draw(gains, arguments.out.with_suffix(".png"))


PAGE = """# Months of learning

Made by `make bench-loop`. Simulated businesses ({n}) of {customers:,} customers and {lines:,} lines live {days} days,
with a night every {every} days. Figures are true expected profit above contacting nobody: what each contact was bound
to bring, orders that it adds while it works, less contacts and offers taken. What customers happened to buy is not
counted: with so few of them chance would decide. Nor is who happened to be persuadable, which shows in nothing that a
plan could read: each contact counts with the mean over the kinds of customers, but for *truth*, who knows them. Calls
of care, which only the plan makes and which need not pay, are left out.

{table}

{verdict} Plan against truth over all months: {each}.

![Profit above contacting nobody, by month]({picture})

**Who chooses how.** *Truth* knows who is persuadable, who has left, and what each contact brings. *Means* knows the
mean effect of each action on all customers and how contacts tire, but of a customer only what the plan expects of it,
for no attribute of a customer tells who is persuadable. *Priors* is the plan without experiments and measured effects;
*value at risk*, *risk* and *random* fill the same room by their order, whatever a contact costs. All choose among the
same candidates within the same limits.

**What is real.** The models of stage candidates as dbt compiles them, the playbook as shipped, consent, caps, pauses,
experiments, the control group, ledgers, reports that come back, the business's own randomised campaigns, measured
effects, redemptions and costs, the allocation.

**What is simpler than a night.** Scores come from one logistic regression on recency, rhythm and frequency, fitted
before the first night and the same for all; the margin of who buys is that of one order at the least. Lifecycle nodes
are fixed. Nights are {every} days apart, because six months of whole nights for each way to choose would take days of
processor time. The truth is greedy: it takes the best contact of tonight and does not plan ahead.

**How customers react** (`simulation/live.py`): a contact multiplies the pace of a persuadable (a quarter of customers)
and slows down a sleeping dog (a tenth) for four weeks; each contact of the four weeks before weakens it. Half of those
who buy while an offer holds take it, moved by it or not.

**What made the plan worse than choice at random**, and what was done, is in decisions
[47](decisions/0047-what-a-contact-sells-is-measured.md) and
[52](decisions/0052-what-a-small-business-can-learn.md).
"""


def draw(gains: dict[str, np.ndarray], path: Path) -> None:
    """The picture of the page."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for way, gain in gains.items():
        axes.plot(range(1, len(gain) + 1), gain, marker="o", label=way, linewidth=3 if way == "plan" else 1.5)
    axes.axhline(0, color="#888888", linewidth=1)
    axes.set_xlabel("month")
    axes.set_ylabel("profit above contacting nobody")
    figure.legend(frameon=False, loc="outside right upper")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
