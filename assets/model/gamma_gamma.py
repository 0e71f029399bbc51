"""Own level and population level in one estimate: what is usual for a customer of whom few values are known.

In: how many values of a customer are known and their mean (order values, gaps between purchases). Out: the expected
level of each customer, drawn to the population's as far as the history is short. Fitting belongs to train.

The gamma-gamma model (Colombo and Jiang 1999; Fader, Hardie and Lee 2005, "RFM and CLV", appendix): a value is
Gamma(p, nu), where nu differs between customers as Gamma(q, gamma) (shape, rate).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class GammaGamma:
    """p: shape of one customer's values. q, gamma: shape and rate of the customers' own rates; gamma has the unit of
    the values. q above 1 makes the population's mean finite."""

    p: float
    q: float
    gamma: float

    @property
    def population_mean(self) -> float:
        """Mean level over customers, p gamma / (q - 1); infinite for q <= 1."""
        return self.p * self.gamma / (self.q - 1) if self.q > 1 else float("inf")

    def expected_level(self, n_values: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Expected level of each customer: the posterior mean given `n_values` values of mean `mean`.

        A customer without values (n 0, mean ignored) has the population's. Unit of the values.
        """
        n = np.nan_to_num(np.asarray(n_values, dtype=float), nan=0.0)
        total = np.where(n > 0, n * np.nan_to_num(np.asarray(mean, dtype=float), nan=0.0), 0.0)
        with np.errstate(divide="ignore"):
            return np.where(
                self.p * n + self.q > 1,
                self.p * (self.gamma + total) / np.maximum(self.p * n + self.q - 1, 1e-12),
                np.inf,
            )

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "GammaGamma":
        return cls(float(value["p"]), float(value["q"]), float(value["gamma"]))
