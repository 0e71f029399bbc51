"""One customer as the published set knows them: who, at what risk, why, what is planned, what was done.

In: the published set and a customer id. Out: the row of `customer_360`, the options of the contact plan, and both as
text. The files are sorted by key, so that only the part with this customer is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from assets.shared.commands import command
from assets.shared.errors import UserError
from assets.shared.published_history import shown_contents
from assets.shared.settings import Settings
from pipelines.money import money

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Customer:
    """What was published of one customer. options: rows of `retention_actions`, the best first."""

    row: Row
    options: list[Row]


def read_customer(settings: Settings, customer_id: str) -> Customer:
    """Raises UserError before the first publish and for a customer who is not in the set."""
    contents = shown_contents(settings)
    if contents is None:
        raise UserError(f"{settings.home} has published nothing yet", f"run it first: {command('run')}")
    files = contents.marts(settings.published)
    with duckdb.connect() as con:
        found = _rows(con, files["customer_360"], customer_id, "customer_id")
        if not found:
            raise UserError(
                f"no customer {customer_id!r} in the set of {contents.as_of_date}",
                "write the id as the source has it, with leading zeros; ids that the mapping hashes are published"
                " hashed",
            )
        options = _rows(con, files["retention_actions"], customer_id, "plan_rank nulls last, candidate_id")
    return Customer(found[0], options)


def _rows(con: duckdb.DuckDBPyConnection, path: object, customer_id: str, order: str) -> list[Row]:
    found = con.execute(
        f"select * from read_parquet(?) where customer_id = ? order by {order}", [str(path), customer_id]
    )
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def text_of(customer: Customer) -> str:
    """The customer as lines for a terminal, the questions of a retention desk in their order."""
    row = customer.row
    parts = (
        ("Standing", _standing(row)),
        ("Risk", _risk(row)),
        ("Why", [row[name] for name in ("reason_1", "reason_2", "reason_3") if row[name]]),
        ("Alert", _alert(row)),
        ("Next action", _plan(row, customer.options)),
        ("Last contact", _last_contact(row)),
    )
    lines = [f"Customer {row['customer_id']} as of {row['as_of_date']}"]
    for title, words in parts:
        lines += [f"{title}", *(f"  {line}" for line in words)] if words else []
    return "\n".join(lines)


def _standing(row: Row) -> list[str]:
    since = f" since {row['stage_since_on']}" if row["stage_since_on"] else ""
    lines = [f"{row['lifecycle_stage']}{since}; value class {row['value_class']}; {row['rfm_segment']}"]
    if row["last_order_on"]:
        gap = f", usually every {row['usual_gap_days']:.0f} days" if row["usual_gap_days"] else ""
        lines.append(
            f"{row['n_orders']:,} orders from {row['first_order_on']} to {row['last_order_on']}"
            f" ({row['days_since_last_order']} days ago{gap})"
        )
        total, recent = (money(row[name], row["currency"]) for name in ("net_sales_total", "net_sales_90d"))
        lines.append(f"net sales {total}, of which {recent} in 90 days")
    if row["is_outlier_account"]:
        lines.append(f"no ordinary customer: {row['outlier_account_reason']}")
    if row["is_in_control_group"]:
        lines.append("in the control group: gets no contact that is to keep customers")
    return lines


def _risk(row: Row) -> list[str]:
    if row["churn_probability"] is None:
        return [f"no score: {row['ineligible_reason']}"] if row["ineligible_reason"] else []
    lines = [
        f"{row['churn_probability']:.0%} likely not to buy within {row['horizon_days']} days ({row['churn_band']});"
        f" {money(row['value_at_risk'], row['currency'])} leave if they leave"
    ]
    if row["expected_next_order_on"]:
        lines.append(
            f"next order expected on {row['expected_next_order_on']}"
            f" ({row['expected_next_order_low_on']} to {row['expected_next_order_high_on']})"
        )
    return lines


def _alert(row: Row) -> list[str]:
    if not row["n_alerts"]:
        return []
    age = (row["as_of_date"] - row["alert_first_seen_on"]).days
    moved = row["alert_money_moved"]
    words = f", {money(moved, row['currency'])} moved" if moved is not None else ""
    return [
        f"{row['alert_metric']} {row['alert_direction']} ({row['alert_test']}), {row['alert_status']}"
        f" since {row['alert_first_seen_on']}, {age} days{words}"
    ]


def _plan(row: Row, options: list[Row]) -> list[str]:
    if row["next_action_decision"] is None:
        return [row["decision_reason"]]
    lines = [
        f"{option['decision'].replace('_', ' ')}: {option['action_label_en']}, by {option['channel']}"
        + (f" ({option['reason_not_contacted']})" if option["reason_not_contacted"] else "")
        for option in options
    ]
    return [*lines, *([row["next_action_reason"]] if row["next_action_reason"] else [])]


def _last_contact(row: Row) -> list[str]:
    if row["last_contact_on"] is None:
        return []
    return [
        f"{row['last_contact_on']}: {row['last_contact_action_id']}, by {row['last_contact_channel']},"
        f" {row['last_contact_outcome'] or 'outcome not known'}"
    ]
