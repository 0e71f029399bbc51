"""Is the playbook sound? Asked before the models of stage candidates read it, because they would silently propose
nobody from a cell that they cannot read.

In: the seeds in schema `playbook`. Out: errors that a manager can correct. What an entry means does not belong here
(models/candidates).
"""

import re
from datetime import date

import duckdb

from assets.shared.errors import UserError
from assets.shared.params import Params
from assets.shared.quiet_days import WEEKDAYS, is_known

STAGES = ("never_purchased", "new", "active", "silent", "dormant", "lost")
VALUE_CLASSES = ("A", "B", "C")

PURPOSES = ("marketing", "service")

#: From where days without a purchase are counted.
COUNTED_FROM = ("last_order", "active", "silent", "dormant", "lost")

#: Triggers that count days, and therefore need `from_day`.
COUNTING_TRIGGERS = ("days_since_last_order", "days_since_first_order", "on_dates", "birthday", "open_complaint")


def check_playbook(con: duckdb.DuckDBPyConnection, params: Params) -> None:
    """Raise UserError for entries that no data test of the seeds can see: lists inside a cell, dates, numbers."""
    problems = []
    known_channels = {row[0] for row in con.execute("select channel from playbook.playbook_channels").fetchall()}
    without_capacity = known_channels - set(params.capacities())
    if without_capacity:
        problems.append(f"playbook_channels: no capacity parameter for {', '.join(sorted(without_capacity))}")
    for action_id, channels, offer_cost, redeem, uplift, persistence, purpose, needs_profit, budget in con.execute(
        """
        select
            action_id, channels, offer_cost, redeem_probability, uplift_prior, persistence_prior, purpose, needs_profit,
            nightly_budget
        from playbook.playbook_actions order by action_id
        """
    ).fetchall():
        unknown = [channel for channel in split(channels) if channel not in known_channels]
        if unknown or not split(channels):
            problems.append(f"action {action_id}: unknown channel {', '.join(unknown) or '(none given)'}")
        if not 0 <= redeem <= 1 or offer_cost < 0 or (uplift is not None and not -1 <= uplift <= 1):
            problems.append(
                f"action {action_id}: redeem_probability must be 0 to 1, offer_cost 0 upwards, uplift_prior -1 to 1"
            )
        if budget is not None and budget < 0:
            problems.append(f"action {action_id}: nightly_budget must be 0 upwards, or empty")
        if persistence is None or not 0 <= persistence <= 1:
            problems.append(f"action {action_id}: persistence_prior must be 0 to 1")
        if purpose not in PURPOSES or needs_profit is None:
            problems.append(f"action {action_id}: purpose must be {' or '.join(PURPOSES)}, needs_profit true or false")
    for table, name, contacts, days in con.execute(
        """
        select 'channels', channel, cap_contacts, cap_days from playbook.playbook_channels
        union all
        select 'stages', lifecycle_stage, cap_contacts, cap_days from playbook.playbook_stages
        order by 1, 2
        """
    ).fetchall():
        if contacts is None or contacts < 0 or days is None or not 1 <= days <= 365:
            problems.append(f"playbook_{table} {name}: cap_contacts must be 0 upwards, cap_days 1 to 365")
    without_cap = set(STAGES) - {
        row[0] for row in con.execute("select lifecycle_stage from playbook.playbook_stages").fetchall()
    }
    if without_cap:
        problems.append(f"playbook_stages: no row for {', '.join(sorted(without_cap))}")
    for calendar_id, stages, classes, trigger, counted_from, from_day, to_day, every_days, on_dates in con.execute(
        """
        select
            calendar_id, lifecycle_stage, value_class, trigger, counted_from, from_day, to_day, every_days, on_dates
        from playbook.playbook_calendar order by calendar_id
        """
    ).fetchall():
        for cell, allowed in ((stages, STAGES), (classes, VALUE_CLASSES)):
            wrong = [word for word in split(cell) if word not in (*allowed, "any")]
            if wrong:
                problems.append(f"calendar {calendar_id}: {', '.join(wrong)} is none of any, {', '.join(allowed)}")
        if trigger in COUNTING_TRIGGERS and from_day is None:
            problems.append(f"calendar {calendar_id}: trigger {trigger} needs from_day")
        if (trigger == "days_since_last_order") != (counted_from in COUNTED_FROM):
            problems.append(
                f"calendar {calendar_id}: counted_from must be one of {', '.join(COUNTED_FROM)} for trigger"
                " days_since_last_order, and empty for the others"
            )
        if from_day is not None and to_day is not None and to_day < from_day:
            problems.append(f"calendar {calendar_id}: to_day lies before from_day")
        if every_days is not None and every_days < 1:
            problems.append(f"calendar {calendar_id}: every_days must be 1 or more")
        if trigger == "on_dates":
            try:
                month_days(on_dates)
            except ValueError:
                problems.append(f"calendar {calendar_id}: on_dates {on_dates!r} is not like 06-18|11-11")
    for owner, calls in con.execute("select owner, nightly_calls from playbook.playbook_owners order by 1").fetchall():
        if not (owner or "").strip() or calls is None or calls < 0:
            problems.append(f"playbook_owners {owner or '(no name)'}: nightly_calls must be 0 upwards, owner a name")
    for (owner,) in con.execute(
        "select owner from playbook.playbook_owners group by owner having count(*) > 1 order by owner"
    ).fetchall():
        problems.append(f"playbook_owners {owner}: has more than one row")
    quiet = [cell for (cell,) in con.execute("select quiet_on from playbook.playbook_quiet_days").fetchall()]
    for cell in quiet:
        if not is_known(cell or ""):
            problems.append(f"playbook_quiet_days {cell}: quiet_on must be like 12-25, 2025-04-21 or sunday")
    if set(WEEKDAYS) <= set(quiet):
        problems.append("playbook_quiet_days: every day of the week is quiet")
    if problems:
        raise UserError(
            f"the playbook cannot be read: {'; '.join(problems)}", "correct the tables in dbt_project/seeds"
        )


def split(cell: str | None) -> list[str]:
    """The words of a cell that are separated by |."""
    return [word.strip() for word in (cell or "").split("|") if word.strip()]


def month_days(cell: str | None) -> list[tuple[int, int]]:
    """(month, day) of each `MM-DD` of the cell. Raises ValueError when there is none or one is no date."""
    found = []
    for word in split(cell):
        if not re.fullmatch(r"\d\d-\d\d", word):
            raise ValueError(f"{word} is not month-day")
        day = date.fromisoformat(f"2000-{word}")
        found.append((day.month, day.day))
    if not found:
        raise ValueError("no date")
    return found
