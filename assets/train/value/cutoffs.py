"""Which past days the value of a longer window is learned from and judged on.

In: the day a model is trained as of, the day on which the business had enough customers to learn from, parameters.
Out: cutoffs of the longest window that can be judged out of time. No table is read here.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from assets.shared.params import Params

#: Windows of which snapshots bring outcomes, longest first: column suffix and part of the value horizon.
WINDOWS = {"year": 1, "half_year": 2, "quarter": 4}

#: Cutoffs that one fit learns from, a third of the window apart, and test cutoffs, a window apart.
N_LEARN, N_TESTS = 2, 2


@dataclass(frozen=True)
class ValueCutoffs:
    """window: a key of WINDOWS, `days` long. training: cutoffs that the kept model learns from. tests: test cutoff to
    the cutoffs its judged model learns from, all of whose outcomes end at or before it. Newest first throughout.
    year_ago: the cutoff whose value horizon ends on the anchor; None where the window is that long itself, or the
    history shorter."""

    window: str
    days: int
    training: tuple[date, ...]
    tests: dict[date, tuple[date, ...]]
    year_ago: date | None = None

    @property
    def cutoffs(self) -> tuple[date, ...]:
        """Every cutoff whose snapshot is needed, oldest first."""
        learned = {*self.training, *self.tests, *(cutoff for known in self.tests.values() for cutoff in known)}
        return tuple(sorted(learned | ({self.year_ago} if self.year_ago else set())))


def window_days(window: str, value_horizon_days: int) -> int:
    return value_horizon_days // WINDOWS[window]


def plan_value_cutoffs(anchor: date, enough_on: date | None, params: Params) -> ValueCutoffs | None:
    """Cutoffs of the longest window with at least one test cutoff, or None: then the year is extrapolated from the
    horizon.

    enough_on: the day by which `train_min_customers` had come, None where they never did. No cutoff lies before it plus
    the horizon plus the least tenure (as in `cutoffs.plan_cutoffs`): a business that grew would otherwise plan a year
    on a handful of first customers, which teach nothing, and end without any window. A window no longer than the churn
    horizon says nothing beyond it.
    """
    if enough_on is None:
        return None
    earliest = enough_on + timedelta(params.churn_horizon_days + params.churn_min_tenure_days)
    for window in WINDOWS:
        days = window_days(window, params.value_horizon_days)
        if days <= params.churn_horizon_days:
            continue
        newest = anchor - timedelta(days)
        tests = {}
        for number in range(N_TESTS):
            cutoff = newest - timedelta(days * number)
            before = _learnable(cutoff - timedelta(days), days, earliest)
            if cutoff >= earliest and before:
                tests[cutoff] = before
        if tests:
            year_ago = anchor - timedelta(params.value_horizon_days)
            known = earliest <= year_ago and days < params.value_horizon_days
            return ValueCutoffs(window, days, _learnable(newest, days, earliest), tests, year_ago if known else None)
    return None


def _learnable(newest: date, days: int, earliest: date) -> tuple[date, ...]:
    cutoffs = (newest - timedelta(days // 3 * number) for number in range(N_LEARN))
    return tuple(cutoff for cutoff in cutoffs if cutoff >= earliest)
