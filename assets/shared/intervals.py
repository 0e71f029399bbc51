"""Intervals of shares, from counts. Knows no table and no model."""

import math


def wilson_interval(k: int, n: int) -> tuple[float, float]:
    """95 % interval of the share k of n > 0 (Wilson 1927)."""
    from scipy.stats import binomtest

    found = binomtest(k, n).proportion_ci(confidence_level=0.95, method="wilson")
    return float(found.low), float(found.high)


#: Standard deviations that are left to chance.
_CHANCE_SD = 3


def above_chance(share: float, n: int) -> float:
    """What an observed share of n may be, by three standard deviations of chance, where `share` is allowed."""
    return share + _CHANCE_SD * math.sqrt(share * (1 - share) / max(n, 1))


def above_chance_sql(share: str, n: str) -> str:
    """`above_chance` as an SQL expression of two others: the share that is allowed, and the number of rows."""
    return f"{share} + {_CHANCE_SD} * sqrt({share} * (1 - {share}) / greatest({n}, 1))"
