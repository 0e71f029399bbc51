"""What is known of purchase processes before a business has told much of its own: the processes of other businesses.

Each figure is a fit of ours to a whole business (`python -m benchmarks.population_priors`, which also shows what the
prior gains on small and young samples of businesses that it does not know). Sources: CDNOW (Fader and Hardie 2001, new
customers of a quarter of 1997, a year and a half), Complete Journey (dunnhumby, a grocer's households, a year), Berka
(PKDD 1999, withdrawals from Czech accounts), and businesses of `holdfast simulate`, seed 5.
"""

from collections.abc import Mapping

import numpy as np

#: Log of r, α (weeks), a, b of MBG/NBD by business.
KNOWN: Mapping[str, tuple[float, float, float, float]] = {
    "CDNOW": (-0.42, 2.11, -0.44, 0.04),
    "Berka": (2.12, 2.82, -5.00, 5.44),
    "Complete Journey": (0.35, 0.32, -2.97, 4.03),
    "simulated rare buyers": (0.08, 2.96, -0.45, -0.20),
    "simulated frequent buyers": (0.03, 1.16, -1.07, 2.98),
    "simulated club": (0.26, 2.06, -1.24, 0.56),
    "simulated bank": (0.04, 1.85, -0.94, 1.32),
}
#: Least standard deviation: so few businesses cannot tell that a parameter is the same everywhere.
LEAST_SPREAD = 0.5


def prior_of(known: Mapping[str, tuple[float, float, float, float]] = KNOWN) -> tuple[np.ndarray, np.ndarray]:
    """(4,) mean and (4,) standard deviation of log r, log α (weeks), log a, log b of a business that is not among the
    known ones: their spread, widened for their small number."""
    logs = np.array(list(known.values()))
    spread = logs.std(axis=0, ddof=1) * np.sqrt(1 + 1 / len(logs))
    return logs.mean(axis=0), np.maximum(spread, LEAST_SPREAD)
