"""When the active model is checked, and whether that has been done.

In: the model store, a date. Out: the check that is due. Light: it is asked before every run.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from assets.model import model_store
from assets.shared.params import Params


@dataclass(frozen=True)
class DueCheck:
    """day: as of which the check is made. cutoff: the day whose horizon closed then."""

    day: date
    cutoff: date


def check_day(trained_as_of: date, as_of: date, every_days: int) -> date | None:
    """The newest check day up to `as_of`: every `every_days` days after training; None before the first."""
    times = (as_of - trained_as_of).days // every_days
    return trained_as_of + timedelta(times * every_days) if times >= 1 else None


def due_check(store: Path, model_id: str, as_of: date, params: Params) -> DueCheck | None:
    """The check that a run of `as_of` has to make, or None: none is due yet, or it has been made."""
    due = check_at(date.fromisoformat(model_id[:10]), as_of, params)
    if due is None or any(c["checked_as_of"] == due.day.isoformat() for c in model_store.checks(store, model_id)):
        return None
    return due


def check_at(trained_as_of: date, as_of: date, params: Params) -> DueCheck | None:
    """The newest check, made or not, of a model trained as of a day."""
    day = check_day(trained_as_of, as_of, params.monitor_every_days)
    return None if day is None else DueCheck(day, day - timedelta(params.churn_horizon_days))
