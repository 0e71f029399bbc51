"""How long each store of a home is kept: defaults, and what `retention` of `home.yml` says instead.

In: a home. Out: days by store; None is for ever. A thing of day D is kept on the day D + days and goes on the next.
What is removed, and when, belongs to `pipelines.retention`; files of `published/history` go as stage publish writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from assets.shared.home_file import read_home_file
from assets.shared.retention_stores import STORES


@dataclass(frozen=True)
class Period:
    """One line of the table. days: None for ever."""

    store: str
    what: str
    days: int | None


def periods_of(home: Path) -> dict[str, Period]:
    """The period of each store. Raises UserError for a `home.yml` that cannot be understood."""
    record = read_home_file(home)
    said: Mapping[str, int | None] = {} if record is None else record.retention
    return {name: Period(name, store.what, said.get(name, store.days)) for name, store in STORES.items()}


def is_over(day: date, today: date, days: int | None) -> bool:
    """Whether what is of `day` is no longer kept."""
    return days is not None and (today - day).days > days
