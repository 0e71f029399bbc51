"""The level of expected margins: what buyers have spent of late, over what was expected of them, and how that moves
with the time of the year.

In: expected margins given a purchase at test cutoffs, and what came. Out: factors. A margin model learns from many
past cutoffs, so its level is an old one; the newest closed cutoffs say by how much prices and baskets have moved, and
the same days of last year what comes next, as far as last year came again (`season_fit`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np

from assets.model.season import YEAR
from assets.model.season_fit import learn_share
from assets.model.snapshots import Snapshots
from assets.train.training_data import TrainingData

#: Weight, in buyers, of the belief that the level has not moved: the total of so many, whose spends spread by twice
#: their mean, is as uncertain as the level is from one horizon to the next, about 15 %.
PRIOR_BUYERS = 200.0
#: What a test cutoff counts next to the one after it.
FADING = 0.5
#: A level that has more than doubled or halved in a horizon is an accident of a few large orders.
MOST = 2.0


@dataclass(frozen=True)
class CutoffResult:
    """What was predicted at one test cutoff and what happened, by `model` and `rule`. margins: expected margin given a
    purchase, by the same names."""

    cutoff: date
    rows: Snapshots
    probability: dict[str, np.ndarray]
    margins: dict[str, np.ndarray]

    def population(self, name: str) -> np.ndarray:
        return self.rows.is_active if name == "active" else np.ones(len(self.rows), dtype=bool)


@dataclass(frozen=True)
class MarginSeason:
    """shifts: day → what the season adds to the log of margins, relative to the newest matured cutoff. past: the same
    of past cutoffs. Empty where the history was too short for a season, or showed none."""

    shifts: Mapping[date, float] = field(default_factory=dict)
    past: Mapping[date, float] = field(default_factory=dict)


def learn_margin_season(expected: Callable[[np.ndarray], np.ndarray], data: TrainingData) -> MarginSeason:
    """How margins given a purchase move with the time of the year: the same estimate asked about the days of last year,
    times the share of last year's changes that came again (as `calibration` does with log-odds).

    expected: (n, features) → (n,) margin given a purchase."""
    plan = data.plan
    if not plan.season:
        return MarginSeason()

    def off(day: date) -> float:
        rows = data.some_at(day)
        return log_ratio(rows, expected(rows.matrix)) if len(rows) else float("nan")

    before = {day: off(day - YEAR) for day in (*plan.out_of_time, *plan.season_days)}
    newest = before[plan.newest_matured]
    share = learn_share([off(day) for day in plan.out_of_time], [before[day] for day in plan.out_of_time])
    if not share or not all(np.isfinite(before[day]) for day in plan.season_days):
        return MarginSeason()
    moved = {day: share * (value - newest) for day, value in before.items() if np.isfinite(value)}
    return MarginSeason(
        {day: moved[day] for day in plan.season_days}, {day: moved[day] for day in plan.out_of_time if day in moved}
    )


def log_ratio(rows: Snapshots, expected: np.ndarray) -> float:
    """Log of actual over expected margins of those who bought; NaN where nobody did. expected: (n,)."""
    bought = ~rows.is_churned
    actual, said = float(np.maximum(rows.margin, 0.0)[bought].sum()), float(expected[bought].sum())
    return float(np.log(actual / said)) if actual > 0 and said > 0 else float("nan")


def learn_level(tests: Sequence[CutoffResult], name: str, season: Mapping[date, float] | None = None) -> float:
    """Factor for the margins of `name` after these test cutoffs, oldest first: the mean log ratio of actual to expected
    margins of buyers, less the season of their days, the newest counting most; 1 where nobody bought."""
    weights, logs = [], []
    for age, test in enumerate(reversed(tests)):
        ratio = log_ratio(test.rows, test.margins[name]) if name in test.margins else float("nan")
        if np.isfinite(ratio):
            weights.append(FADING**age * float((~test.rows.is_churned).sum()))
            logs.append(ratio - (season or {}).get(test.cutoff, 0.0))
    found = float(np.dot(weights, logs)) / (sum(weights) + PRIOR_BUYERS)
    return float(np.clip(np.exp(found), 1 / MOST, MOST))


def at_their_level(tests: Sequence[CutoffResult], horizon_days: int) -> tuple[CutoffResult, ...]:
    """The same test cutoffs, oldest first, with margins as they would have been expected on that day: at the level of
    the test cutoffs that had closed by then."""
    found = []
    for test in tests:
        closed = [t for t in tests if t.cutoff + timedelta(horizon_days) <= test.cutoff]
        margins = {name: margin * learn_level(closed, name) for name, margin in test.margins.items()}
        found.append(replace(test, margins=margins))
    return tuple(found)
