"""When the next purchase is to be expected, given the customer's own gaps and the silence so far.

In: per customer, number and sum of the days between purchases, and the days since the last one. Out: the usual gap,
how overdue the customer is, and days from now at any level of the distribution. Train fits.

Gaps follow `GammaGamma`: Gamma(p, nu) with nu ~ Gamma(q, gamma). After n gaps of sum S the rate nu is
Gamma(q + p n, gamma + S), so that the gap in progress G is a compound gamma (beta prime) with closed tails:
P(G > s) = I_x(q', p), x = gamma' / (gamma' + s), I being the regularised incomplete beta function. Nothing is
simulated, and a longer silence moves the day on its own.

It speaks of customers who do come back. Whether somebody does is the churn probability's business.
"""

from dataclasses import dataclass

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

    def within(self, n_gaps: np.ndarray, gap_sum: np.ndarray, silent_days: np.ndarray, days: np.ndarray) -> np.ndarray:
        """(n, k) chance that the gap in progress ends within so many days from now, for each of `days` (k,), given the
        silence (n,); NaN where that is unknown."""
        silent = np.asarray(silent_days, dtype=float)
        q, _ = self._posterior(n_gaps, gap_sum)
        now, found = self.survival(n_gaps, gap_sum, silent), []
        for ahead in np.asarray(days, dtype=float):
            later = self.survival(n_gaps, gap_sum, silent + ahead)
            with np.errstate(divide="ignore", invalid="ignore"):
                # Far in the tail P(G > s) falls as s^-q.
                found.append(np.where(now > _SMALLEST, later / now, (silent / (silent + ahead)) ** q))
        return np.where(np.isnan(silent)[:, None], np.nan, 1 - np.column_stack(found))

    def _posterior(self, n_gaps: np.ndarray, gap_sum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n = np.nan_to_num(np.asarray(n_gaps, dtype=float), nan=0.0)
        return self.gaps.q + self.gaps.p * n, self.gaps.gamma + np.nan_to_num(np.asarray(gap_sum, dtype=float), nan=0.0)
