"""What the contact plan achieves on a business whose truth is known: `make bench-loop`.

In: simulated businesses. Out: docs/learning-loop.md and its picture: realised profit by month of the plan, and of other
ways to choose, on the same customers with the same luck.

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

DOC = Path(__file__).resolve().parents[1] / "docs" / "learning-loop.md"
#: Ways to choose, in the order of the table. The first plan learns; `priors` keeps the playbook's numbers.
WAYS = ("plan", "priors", "value at risk", "risk", "random", "truth", "nobody")
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
    """One simulated business, and the contacts that each way to choose has made so far."""

    con: duckdb.DuckDBPyConnection
    request: Request
    population: Population
    factor: float
    score: "Score"
    made: dict[str, list[live.Contact]] = field(default_factory=dict)

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
            margin_year * {HORIZON / 365} as margin_if_retained, p * margin_year * {HORIZON / 365} as value_at_risk
            from now_known;
        create or replace table score.expected_value as select customer_id,
            (1 - p) * margin_year as expected_margin_year, p * margin_year as value_at_risk_year from now_known;
        create or replace table staging.stg_customers as select cast({FIRST_ID} + customer as varchar) as customer_id,
            true as has_email, true as has_phone, true as has_postal_code, cast(null as varchar) as owner
            from customers;
        create or replace table staging.stg_consents as
            select cast({FIRST_ID} + customer as varchar) as customer_id, channel, 'marketing' as purpose,
                case when agrees then 'granted' else 'denied' end as status,
                timestamp '{start}' as valid_from, cast(null as timestamp) as valid_to,
                'consent' as lawful_basis
            from (select customer, unnest(['email', 'sms', 'phone']) as channel,
                unnest([agrees_email, agrees_sms, agrees_phone]) as agrees from customers);
        create or replace table staging.stg_contact_reports as
            select contact_id, cast(customer_id as varchar) as customer_id, action_id, channel, sent_at, outcome,
                outcome_at, cast(sent_at as date) as sent_on, 'crm' as source, campaign_id, cost, offer_cost,
                window_ends_on
            from ({live.reports_sql(business.population, request.history_days, day, start.isoformat())})
            qualify row_number() over (partition by contact_id order by outcome_at desc) = 1;
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
    if way == "nobody":
        return []
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
        if table == "experiment_differences" and not learns:
            con.execute("delete from candidates.experiment_differences")
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
    """The same candidates within the same limits, in another order: by chance, by risk, by value at risk, or by what
    they would truly bring. Nothing is held out, and only the truth leaves out who costs more than they bring."""
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
                case o.channel {" ".join(f"when '{name}' then {cost}" for name, cost in live.COSTS.items())} end as cost
            from candidates.candidates as k
            inner join candidates.contact_options as o on k.candidate_id = o.candidate_id
            inner join customers as c on k.customer_id = cast({FIRST_ID} + c.customer as varchar)
            inner join days as a on a.day = {day}
            inner join days as z on z.day = {day + p.effect_days}
            inner join (select customer, arg_max(has_left, n) as has_left from orders where day < {day}
                group by customer) as l on c.customer = l.customer
            inner join (select c.customer, count(r.day) as n from customers as c left join live_contacts as r
                on c.customer = r.customer and r.is_sent and not r.is_bounced and r.day >= {day - live.FATIGUE_DAYS}
                group by c.customer) as t on c.customer = t.customer
            left join effects as e on k.action_id = e.action_id
            where (k.reason_code is null or k.reason_code in ('no_profit', 'too_little_profit', 'price_later'))
                and o.is_consented and o.is_reachable and not o.is_channel_capped and k.needs_profit
        )
        select *, (multiplier - 1) * orders_if_not * margin_an_order
            - case when offer > 0 then {live.TAKES_OFFER} * offer * (1 - exp(-multiplier * orders_if_not)) else 0 end
            - cost as truly
        from working
    """)
        .to_arrow_table()
        .to_pylist()
    )
    keys = {
        "random": lambda row: (row["lot"],),
        "risk": lambda row: (-(row["churn_probability"] or 0), row["lot"]),
        "value at risk": lambda row: (-(row["value_at_risk"] or 0), row["lot"]),
        "truth": lambda row: (-row["truly"], row["lot"]),
    }
    left, money, served = dict(params.capacities()), params.actions_daily_budget, set()
    for row in sorted(rows, key=keys[way]):
        if way == "truth" and row["truly"] <= 0:
            break
        if row["customer_id"] in served or left[row["channel"]] < 1 or row["spend"] > money:
            continue
        served.add(row["customer_id"])
        left[row["channel"]] -= 1
        money -= row["spend"]
        yield live.Contact(row["candidate_id"], row["customer_id"], row["action_id"], row["channel"], day)


def realised(business: Business, first: int, last: int) -> float:
    """Margin of the orders of first <= day < last, less contacts and taken offers of these days."""
    earned = business.con.execute(
        f"select coalesce(sum({business.money()}), 0) * {business.population.margin_share} from orders as o"
        f" inner join customers as c on o.customer = c.customer where o.day >= {first} and o.day < {last}"
    ).fetchone()[0]
    spent = business.con.execute(
        "select coalesce(sum(cost + offer_cost), 0) - coalesce(sum(cost) filter (where outcome = 'redeemed'), 0) from"
        f" ({live.reports_sql(business.population, first, last, business.request.start.isoformat())})"
    ).fetchone()[0]
    return float(earned) - float(spent)


def live_through(seed: int, arguments: argparse.Namespace, home: Path, candidates: Candidates) -> dict[str, np.ndarray]:
    """Realised profit of each way to choose by month of 30 days."""
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
        found[way] = np.array([realised(business, first + 30 * m, first + 30 * (m + 1)) for m in range(months)])
        print(
            f"business {seed}, {way}: {len(made)} contacts, profit by month "
            + " ".join(f"{value:,.0f}" for value in found[way])
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
            if set(arguments.ways) == set(WAYS):
                write_page(runs, arguments)


def write_page(runs: list[dict[str, np.ndarray]], arguments: argparse.Namespace) -> None:
    """The page and its picture: each month over all businesses, above contacting nobody."""
    gains = {way: sum(run[way] - run["nobody"] for run in runs) for way in WAYS if way != "nobody"}
    months = len(gains["plan"])
    names = [*(f"month {m + 1}" for m in range(months)), "all", "last month, share of the truth"]
    rows = [f"| way to choose | {' | '.join(names)} |", "|---" * (months + 3) + "|"]
    best = gains["truth"][-1]
    for way, gain in gains.items():
        cells = " | ".join(f"{value:,.0f}" for value in gain)
        share = f"{gain[-1] / best:.0%}" if best > 0 else "-"
        rows.append(f"| {way} | {cells} | {gain.sum():,.0f} | {share} |")
    each = "; ".join(
        f"business {seed}: {(run['plan'] - run['nobody']).sum():,.0f} of {(run['truth'] - run['nobody']).sum():,.0f}"
        for seed, run in zip(arguments.seeds, runs, strict=False)
    )
    total = {way: float(gain.sum()) for way, gain in gains.items()}
    better = [way for way in WAYS if way in total and way not in ("plan", "truth") and total[way] > total["plan"]]
    verdict = (
        f"Over all months the plan earned {total['plan'] / total['truth']:.0%} of what the truth earned, and in the"
        f" last one {gains['plan'][-1] / best:.0%}; the goal, 95 % in the last month, is"
        f" {'reached' if gains['plan'][-1] >= 0.95 * best else 'not reached'}."
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
with a night every {every} days. Figures are realised profit above contacting nobody: margin of all purchases less
contacts and offers taken, on the same customers with the same luck.

{table}

{verdict} Plan against truth over all months: {each}.
With so few customers the luck of single ones moves a month by more than most ways to choose differ, so neighbours in
the table are not told apart.

![Profit above contacting nobody, by month]({picture})

**What is real.** The models of stage candidates as dbt compiles them, the playbook as shipped, consent, caps, pauses,
experiments, the control group, ledgers, reports that come back, measured effects, redemptions and costs, the
allocation. *Truth* chooses among the same candidates within the same limits, but knows who is persuadable, who has
left, and what a contact brings; *priors* is the plan without experiments and measured effects; the others fill the same
room by their order, whatever a contact costs.

**What is simpler than a night.** Scores come from one logistic regression on recency, rhythm and frequency, fitted
before the first night and the same for all. Lifecycle nodes are fixed. Nights are {every} days apart, because six
months of whole nights for seven ways to choose would take days of processor time. The truth is greedy: it takes the
best contact of tonight and does not plan ahead.

**How customers react** (`simulation/live.py`): a contact multiplies the pace of a persuadable (a quarter of customers)
and slows down a sleeping dog (a tenth) for four weeks; each contact of the four weeks before weakens it. Half of those
who buy while an offer holds take it, moved by it or not.
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
