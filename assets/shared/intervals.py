"""Intervals of shares, from counts. Knows no table and no model."""

import math


def wilson_interval(k: int, n: int) -> tuple[float, float]:
    """95 % interval of the share k of n > 0 (Wilson 1927)."""
    from scipy.stats import binomtest

    found = binomtest(k, n).proportion_ci(confidence_level=0.95, method="wilson")
    return float(found.low), float(found.high)


def above_chance(share: float, n: int) -> float:
    """What an observed share of n may be, by three standard deviations of chance, where `share` is allowed."""
    return share + 3 * math.sqrt(share * (1 - share) / max(n, 1))
