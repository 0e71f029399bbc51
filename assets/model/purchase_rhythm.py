"""When the next purchase is to be expected, given the customer's own gaps and the silence so far.

In: per customer, number and sum of the days between purchases, and the days since the last one. Out: the usual gap,
how overdue the customer is, and days from now at any level of the distribution. Train fits.

Gaps follow `GammaGamma`: Gamma(p, nu) with nu ~ Gamma(q, gamma). After n gaps of sum S the rate nu is
Gamma(q + p n, gamma + S), so that the gap in progress G is a compound gamma (beta prime) with closed tails:
P(G > s) = I_x(q', p), x = gamma' / (gamma' + s), I being the regularised incomplete beta function. Nothing is
simulated, and a longer silence moves the day on its own.

It speaks of customers who do come back. Whether somebody does is the churn probability's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assets.model.gamma_gamma import GammaGamma

#: Below this a tail is known no more; there it falls as a power of the time.
_SMALLEST = 1e-250


@dataclass(frozen=True)
class PurchaseRhythm:
    """The fitted gap model of a business; gaps in days. n_customers: how many it was learned from (0: a convention)."""

    gaps: GammaGamma
    n_customers: int = 0

    def usual_gap(self, n_gaps: np.ndarray, gap_sum: np.ndarray) -> np.ndarray:
        """Expected days between purchases of each customer, drawn to the population's for short histories."""
        n = np.nan_to_num(np.asarray(n_gaps, dtype=float), nan=0.0)
        total = np.nan_to_num(np.asarray(gap_sum, dtype=float), nan=0.0)
        return self.gaps.expected_level(n, total / np.maximum(n, 1.0))

    def overdue_ratio(self, n_gaps: np.ndarray, gap_sum: np.ndarray, silent_days: np.ndarray) -> np.ndarray:
        """Days since the last purchase over the usual gap; above 1 the customer is later than usual. NaN where the
        silence is unknown (never purchased)."""
        return np.asarray(silent_days, dtype=float) / self.usual_gap(n_gaps, gap_sum)

    def survival(self, n_gaps: np.ndarray, gap_sum: np.ndarray, silent_days: np.ndarray) -> np.ndarray:
        """Chance that a gap of the customer is longer than `silent_days`."""
        from scipy.special import betainc

        q, scale = self._posterior(n_gaps, gap_sum)
        silent = np.maximum(np.asarray(silent_days, dtype=float), 0.0)
        return betainc(q, self.gaps.p, scale / (scale + silent))

    def within(
        self, n_gaps: np.ndarray, gap_sum: np.ndarray, silent_days: np.ndarray, days: np.ndarray | float
    ) -> np.ndarray:
        """Chance that the gap in progress ends within so many days from now, given the silence; NaN where that is
        unknown."""
        silent = np.asarray(silent_days, dtype=float)
        q, _ = self._posterior(n_gaps, gap_sum)
        now, later = (self.survival(n_gaps, gap_sum, silent + ahead) for ahead in (0.0, days))
        with np.errstate(divide="ignore", invalid="ignore"):
            # Far in the tail P(G > s) falls as s^-q.
            still = np.where(now > _SMALLEST, later / now, (silent / (silent + days)) ** q)
        return np.where(np.isnan(silent), np.nan, 1 - still)

    def _posterior(self, n_gaps: np.ndarray, gap_sum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n = np.nan_to_num(np.asarray(n_gaps, dtype=float), nan=0.0)
        return self.gaps.q + self.gaps.p * n, self.gaps.gamma + np.nan_to_num(np.asarray(gap_sum, dtype=float), nan=0.0)


#: Levels at which the ends of an interval of 80 % and the middle lie, where no wait was ever seen to learn them from.
LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class NextOrder:
    """Whole days from now to the next order of customers who come back within `within_days`, 0 for today.

    levels: of that conditional distribution, for the lower end of the interval, the expected day and the upper end;
    learned from waits that have ended (`train.value.next_order`).
    """

    rhythm: PurchaseRhythm
    within_days: int
    levels: tuple[float, float, float] = LEVELS

    def level_of(
        self, n_gaps: np.ndarray, gap_sum: np.ndarray, silent_days: np.ndarray, wait_days: np.ndarray
    ) -> np.ndarray:
        """Level of the distribution at which a wait of so many whole days lies, 0 to 1, (n,)."""
        passed, all_ = (
            self.rhythm.within(n_gaps, gap_sum, silent_days, days)
            for days in (np.minimum(wait_days + 0.5, self.within_days), self.within_days)
        )
        return passed / np.maximum(all_, _SMALLEST)

    def days_at(self, n_gaps: np.ndarray, gap_sum: np.ndarray, silent_days: np.ndarray, level: float) -> np.ndarray:
        """The first whole day at which the distribution has reached a level, (n,); NaN where the silence is unknown.
        Never earlier for a longer silence of the same wait, and before `within_days`."""
        silent = np.asarray(silent_days, dtype=float)
        wanted = level * self.rhythm.within(n_gaps, gap_sum, silent, self.within_days)
        low, high = np.zeros(len(silent)), np.full(len(silent), float(max(self.within_days - 1, 0)))
        while (low < high).any():
            middle = np.floor((low + high) / 2)
            reached = self.rhythm.within(n_gaps, gap_sum, silent, middle + 0.5) >= wanted
            low, high = np.where(reached, low, middle + 1), np.where(reached, middle, high)
            high = np.maximum(low, high)
        return np.where(np.isnan(silent), np.nan, low)

    def days(
        self, n_gaps: np.ndarray, gap_sum: np.ndarray, silent_days: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lower end, expected day, upper end, (n,) each."""
        low, middle, high = (self.days_at(n_gaps, gap_sum, silent_days, level) for level in self.levels)
        return low, middle, high

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.rhythm.gaps.to_dict(),
            "n_customers": self.rhythm.n_customers,
            "within_days": self.within_days,
            "levels": list(self.levels),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "NextOrder":
        rhythm = PurchaseRhythm(GammaGamma.from_dict(value), int(value["n_customers"]))
        low, middle, high = (float(level) for level in value["levels"])
        return cls(rhythm, int(value["within_days"]), (low, middle, high))
