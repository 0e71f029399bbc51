"""A warehouse small enough to reason about: a few customers, the real playbook, whatever else a test needs."""

import csv
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb
import yaml

from assets.actions.contact_plan import build_contact_plan
from assets.dbt.playbook import check_playbook
from assets.ledgers.holdout import build_holdout_ledger
from assets.ledgers.past_plans import build_past_flagged, build_past_plans
from assets.shared.params import DBT_PROJECT_DIR, Params, load_params

AS_OF = date(2017, 12, 1)
SEEDS = DBT_PROJECT_DIR / "seeds"

#: Nobody is held out and no days are kept between contacts unless a test asks for it.
OPEN = {
    "actions_global_holdout_share": 0,
    "actions_action_holdout_share": 0,
    "actions_min_days_between_contacts": 0,
}

#: How dbt compiles the models of stage candidates for a date and parameters: (table, sql) in order (set by conftest).
CANDIDATES_SQL: list = []

_STATIC = """
attach ':memory:' as warehouse; use warehouse;
create schema identity;
create schema ingest; create schema staging; create schema features; create schema segments; create schema score;
create schema playbook; create schema candidates;
create table features.customer_features (
    customer_id varchar, joined_on date, first_order_on date, last_order_on date, average_order_value double,
    outlier_account_reason varchar);
create table features.customer_day (customer_id varchar, day date, n_orders double, net_sales double);
create table features.lifecycle_nodes (cutoff_date date, silent_days bigint, dormant_days bigint, lost_days bigint);
create table segments.customer_lifecycle (customer_id varchar, lifecycle_stage varchar);
create table segments.customer_value (customer_id varchar, value_class varchar);
create table segments.promotion_dependence (customer_id varchar, is_promotion_dependent boolean);
create table segments.customer_tiers (
    customer_id varchar, is_tier_at_risk boolean, tier_basis varchar, tier_lost_on date);
create table segments.tier_bounds (tier_rank integer, tier_basis varchar);
create schema movements;
create table movements.customer_movements
    (customer_id varchar, metric varchar, direction varchar, status varchar, money_moved double);
create table score.churn_scores (
    customer_id varchar, churn_probability double, churn_band varchar, margin_if_retained double, value_at_risk double);
create table score.expected_value (customer_id varchar, expected_margin_year double, value_at_risk_year double);
create table staging.stg_customers (
    customer_id varchar, has_email boolean, has_phone boolean, has_postal_code boolean, owner varchar);
create table staging.stg_contact_reports (
    contact_id varchar, customer_id varchar, action_id varchar, channel varchar, sent_at timestamp,
    outcome varchar, outcome_at timestamp, sent_on date as (cast(sent_at as date)), source varchar default 'crm',
    campaign_id varchar, cost decimal(18, 4), offer_cost decimal(18, 4), window_ends_on date);
create view staging.stg_contacts as select * from staging.stg_contact_reports where outcome <> 'not_sent';
create table staging.stg_consents (
    customer_id varchar, channel varchar, purpose varchar, status varchar, valid_from timestamp, valid_to timestamp,
    lawful_basis varchar default 'consent', requested_on date, confirmed_on date);
create view features.profiling_refusals as
    select distinct customer_id from staging.stg_consents where purpose = 'profiling' and status <> 'granted';
create table staging.stg_interactions (
    customer_id varchar, kind varchar, occurred_at timestamp, resolved_at timestamp,
    occurred_on date as (cast(occurred_at as date)));
create table identity.id_changes (
    old_customer_id varchar, customer_id varchar, next_customer_id varchar, valid_from date, is_first_id boolean,
    is_circular boolean, source varchar, batch_id varchar);
create table ingest.source_status (source varchar, has_consents boolean, has_interactions boolean);
insert into ingest.source_status values ('shop', false, false);
insert into features.lifecycle_nodes
    select date '2017-11-01' + cast(i as integer), 60, 150, 270 from range(90) as days(i);
insert into features.customer_day values ('the first of all', date '2016-06-01', 1, 10);
"""


def warehouse(*customers: dict) -> duckdb.DuckDBPyConnection:
    """An empty world with the real playbook and the given customers (see `customer`)."""
    con = duckdb.connect()
    con.execute(_STATIC)
    for create, insert, values in _playbook():
        con.execute(create)
        con.execute(insert, values)
    for one in customers:
        add_customer(con, **one)
    return con


@cache
def _playbook() -> list[tuple[str, str, list]]:
    """(create, insert, values) of each seed, typed as the project declares it."""
    statements = []
    for seed in yaml.safe_load((SEEDS / "_seeds.yml").read_text())["seeds"]:
        types = seed["config"]["column_types"]
        with (SEEDS / f"{seed['name']}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        marks = ", ".join(f"({', '.join('?' * len(types))})" for _ in rows)
        # A seed may be empty: then nothing is inserted.
        insert = f"insert into playbook.{seed['name']} ({', '.join(rows[0])}) values {marks}" if rows else "select 1"
        statements.append(
            (
                f"create table playbook.{seed['name']} ({', '.join(f'{n} {t}' for n, t in types.items())})",
                insert,
                [value or None for row in rows for value in row.values()],
            )
        )
    return statements


def customer(customer_id: str = "ann", **known) -> dict:
    """A customer that a value-at-risk offer and benefit are worth sending to, unless the test says otherwise."""
    return {
        "customer_id": customer_id,
        "silent_days": 10,
        "stage": "active",
        "value_class": "B",
        "probability": 0.6,
        "band": "high",
        "margin": 100.0,
        "is_promotion_dependent": False,
        **known,
    }


def add_customer(
    con,
    customer_id,
    silent_days,
    stage,
    value_class,
    probability,
    band,
    margin,
    is_promotion_dependent,
    first_days=200,
    average_order_value=None,
):
    first = AS_OF - timedelta(days=first_days)
    last = None if silent_days is None else AS_OF - timedelta(days=silent_days)
    con.execute(
        "insert into features.customer_features values (?, null, ?, ?, ?, null)",
        [customer_id, None if last is None else min(first, last), last, average_order_value],
    )
    con.execute("insert into segments.customer_lifecycle values (?, ?)", [customer_id, stage])
    con.execute("insert into segments.customer_value values (?, ?)", [customer_id, value_class])
    con.execute("insert into segments.promotion_dependence values (?, ?)", [customer_id, is_promotion_dependent])
    at_risk = None if probability is None or margin is None else probability * (1 - probability) * margin
    con.execute(
        "insert into score.churn_scores values (?, ?, ?, ?, ?)", [customer_id, probability, band, margin, at_risk]
    )


def only_entries(con, *calendar_ids: str) -> None:
    """Keep these entries of the calendar."""
    con.execute("delete from playbook.playbook_calendar where calendar_id not in (select unnest(?))", [calendar_ids])


def add_contact(con, customer_id, days_ago, action_id="newsletter", channel="email", outcome="sent", contact_id=None):
    sent = datetime.combine(AS_OF, datetime.min.time()) - timedelta(days=days_ago)
    contact_id = contact_id or f"{customer_id}-{action_id}-{days_ago}"
    con.execute(
        "insert into staging.stg_contact_reports"
        " (contact_id, customer_id, action_id, channel, sent_at, outcome, outcome_at) values (?, ?, ?, ?, ?, ?, ?)",
        [contact_id, customer_id, action_id, channel, sent, outcome, None if outcome == "sent" else sent],
    )


def add_consent(con, customer_id, channel, status, days_ago=30, valid_to=None, purpose="marketing"):
    since = datetime.combine(AS_OF, datetime.min.time()) - timedelta(days=days_ago)
    con.execute(
        "insert into staging.stg_consents (customer_id, channel, purpose, status, valid_from, valid_to)"
        " values (?, ?, ?, ?, ?, ?)",
        [customer_id, channel, purpose, status, since, valid_to],
    )


def make_plan(con, ledgers: Path, as_of: date = AS_OF, **overrides) -> list[dict]:
    """Ledgers, candidates and plan of `as_of`; the rows of the plan, sorted by customer and action."""
    params = load_params({**OPEN, **overrides})
    build_candidates(con, ledgers, as_of, params)
    build_contact_plan(con, params, as_of, ledgers)
    return plan_rows(con)


def build_candidates(con, ledgers: Path, as_of: date = AS_OF, params: Params | None = None) -> None:
    """What the plan of `as_of` is made from: the ledgers, a sound playbook, the tables of stage candidates."""
    params = params or load_params(OPEN)
    build_holdout_ledger(con, params, as_of, ledgers)
    build_past_plans(con, as_of, ledgers)
    build_past_flagged(con, as_of, ledgers)
    check_playbook(con, params)
    (compiled,) = CANDIDATES_SQL
    for model in compiled(as_of, params):
        con.execute(f"create or replace table candidates.{model.table} as {model.sql}")


def plan_rows(con) -> list[dict]:
    result = con.execute("select * from actions.contact_plan order by customer_id, action_id")
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def contacts(rows: list[dict]) -> dict[str, tuple[str, str]]:
    """(action, channel) of each contacted customer."""
    return {row["customer_id"]: (row["action_id"], row["channel"]) for row in rows if row["decision"] == "contact"}


def reasons(rows: list[dict]) -> dict[tuple[str, str], str | None]:
    return {(row["customer_id"], row["action_id"]): row["reason_not_contacted"] for row in rows}
