"""A year from a part of it: how the margin of earlier customers went on.

In: a connection that sees `features.training_snapshots` and `features.customer_day`, or what a fitted model says of the
customers of a year ago and what they gave since. Out: a factor.
"""

import math
from datetime import date

import duckdb
import numpy as np

from assets.shared.params import Params
from assets.shared.warehouse import fetch_value
from assets.train.value.predictions import Prediction
from assets.train.value.rows import later_margins

#: The margin of later windows is taken to fall by at most and at least this much a window when it is extrapolated.
LEAST_DECAY, MOST_DECAY = 1.0, 0.1
#: No later window is taken for more than this multiple of the first: what grew may not go on growing.
MOST_GROWTH = 2.0


def factor_of_year_ago(year_ago: Prediction, candidate_model: str, n_windows: float) -> float | None:
    """Margin of the year that ends now over what the fitted candidate model says of a window from its beginning; None
    where that is nothing. The window lies in one season and the year in all: what was fitted to the newest windows is
    put right for theirs. A year holds the window, and no more than `MOST_GROWTH` times as many as fit into it."""
    said, came = float(year_ago.expected[candidate_model].sum()), float(year_ago.actual.sum())
    return float(np.clip(came / said, 1.0, MOST_GROWTH * n_windows)) if said > 0 and came > 0 else None


def learn_extrapolation_factor(con: duckdb.DuckDBPyConnection, days: int, params: Params, anchor: date) -> float:
    """Margin over the value horizon as a multiple of that over a window of `days`, from how the margin of an earlier
    cohort went on; beyond what was seen, falling by its mean rate."""
    if days >= params.value_horizon_days:
        return 1.0
    oldest = fetch_value(
        con,
        "select min(cutoff_date) from features.training_snapshots where label_available_on <= ? and horizon_days = ?",
        [anchor, params.churn_horizon_days],
    )
    amounts = np.empty(0) if oldest is None else later_margins(con, oldest, days, anchor)
    return extrapolation_of(amounts, params.value_horizon_days / days)


def extrapolation_of(amounts: np.ndarray, n_windows: float) -> float:
    """Sum of `n_windows` windows (not whole at the end) over the first one, given the amounts of the first few: later
    ones follow at the mean rate of those seen, between MOST_DECAY and LEAST_DECAY a window; without two of them, level.
    """
    seen = np.maximum(np.asarray(amounts, dtype=float), 0.0)
    if len(seen) == 0 or seen[0] <= 1e-9 * max(seen.max(), 1.0):
        seen = np.ones(1)
    rate = (
        1.0 if len(seen) < 2 else float(np.clip((seen[-1] / seen[0]) ** (1 / (len(seen) - 1)), MOST_DECAY, LEAST_DECAY))
    )
    relative = list(np.minimum(seen / seen[0], MOST_GROWTH))
    while len(relative) < n_windows:
        relative.append(relative[-1] * rate)
    whole = math.floor(n_windows)
    return float(sum(relative[:whole]) + (n_windows - whole) * (relative[whole] if whole < len(relative) else 0.0))
