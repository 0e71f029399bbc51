"""Quiet days of the playbook: on which days nobody is contacted, and to which day a contact moves.

In: cells of `playbook_quiet_days`. Out: the next day that is not quiet. What is planned does not belong here.
"""

import re
from collections.abc import Set
from datetime import date, timedelta

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

#: A year without a day on which anybody may be contacted is a mistake in the playbook.
_LONGEST = 366


def is_known(cell: str) -> bool:
    """Whether the cell is a weekday in English, a day of each year (`12-25`) or one date (`2025-04-21`)."""
    if cell in WEEKDAYS:
        return True
    if not re.fullmatch(r"(\d{4}-)?\d\d-\d\d", cell):
        return False
    try:
        date.fromisoformat(cell if len(cell) == 10 else f"2000-{cell}")
    except ValueError:
        return False
    return True


def first_open_day(day: date, quiet: Set[str]) -> date:
    """`day`, or the first one after it that is not quiet. Raises ValueError where there is none within a year."""
    for days in range(_LONGEST):
        shown = day + timedelta(days=days)
        if quiet.isdisjoint({WEEKDAYS[shown.weekday()], shown.strftime("%m-%d"), shown.isoformat()}):
            return shown
    raise ValueError("every day of the year is quiet")
