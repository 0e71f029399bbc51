"""When the next purchase is to be expected, given the customer's own gaps and the silence so far.

In: per customer, number and sum of the days between purchases, and the days since the last one. Out: the usual gap,
the expected gap given that it is already longer than the silence, how overdue the customer is. Train fits.

Gaps follow `GammaGamma`: Gamma(p, nu) with nu ~ Gamma(q, gamma). After n gaps of sum S the rate nu is
Gamma(q + p n, gamma + S), so that the gap in progress G is a compound gamma (beta prime) with closed tails:
P(G > s) = I_x(q', p) and E[G; G > s] = p gamma' / (q' - 1) I_x(q' - 1, p + 1), x = gamma' / (gamma' + s), I being the
regularised incomplete beta function. Nothing is simulated, and a longer silence moves the expectation on its own.

It speaks of customers who do come back. Whether somebody does is the churn probability's business.
"""

from dataclasses import dataclass

import numpy as np

from assets.model.gamma_gamma import GammaGamma

#: No date is expected further ahead than this: ten years is never, and dates must stay dates.
MAX_DAYS_AHEAD = 3650


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

    def expected_gap(self, n_gaps: np.ndarray, gap_sum: np.ndarray, silent_days: np.ndarray) -> np.ndarray:
        """Expected length of the gap in progress given that it already lasts `silent_days`: at least the silence, and
        never falling as the silence grows. NaN where the silence is unknown."""
        from scipy.special import betainc

        silent = np.asarray(silent_days, dtype=float)
        q, scale = self._posterior(n_gaps, gap_sum)
        p = self.gaps.p
        x = scale / (scale + np.maximum(np.nan_to_num(silent, nan=0.0), 0.0))
        survives, mass = betainc(q, p, x), betainc(q - 1, p + 1, x)
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = p * scale / (q - 1) * mass / survives
        # Far in the tail both vanish. There P(G > s) falls as s^-q, for which E[G | G > s] = s q / (q - 1).
        tail = silent * q / (q - 1)
        expected = np.where(np.isfinite(expected) & (survives > 1e-250), expected, tail)
        return np.where(np.isnan(silent), np.nan, np.clip(expected, silent, silent + MAX_DAYS_AHEAD))

    def expected_wait_within(
        self, n_gaps: np.ndarray, gap_sum: np.ndarray, silent_days: np.ndarray, days: float
    ) -> np.ndarray:
        """Expected days from now to the next purchase of customers who buy within `days`: what a closed window can
        check. NaN where the silence is unknown or no purchase within it is to be expected."""
        silent = np.asarray(silent_days, dtype=float)
        alive, later = (self.survival(n_gaps, gap_sum, silent + ahead) for ahead in (0.0, days))
        first, last = (self.expected_gap(n_gaps, gap_sum, silent + ahead) for ahead in (0.0, days))
        with np.errstate(divide="ignore", invalid="ignore"):
            wait = (first * alive - last * later) / (alive - later) - silent
        return np.where(np.isfinite(wait), np.clip(wait, 0.0, days), np.nan)

    def _posterior(self, n_gaps: np.ndarray, gap_sum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n = np.nan_to_num(np.asarray(n_gaps, dtype=float), nan=0.0)
        return self.gaps.q + self.gaps.p * n, self.gaps.gamma + np.nan_to_num(np.asarray(gap_sum, dtype=float), nan=0.0)
