"""The margin of customers who stay, fitted.

In: `Snapshots` in content order. Out: a fitted pipeline that a `RetentionModel` predicts with.
"""

import numpy as np
from sklearn.pipeline import Pipeline

from assets.model.part_fits import fit_amounts, usable_columns
from assets.model.snapshots import Snapshots
from assets.model.threads import one_thread

#: Most rows: the amounts of so many buyers leave nothing to learn.
MARGIN_ROWS = 200_000


def can_fit_margin(rows: Snapshots) -> bool:
    """Whether anybody who bought has a positive margin."""
    return bool((rows.margin[~rows.is_churned] > 0).any())


def fit_margin(rows: Snapshots, seed: int) -> Pipeline:
    """Expected margin over the horizon given a purchase: boosted trees on a Poisson loss, learned from buyers.
    Negative margins (returns beyond sales) count as zero. Needs a positive margin somewhere. Above `MARGIN_ROWS` the
    first in content order are taken, which is a random order."""
    bought = rows.where(np.flatnonzero(~rows.is_churned)[:MARGIN_ROWS])
    with one_thread():
        return fit_amounts(bought.matrix, np.maximum(bought.margin, 0.0), usable_columns(bought.matrix), seed)
