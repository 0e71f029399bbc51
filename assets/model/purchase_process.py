"""Buy-till-you-die in closed form: BG/NBD (Fader, Hardie and Lee 2005) and MBG/NBD (Batislam, Denizel and Filiztekin
2007).

While alive a customer buys as a Poisson process whose rate is Gamma(r, α) over customers; after each purchase (in
MBG/NBD also after the first) the customer leaves for good with a probability that is Beta(a, b) over customers.
In: x repeat purchase days, recency t_x (days from the first to the last of them), age T (days from the first to now).
Out: what follows for the days ahead. Application only; `assets.model.purchase_fit` fits.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

_SMALLEST = 1e-9


#: BG/NBD, MBG/NBD.
ProcessKind = Literal["bg_nbd", "mbg_nbd"]


@dataclass(frozen=True)
class PurchaseProcess:
    """Fitted parameters. α is in units of `unit_days`; r, a, b have no unit."""

    kind: ProcessKind
    r: float
    alpha: float
    a: float
    b: float
    unit_days: float = 7.0

    def alive_share(self, x: np.ndarray, recency_days: np.ndarray, age_days: np.ndarray) -> np.ndarray:
        """Probability that a customer has not left yet; (n,), NaN where the history is NaN."""
        x, t_x, age = self._in_units(x, recency_days, age_days)
        log_ratio = (self.r + x) * (np.log(self.alpha + age) - np.log(self.alpha + t_x))
        if self.kind == "mbg_nbd":
            odds_of_death = self.a / (self.b + x) * np.exp(np.minimum(log_ratio, 500.0))
        else:
            repeated = x > 0
            odds_of_death = np.where(
                repeated, self.a / (self.b + np.maximum(x, 1) - 1) * np.exp(np.minimum(log_ratio, 500.0)), 0.0
            )
        return np.where(np.isnan(x + t_x + age), np.nan, 1 / (1 + odds_of_death))

    def orders_if_alive(self, x: np.ndarray, recency_days: np.ndarray, age_days: np.ndarray) -> np.ndarray:
        """Expected purchase days in one unit of time for a customer who is alive: (r + x) / (α + T)."""
        x, _, age = self._in_units(x, recency_days, age_days)
        return (self.r + x) / (self.alpha + age)

    def no_purchase(
        self, x: np.ndarray, recency_days: np.ndarray, age_days: np.ndarray, horizon_days: float
    ) -> np.ndarray:
        """P(no purchase in the next `horizon_days`) = 1 − P(alive)·(1 − ((α+T)/(α+T+H))^(r+x)); (n,)."""
        counts, _, age = self._in_units(x, recency_days, age_days)
        ahead = horizon_days / self.unit_days
        silent_if_alive = np.exp((self.r + counts) * np.log((self.alpha + age) / (self.alpha + age + ahead)))
        return 1 - self.alive_share(x, recency_days, age_days) * (1 - silent_if_alive)

    def log_odds(
        self, x: np.ndarray, recency_days: np.ndarray, age_days: np.ndarray, horizon_days: float
    ) -> np.ndarray:
        """Log-odds of `no_purchase`, finite."""
        p = np.clip(self.no_purchase(x, recency_days, age_days, horizon_days), _SMALLEST, 1 - _SMALLEST)
        return np.log(p) - np.log1p(-p)

    def expected_orders(
        self, x: np.ndarray, recency_days: np.ndarray, age_days: np.ndarray, horizon_days: float
    ) -> np.ndarray:
        """Expected purchase days in the next `horizon_days`, by integrating the chance of being alive and buying.

        alive share × (a + b' − 1)/(a − 1) × [1 − ((α+T)/(α+T+t))^(r+x) ₂F₁(r+x, b'; a+b'−1; t/(α+T+t))], where
        b' = b + x (BG/NBD) or b + x + 1 (MBG/NBD). Fader, Hardie and Lee (2005), equation 10. Needs scipy."""
        from scipy.special import hyp2f1

        counts, _, age = self._in_units(x, recency_days, age_days)
        ahead = horizon_days / self.unit_days
        b_now = self.b + counts + (1 if self.kind == "mbg_nbd" else 0)
        total = self.a + b_now
        z = ahead / (self.alpha + age + ahead)
        series = hyp2f1(self.r + counts, b_now, total - 1, z)
        silent = np.exp((self.r + counts) * np.log((self.alpha + age) / (self.alpha + age + ahead)))
        expected = (total - 1) / (self.a - 1) * (1 - silent * series)
        return self.alive_share(x, recency_days, age_days) * expected

    def _in_units(self, x, recency_days, age_days) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return (
            np.asarray(x, dtype=float),
            np.asarray(recency_days, dtype=float) / self.unit_days,
            np.asarray(age_days, dtype=float) / self.unit_days,
        )
