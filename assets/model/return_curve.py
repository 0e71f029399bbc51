"""One curve a customer: the chance of no order within so many days from now. Every horizon, and the day of the next
order, are read from it, so that no two of them contradict each other.

In: purchase histories, and the churn probability at the churn horizon by whoever scores. Out: probabilities, days.
Application only; `train.value.return_curve` learns.

    none_within(h) = churn_probability ^ ((hazard(h) / hazard(horizon)) ^ bend)

hazard(h) = −ln(1 − alive × P(the gap in progress ends within h)) is the cumulative hazard of an order by the customer's
own history: `PurchaseRhythm` knows gaps, `PurchaseProcess` whether there is anybody left who could come. The curve is
that hazard in proportion (Cox 1972), so that it meets the published churn probability at the horizon. It never rises
and is 1 at 0 days, whatever was learned. bend: one number for days within the horizon and one beyond it, learned from
outcomes; 1 says nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assets.model.churn_features import FEATURES
from assets.model.gamma_gamma import GammaGamma
from assets.model.purchase_process import PurchaseProcess
from assets.model.purchase_rhythm import PurchaseRhythm

#: Days at which the hazard is worked out; between two of them it grows evenly. The horizon is one too.
KNOTS = (1, 2, 3, 5, 7, 14, 21, 30, 45, 60, 90, 180, 365)
#: Shares of those who come that lie before the ends of an interval of 80 %, where no wait was seen to learn them from.
ENDS = (0.1, 0.9)
#: The last order fell into the middle of its day.
MIDDAY = 0.5
#: Least hazard of a day: somebody silent for ages is next to never expected, but never quite.
_LEAST_A_DAY = 1e-9
#: Least probability whose logarithm is taken.
_LEAST = 1e-9


@dataclass(frozen=True)
class History:
    """Purchases of customers, (n,) each: days with a purchase after the first, days from the first to the last of them
    and from the last one to now. NaN for somebody who never purchased."""

    frequency: np.ndarray
    recency_days: np.ndarray
    silent_days: np.ndarray

    @classmethod
    def of(cls, matrix: np.ndarray) -> "History":
        """matrix: (n, len(FEATURES))."""
        names = ("frequency", "recency_days", "days_since_last_order")
        return cls(*(matrix[:, FEATURES.index(name)] for name in names))

    def __len__(self) -> int:
        return len(self.silent_days)

    def where(self, chosen: np.ndarray) -> "History":
        """Customers by mask or index."""
        return History(self.frequency[chosen], self.recency_days[chosen], self.silent_days[chosen])


@dataclass(frozen=True)
class OwnHazard:
    """Cumulative hazard of an order by the histories of customers alone. days: (k,) from 0 on, rising. hazard: (n, k),
    0 at first, rising; it grows evenly between two days."""

    days: np.ndarray
    hazard: np.ndarray

    def where(self, chosen: np.ndarray) -> "OwnHazard":
        """Customers by mask or index."""
        return OwnHazard(self.days, self.hazard[chosen])

    def at(self, days: np.ndarray | float) -> np.ndarray:
        """(n,) hazard within so many days, one number or one a customer."""
        after = np.clip(np.searchsorted(self.days, days), 1, len(self.days) - 1)
        return self._line(after, days, self.days[None, :], self.hazard)

    def when(self, hazard: np.ndarray) -> np.ndarray:
        """(n,) days within which the hazard reaches a number, one a customer."""
        after = np.clip((self.hazard < hazard[:, None]).sum(axis=1), 1, len(self.days) - 1)
        return self._line(after, hazard, self.hazard, self.days[None, :])

    def _line(self, after: np.ndarray, at: np.ndarray | float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        rows = np.arange(len(self.hazard))
        x0, x1, y0, y1 = (of[np.minimum(rows, len(of) - 1), place] for of in (x, y) for place in (after - 1, after))
        return y0 + (y1 - y0) * (at - x0) / (x1 - x0)


@dataclass(frozen=True)
class ReturnCurve:
    """process: None where nobody ever bought twice, so that everybody counts as alive. near, far: the bend within the
    horizon and beyond it, above 0. ends: shares of those who come within the horizon that lie before the ends of the
    interval."""

    rhythm: PurchaseRhythm
    process: PurchaseProcess | None
    horizon_days: int
    near: float = 1.0
    far: float = 1.0
    ends: tuple[float, float] = ENDS

    def own_hazard(self, history: History) -> OwnHazard:
        """What every question below starts from; NaN for somebody who never purchased."""
        days = np.array(sorted({0, *KNOTS, self.horizon_days}), dtype=float)
        alive: np.ndarray | float = 1.0
        if self.process is not None:
            age = history.recency_days + history.silent_days
            alive = self.process.alive_share(history.frequency, history.recency_days, age)
        since = np.maximum(history.silent_days - MIDDAY, 0.0)
        comes = self.rhythm.within(history.frequency, history.recency_days, since, days[1:])
        chance = np.minimum(np.asarray(alive)[..., None] * comes, 1 - _LEAST)
        hazard = -np.log1p(-chance) + _LEAST_A_DAY * days[1:]
        return OwnHazard(days, np.column_stack([np.zeros(len(hazard)), hazard]))

    def none_within(self, own: OwnHazard, churn_probability: np.ndarray, days: Sequence[int]) -> np.ndarray:
        """(n, len(days)) chance of no order within so many days, today being the first. `churn_probability` itself at
        the horizon; NaN where that is NaN or nothing was ever purchased."""
        bend = np.where(np.asarray(days) <= self.horizon_days, self.near, self.far)
        return np.asarray(churn_probability, dtype=float)[:, None] ** self.ratio(own, days) ** bend

    def ratio(self, own: OwnHazard, days: Sequence[int]) -> np.ndarray:
        """(n, len(days)) hazard within so many days over that within the horizon, by the history alone."""
        return np.column_stack([own.at(float(each)) for each in days]) / own.at(float(self.horizon_days))[:, None]

    def none_by_history(self, own: OwnHazard) -> np.ndarray:
        """(n,) chance of no order within the horizon by the history alone: where churn is the end of a contract, the
        churn probability says nothing of orders."""
        return np.exp(-own.at(float(self.horizon_days)))

    def days(self, own: OwnHazard, churn_probability: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Whole days from now to the next order of customers who come within the horizon, 0 for today: lower end of the
        interval, median, upper end, (n,) each. NaN where the curve is.

        The median is the first day by whose end half of those who come within the horizon have come.
        """
        low, high = self.ends
        churn = np.clip(np.asarray(churn_probability, dtype=float), _LEAST, 1 - _LEAST)
        found = []
        for share in (low, 0.5, high):
            # none_within solved for the hazard, and that for the day.
            power = np.log1p(-share * (1 - churn)) / np.log(churn)
            reached = own.when(power ** (1 / self.near) * own.at(float(self.horizon_days)))
            found.append(np.clip(np.ceil(reached - _LEAST) - 1, 0, self.horizon_days - 1))
        return found[0], found[1], found[2]

    def share_come(self, own: OwnHazard, churn_probability: np.ndarray, days: np.ndarray) -> np.ndarray:
        """(n,) share of those who come within the horizon that has come within so many days, one number a customer."""
        ratio = own.at(np.asarray(days, dtype=float)) / own.at(float(self.horizon_days))
        churn = np.clip(np.asarray(churn_probability, dtype=float), _LEAST, 1 - _LEAST)
        return (1 - churn**ratio**self.near) / (1 - churn)

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "rhythm": {**self.rhythm.gaps.to_dict(), "n_customers": self.rhythm.n_customers},
            "process": None if self.process is None else dict(vars(self.process)),
            "horizon_days": self.horizon_days,
            "near": self.near,
            "far": self.far,
            "ends": list(self.ends),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ReturnCurve":
        gaps, process, (low, high) = value["rhythm"], value["process"], value["ends"]
        return cls(
            PurchaseRhythm(GammaGamma.from_dict(gaps), int(gaps["n_customers"])),
            None if process is None else PurchaseProcess(**process),
            int(value["horizon_days"]),
            float(value["near"]),
            float(value["far"]),
            (float(low), float(high)),
        )
