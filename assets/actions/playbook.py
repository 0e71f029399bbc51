"""The playbook as the plan reads it: is it sound, which entries can fire at all, which dates are due.

In: the seeds in schema `playbook` and what the connected sources bring. Out: errors a manager can mend, a list of
inactive entries with the reason in words, due dates. Who becomes a candidate does not belong here (`candidates`).
"""

from calendar import isleap
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from assets.shared.errors import UserError
from assets.shared.params import Params

STAGES = ("never_purchased", "new", "active", "silent", "dormant", "lost")
VALUE_CLASSES = ("A", "B", "C")

PURPOSES = ("marketing", "service")

#: From where days without a purchase are counted, and the length in days of the stage that begins there, by the trade's
#: calendar (silent from 60, dormant from 150, lost from 270): the days of the table are days of that calendar.
COUNTED_FROM = {"last_order": None, "silent": 90, "dormant": 120, "lost": None}

#: Stands for the day on which the last stage ends.
OPEN_END = 10**9

#: Triggers that count days, and therefore need `from_day`.
COUNTING_TRIGGERS = ("days_since_last_order", "days_since_first_order", "on_dates", "birthday", "open_complaint")


@dataclass(frozen=True)
class InactiveTrigger:
    """A calendar entry that can propose nobody tonight, and why, in words."""

    calendar_id: str
    trigger: str
    action_id: str
    reason: str


def capacities(params: Params) -> dict[str, int]:
    """Most contacts a night by channel."""
    suffix, prefix = "_capacity", "actions_"
    return {
        name[len(prefix) : -len(suffix)]: getattr(params, name)
        for name in type(params).model_fields
        if name.startswith(prefix) and name.endswith(suffix)
    }


def relation_exists(con: duckdb.DuckDBPyConnection, relation: str) -> bool:
    """Is there a table or view `schema.name`?"""
    return bool(column_names(con, relation))


def column_names(con: duckdb.DuckDBPyConnection, relation: str) -> set[str]:
    """Columns of `schema.name`; empty when it does not exist."""
    schema, name = relation.split(".")
    rows = con.execute(
        """
        select column_name from information_schema.columns
        where table_catalog = current_database() and table_schema = ? and table_name = ?
        """,
        [schema, name],
    ).fetchall()
    return {row[0] for row in rows}


def check_playbook(con: duckdb.DuckDBPyConnection, params: Params) -> None:
    """Raise UserError for entries that no data test of the seeds can see: lists inside a cell, dates, numbers."""
    problems = []
    known_channels = {row[0] for row in con.execute("select channel from playbook.playbook_channels").fetchall()}
    without_capacity = known_channels - set(capacities(params))
    if without_capacity:
        problems.append(f"playbook_channels: no capacity parameter for {', '.join(sorted(without_capacity))}")
    for action_id, channels, offer_cost, redeem, uplift, purpose, needs_profit in con.execute(
        """
        select action_id, channels, offer_cost, redeem_probability, uplift_prior, purpose, needs_profit
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
        if purpose not in PURPOSES or needs_profit is None:
            problems.append(f"action {action_id}: purpose must be {' or '.join(PURPOSES)}, needs_profit true or false")
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
        month, day = (int(part) for part in word.split("-"))
        date(2000, month, day)
        found.append((month, day))
    if not found:
        raise ValueError("no date")
    return found


def due_dates(entries: list[tuple[str, int, int | None, str]], as_of_date: date) -> list[tuple[str, date, date]]:
    """Entries (calendar_id, from_day, to_day, on_dates) whose window holds `as_of_date`, each as
    (calendar_id, first day of the window, the date itself). 29 February falls on the 28th in other years."""
    due = []
    for calendar_id, from_day, to_day, on_dates in entries:
        last_day = from_day if to_day is None else to_day
        for month, day in month_days(on_dates):
            for year in (as_of_date.year - 1, as_of_date.year, as_of_date.year + 1):
                on = date(year, month, 28 if (month, day) == (2, 29) and not isleap(year) else day)
                if on + timedelta(days=from_day) <= as_of_date <= on + timedelta(days=last_day):
                    due.append((calendar_id, on + timedelta(days=from_day), on))
    return due


def days_in_force(
    counted_from: str | None, from_day: int | None, to_day: int | None, nodes: dict[str, tuple[int, int]]
) -> tuple[int | None, int | None] | None:
    """The days (from, to) of an entry, counted from the last order; those of other counts as they are.

    nodes: days of silence [from, before) of each active stage. A count from silent or dormant is stretched or
    shortened as that stage is against the trade's calendar, so that an entry keeps its place within the stage: the
    third month is day 90 where silent is day 60 to 149, and day 31 where it is day 21 to 50. None where the thresholds
    active are not known.
    """
    if counted_from in (None, "last_order"):
        return from_day, to_day
    if counted_from not in nodes or from_day is None:
        return None
    start, end = nodes[counted_from]
    length = COUNTED_FROM[counted_from]

    def day(count: int) -> int:
        return start + (count if length is None else count * (end - start) // length)

    return day(from_day), None if to_day is None else day(to_day)


def calendar_days(con: duckdb.DuckDBPyConnection, as_of_date: date) -> list[tuple[str, int | None, int | None]]:
    """(calendar_id, from_day, to_day) of the entries of the calendar, with the stage active thresholds as of
    `as_of_date`; an entry that counts from a stage without a threshold is left out."""
    nodes = _stage_days(con, as_of_date)
    found = []
    for calendar_id, *counted in con.execute(
        "select calendar_id, counted_from, from_day, to_day from playbook.playbook_calendar order by calendar_id"
    ).fetchall():
        days = days_in_force(*counted, nodes)
        if days is not None:
            found.append((calendar_id, *days))
    return found


def inactive_triggers(con: duckdb.DuckDBPyConnection, as_of_date: date) -> list[InactiveTrigger]:
    """Calendar entries that can propose nobody as of `as_of_date`, each with the reason in words.

    Either a connected source does not bring what the trigger needs, or the days of the entry lie outside its own
    lifecycle stages as they are active.
    """
    missing = _missing_inputs(con)
    nodes = _stage_days(con, as_of_date)
    days = {calendar_id: (first, last) for calendar_id, first, last in calendar_days(con, as_of_date)}
    found = []
    for calendar_id, trigger, action_id, stages, every_days in con.execute(
        """
        select calendar_id, trigger, action_id, lifecycle_stage, every_days
        from playbook.playbook_calendar order by calendar_id
        """
    ).fetchall():
        reason = missing.get(trigger)
        if reason is None and trigger == "days_since_last_order" and calendar_id not in days:
            reason = "it counts from the beginning of a stage, and the active thresholds are not known"
        elif reason is None and trigger == "days_since_last_order" and nodes:
            from_day, to_day = days[calendar_id]
            last_day = from_day if to_day is None else to_day
            spans = [nodes[stage] for stage in split(stages) if stage in nodes]
            if spans and not any(_meets(from_day, last_day, every_days, *span) for span in spans):
                active = ", ".join(_days_words(stage, *nodes[stage]) for stage in split(stages) if stage in nodes)
                reason = (
                    f"nobody can be in its stage on its days: day {from_day} to {last_day} without a purchase, "
                    f"but {active} with the active thresholds; move the entry's days"
                )
        if reason:
            found.append(InactiveTrigger(calendar_id, trigger, action_id, reason))
    return found


def _meets(from_day: int, last_day: int, every_days: int | None, start: int, end: int) -> bool:
    """Does the window, or one of its returns, meet a stage of the days [start, end)?"""
    returns = 0 if every_days is None else max(0, -((last_day - start) // every_days))
    step = 0 if every_days is None else returns * every_days
    return from_day + step < end and last_day + step >= start


def _missing_inputs(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    missing = {"tier_at_risk": "no loyalty tier of a customer is computed yet"}
    if not _any_row(con, "staging.stg_interactions", "kind = 'complaint'") and not _a_source_has(
        con, "has_interactions"
    ):
        missing["open_complaint"] = "no connected source brings service events, so complaints are unknown"
    if "birth_date" not in column_names(con, "staging.stg_customers"):
        missing["birthday"] = "birthdays are personal data that is kept apart from the tables the plan reads"
    elif not _any_row(con, "staging.stg_customers", "birth_date is not null"):
        missing["birthday"] = "no connected source brings birthdays"
    if not relation_exists(con, "segments.customer_movements"):
        missing["movement_alert"] = "no movement alerts are computed"
    return missing


def _days_words(stage: str, first_day: int, next_stage_day: int) -> str:
    last = "on" if next_stage_day == OPEN_END else f"to {next_stage_day - 1}"
    return f"{stage} is day {first_day} {last}"


def _any_row(con: duckdb.DuckDBPyConnection, relation: str, condition: str) -> bool:
    if not relation_exists(con, relation):
        return False
    return bool(con.execute(f"select exists (select 1 from {relation} where {condition})").fetchone()[0])


def _a_source_has(con: duckdb.DuckDBPyConnection, flag: str) -> bool:
    return relation_exists(con, "ingest.source_status") and _any_row(con, "ingest.source_status", flag)


def brings_consents(con: duckdb.DuckDBPyConnection) -> bool:
    """Does any connected source bring consent data? Then what is not granted is denied, for every customer."""
    return _a_source_has(con, "has_consents") or _any_row(con, "staging.stg_consents", "true")


def _stage_days(con: duckdb.DuckDBPyConnection, as_of_date: date) -> dict[str, tuple[int, int]]:
    """Days of silence [from, before) of each stage that has a active threshold."""
    if not relation_exists(con, "features.lifecycle_nodes"):
        return {}
    row = con.execute(
        "select silent_days, dormant_days, lost_days from features.lifecycle_nodes where cutoff_date = ?", [as_of_date]
    ).fetchone()
    if row is None:
        return {}
    silent, dormant, lost = row
    return {
        "new": (0, silent),
        "active": (0, silent),
        "silent": (silent, dormant),
        "dormant": (dormant, lost),
        "lost": (lost, OPEN_END),
    }
