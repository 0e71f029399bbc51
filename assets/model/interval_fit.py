"""Intervals about expected amounts, learned.

In: expectations and outcomes that the model had not seen. Out: an `Interval`.
"""

import numpy as np

from assets.model.value_model import COVERAGE, Interval

#: Fewest customers in a bin of the interval, and most bins.
BIN_ROWS, MAX_BINS = 50, 10


def learn_interval(expected: np.ndarray, actual: np.ndarray) -> Interval | None:
    """Interval of `COVERAGE` from pairs of expectation and outcome that the model had not seen; None below BIN_ROWS
    pairs. Ranks as in split conformal prediction, so that coverage holds for few pairs too. Where many outcomes equal
    the lower end, as the zeros of those who do not come, the upper end lies as much lower as these are more than the
    tail: the interval holds `COVERAGE`, not that and all ties.
    """
    e, a = np.asarray(expected, dtype=float), np.asarray(actual, dtype=float)
    n = len(e)
    if n < BIN_ROWS:
        return None
    # Without something added an expectation of nearly nothing would turn every cent into an endless ratio.
    offset = float(max(0.05 * np.abs(a).mean(), 1e-6))
    edges = _bin_edges(e)
    place = np.searchsorted(edges, e, side="left")
    ratio, tail = a / (e + offset), (1 - COVERAGE) / 2
    low, high = [], []
    for i in range(len(edges) + 1):
        inside = np.sort(ratio[place == i])
        m = len(inside)
        if m == 0:
            inside, m = np.sort(ratio), n
        # A hair, because a tail of 0.1 is a little less in binary.
        rank_low = max(int(np.floor((m + 1) * tail + 1e-9)), 1)
        rank_high = min(int(np.ceil((m + 1) * (1 - tail) - 1e-9)), m)
        lower = inside[rank_low - 1]
        tied = rank_low - 1 - int(np.searchsorted(inside, lower, side="left"))
        upper = inside[max(rank_high - tied, rank_low) - 1]
        low.append(float(lower))
        high.append(float(upper))
    return Interval(tuple(edges.tolist()), tuple(low), tuple(high), offset)


def _bin_edges(expected: np.ndarray) -> np.ndarray:
    """Equal expectations share a bin; a bin left with few pairs joins the one below."""
    n_bins = int(min(MAX_BINS, len(expected) // BIN_ROWS))
    edges = np.unique(np.quantile(expected, np.arange(1, n_bins) / n_bins))
    place = np.searchsorted(edges, expected, side="left")
    return np.array([edge for i, edge in enumerate(edges) if (place == i).sum() >= BIN_ROWS // 2])
