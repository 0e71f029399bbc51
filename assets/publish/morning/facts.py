"""What the morning page says, read from a complete set.

In: a connection to a set's database (schema `marts`). Out: `Morning`: rows of plain values in the order they are shown.
Customers appear by their ids alone: the marts hold no personal data.
"""

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from assets.shared.business import DEFAULT

#: What the page reads. A set without one of them has no page.
TABLES = frozenset(
    {
        "action_verdicts",
        "churn_scores",
        "customer_360",
        "data_quality",
        "movement_alerts",
        "retention_actions",
        "retention_decisions",
        "retention_kpis_total",
        "run_manifest",
        "unreachable_customers",
    }
)

#: Rows of a list that fit on a page; the number of all of them stands above it.
MOST_ROWS = 10

#: The numbers of the day, in this order, and whether they are money.
MEASURES = {
    "net_sales": True,
    "margin": True,
    "n_orders": False,
    "n_buying_customers": False,
    "n_active_customers": False,
    "n_new_customers": False,
    "n_won_back_customers": False,
    "n_lost_customers": False,
    "n_complaints": False,
}

#: Reasons why customers cannot be reached, the most frequent ones.
REASONS_SHOWN = 3

#: Days in the picture.
DAYS_SHOWN = 31

Row = dict[str, Any]


@dataclass(frozen=True)
class Morning:
    """One night. `measures`: name, value, and the same one day, seven days and a year before (None where not known).
    `leaving` and `n_leaving`: customers with an alert that says less, those that began tonight first, then those that
    worsened. `complaints`: customers with a complaint of the last 90 days, by what may leave. `contacts`: tonight's
    personal calls by owner, so many of each, the owner with the best one first and those without an owner last; or the
    best other contacts where there is no call. `has_owners`: whether any call has an owner. `effects`: what contacts
    changed. `days`: the picture. `unreachable`: the share of customers whom no channel reaches, and why."""

    as_of_date: date
    run_id: str
    business: str
    sources: str
    currency: str | None
    kpi_date: date | None
    is_complete: bool
    measures: list[Row]
    leaving: list[Row]
    n_leaving: int
    n_leaving_new: int
    expected_false: float
    complaints: list[Row]
    n_complaints: int
    contacts: list[Row]
    are_calls: bool
    has_owners: bool
    scripts: list[Row]
    n_contacts: int
    expected_profit: Decimal
    effects: list[Row]
    checks: Row
    days: list[tuple[date, float, int]]
    unreachable: float
    unreachable_reasons: list[Row]


def read_morning(con: duckdb.DuckDBPyConnection) -> Morning:
    """Read the facts of the set that `con` is connected to."""
    night = _rows(con, "select as_of_date, run_id, sources, parameters from marts.run_manifest")[0]
    kpis = _rows(con, "select * from marts.retention_kpis_total order by kpi_date desc limit 1")
    calls = _contacts(con, "channel = 'phone'", "plan.owner")
    contacts = calls or _contacts(con, "needs_profit", "plan.decision")
    totals = _rows(
        con,
        "select count(*) as n, coalesce(sum(expected_incremental_profit) filter (where needs_profit), 0) as profit"
        " from marts.retention_actions where decision = 'contact'",
    )[0]
    leaving = _leaving(con)
    complaints = _complaints(con)
    unreachable = _rows(
        con,
        "select reason_words, reason_words_zh, share from marts.unreachable_customers"
        " where purpose = 'marketing' and channel = 'any' and reason <> 'reachable' order by share desc, reason",
    )
    days = con.execute(
        "select kpi_date, net_sales::double, n_active_customers from marts.retention_kpis_total"
        " order by kpi_date desc limit ?",
        [DAYS_SHOWN],
    ).fetchall()
    return Morning(
        as_of_date=night["as_of_date"],
        run_id=night["run_id"],
        business=json.loads(night["parameters"]).get("business", DEFAULT),
        sources=night["sources"],
        currency=kpis[0]["currency"] if kpis else None,
        kpi_date=kpis[0]["kpi_date"] if kpis else None,
        is_complete=bool(kpis and kpis[0]["is_complete"]),
        measures=[_measure(kpis[0], name) for name in MEASURES] if kpis else [],
        leaving=leaving[:MOST_ROWS],
        n_leaving=len(leaving),
        n_leaving_new=sum(row["status"] != "open" for row in leaving),
        expected_false=max((row["expected_false"] or 0.0 for row in leaving), default=0.0),
        complaints=complaints[:MOST_ROWS],
        n_complaints=len(complaints),
        contacts=contacts,
        are_calls=bool(calls),
        has_owners=any(row["owner"] is not None for row in calls),
        scripts=_scripts(contacts),
        n_contacts=totals["n"],
        expected_profit=totals["profit"],
        effects=_effects(con),
        checks=_checks(con),
        days=sorted(days),
        unreachable=sum(row["share"] for row in unreachable),
        unreachable_reasons=unreachable[:REASONS_SHOWN],
    )


def _measure(kpis: Row, name: str) -> Row:
    before = {f"previous_{span}": kpis.get(f"{name}_previous_{span}") for span in ("day", "week", "year")}
    return {"name": name, "is_money": MEASURES[name], "value": kpis[name], **before}


def _leaving(con: duckdb.DuckDBPyConnection) -> list[Row]:
    return _rows(
        con,
        """
        select
            alerts.customer_id, alerts.metric, alerts.test, alerts.status, alerts.first_seen_on, alerts.age_days,
            alerts.money_moved, alerts.value_class, alerts.expected_false, customers.days_since_last_order,
            decisions.decision, decisions.action_label_en, decisions.action_label_zh
        from marts.movement_alerts as alerts
        inner join marts.customer_360 as customers on alerts.customer_id = customers.customer_id
        left join marts.retention_decisions as decisions on alerts.customer_id = decisions.customer_id
        where alerts.direction = 'down' and alerts.status in ('new', 'worsened', 'open')
        order by alerts.status = 'open', alerts.status = 'worsened', alerts.severity_rank, alerts.customer_id
        """,
    )


def _complaints(con: duckdb.DuckDBPyConnection) -> list[Row]:
    return _rows(
        con,
        """
        select customer_id, n_complaints_90d, value_class, churn_probability, value_at_risk_year, decision_reason,
            decision_reason_zh
        from marts.customer_360
        where n_complaints_90d > 0
        order by value_at_risk_year desc nulls last, customer_id
        """,
    )


def _contacts(con: duckdb.DuckDBPyConnection, which: str, group: str) -> list[Row]:
    """Tonight's contacts of a kind, the first MOST_ROWS of each `group`."""
    return _rows(
        con,
        f"""
        select
            plan.customer_id, plan.channel, plan.owner, plan.action_label_en, plan.action_label_zh, plan.script,
            plan.expected_incremental_profit, plan.expected_profit_low, plan.expected_profit_high, plan.value_class,
            plan.due_on,
            customers.reason_1, customers.reason_2, scores.reason_1_zh, scores.reason_2_zh,
            customers.churn_probability, customers.value_at_risk_year,
            customers.last_contact_on, customers.last_contact_channel, customers.last_contact_outcome
        from marts.retention_actions as plan
        inner join marts.customer_360 as customers on plan.customer_id = customers.customer_id
        left join marts.churn_scores as scores on plan.customer_id = scores.customer_id
        where plan.decision = 'contact' and {which}
        qualify row_number() over (
            partition by {group}
            order by plan.plan_rank nulls last, customers.value_at_risk_year desc nulls last, plan.customer_id
        ) <= {MOST_ROWS}
        order by
            {group} is null, min(plan.plan_rank) over (partition by {group}) nulls last, {group},
            plan.plan_rank nulls last, customers.value_at_risk_year desc nulls last, plan.customer_id
        """,
    )


def _scripts(contacts: list[Row]) -> list[Row]:
    """What to say, once for each action, in the order of the contacts."""
    first = {row["action_label_en"]: row for row in reversed(contacts) if row["script"]}
    return list(reversed(first.values()))


def _effects(con: duckdb.DuckDBPyConnection) -> list[Row]:
    return _rows(
        con,
        """
        select action_label_en, action_label_zh, n_treated, n_held_out, measured_effect, measured_low, measured_high,
            verdict_words, verdict_words_zh
        from marts.action_verdicts
        where lifecycle_stage = 'all' and n_treated > 0 and n_held_out > 0
        order by n_treated desc, action_id
        """,
    )


def _checks(con: duckdb.DuckDBPyConnection) -> Row:
    return _rows(
        con,
        """
        select
            count(*) as n, count(*) filter (where not passed) as n_failed,
            coalesce(string_agg(distinct table_name || ': ' || rule, '; ') filter (where not passed), '') as failed,
            any_value(manifest.rows_in) as rows_in, any_value(manifest.rows_quarantined) as rows_quarantined,
            any_value(manifest.rows_left_out) as rows_left_out
        from marts.data_quality
        cross join marts.run_manifest as manifest
        """,
    )[0]


def _rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    found = con.execute(sql)
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
