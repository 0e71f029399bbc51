"""How much of last year's season comes again, judged out of time.

In: by how much a candidate model's log-odds were off at past cutoffs, and by how much the same fitted candidate model
was off one year before each of them. Out: the share of a seasonal shift to apply. A candidate model that says what
customers differ in says nothing of what a month does to all of them; the same candidate model, asked about the same
month of last year, shows it, and customers who are different in that month are no part of it, for the candidate model
knows them.
"""

from collections.abc import Sequence

import numpy as np

#: Fewest steps from cutoff to cutoff that a season is learned from.
MIN_STEPS = 3


def learn_share(off: Sequence[float], off_year_before: Sequence[float]) -> float:
    """The share, 0 to 1, of last year's change from one cutoff to the next that came again; both (k,), in order of
    time.

    Regression through zero of this year's changes on last year's, drawn to zero as far as the changes are not
    explained (ridge with the variance of the residuals over a prior variance of one): chance alone gives little, and
    fewer than `MIN_STEPS` steps nothing.
    """
    now, before = np.diff(np.asarray(off, dtype=float)), np.diff(np.asarray(off_year_before, dtype=float))
    known = np.isfinite(now) & np.isfinite(before)
    now, before = now[known], before[known]
    if len(now) < MIN_STEPS or not (before**2).sum() > 0:
        return 0.0
    free = (now * before).sum() / (before**2).sum()
    residual = ((now - free * before) ** 2).sum() / (len(now) - 1)
    return float(np.clip((now * before).sum() / ((before**2).sum() + residual), 0.0, 1.0))
