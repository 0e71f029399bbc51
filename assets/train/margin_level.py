"""The level of expected margins: what buyers have spent of late, over what was expected of them.

In: expected margins given a purchase at test cutoffs, and what came. Out: a factor. A margin model learns from many
past cutoffs, so its level is an old one; the newest closed cutoffs say by how much prices and baskets have moved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from assets.model.snapshots import Snapshots

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


def learn_level(tests: Sequence[CutoffResult], name: str) -> float:
    """Factor for the margins of `name` after these test cutoffs, oldest first: the mean log ratio of actual to expected
    margins of buyers, the newest counting most; 1 where nobody bought."""
    weights, logs = [], []
    for age, test in enumerate(reversed(tests)):
        bought = ~test.rows.is_churned
        actual = float(np.maximum(test.rows.margin, 0.0)[bought].sum())
        expected = float(test.margins[name][bought].sum()) if name in test.margins else 0.0
        if actual > 0 and expected > 0:
            weights.append(FADING**age * float(bought.sum()))
            logs.append(np.log(actual / expected))
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
