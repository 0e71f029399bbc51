"""The purchase rhythm and the day of the next order, learned, and how well it knew that day.

In: a connection that sees `features.customer_day`, what was said and done at test cutoffs. Out: a `NextOrder`, metrics.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np

from assets.model.purchase_rhythm import LEVELS, NextOrder, PurchaseRhythm
from assets.model.spend_fit import fit_rhythm, rhythm_by_convention
from assets.model.value_model import COVERAGE, column, has_date
from assets.shared.params import Params
from assets.train.judged import JudgedCutoff
from assets.train.value.performance import Measured, rank_correlation
from assets.train.value.rows import read_gaps

#: Test cutoffs that levels are learned from, the newest.
N_LEVEL_CUTOFFS = 3
#: Fewest waits that levels are learned from.
MIN_WAITS = 30
#: Shares of the waits below the interval that are tried, as many as above it.
_TAILS = np.arange(0.01, 0.255, 0.005)


@dataclass(frozen=True)
class EndedWaits:
    """Customers at a test cutoff for whom a next order was expected and who came within the horizon: (n,) gaps, their
    sum, silence and the days to that order. rhythm: what was known of gaps on that day."""

    cutoff: date
    rhythm: PurchaseRhythm
    n_gaps: np.ndarray
    gap_sum: np.ndarray
    silent: np.ndarray
    days: np.ndarray

    def by(self, levels: tuple[float, float, float], within_days: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lower end, expected day and upper end of each, with these levels."""
        return NextOrder(self.rhythm, within_days, levels).days(self.n_gaps, self.gap_sum, self.silent)

    def level_of(self, days: np.ndarray, within_days: int) -> np.ndarray:
        """Level of each one's distribution that is reached by a day."""
        return NextOrder(self.rhythm, within_days).level_of(self.n_gaps, self.gap_sum, self.silent, days)


def learn_next_order(
    con: duckdb.DuckDBPyConnection, anchor: date, waits: Sequence[EndedWaits], params: Params
) -> NextOrder:
    """Of the day a model is trained as of; waits: of test cutoffs before it, oldest first."""
    return NextOrder(learn_rhythm(con, anchor, params), params.churn_horizon_days, learn_levels(waits, params))


def learn_rhythm(con: duckdb.DuckDBPyConnection, before: date, params: Params) -> PurchaseRhythm:
    """The rhythm of purchases before a day, or the convention where too few gaps are known."""
    gaps = read_gaps(con, before, max(params.lifecycle_lost_days, params.churn_horizon_days + 1))
    found = fit_rhythm(gaps.n, gaps.total, gaps.logs, gaps.silent)
    return found or rhythm_by_convention(params.churn_horizon_days / 2)


def ended_waits(con: duckdb.DuckDBPyConnection, judged: Sequence[JudgedCutoff], params: Params) -> list[EndedWaits]:
    """Of each test cutoff, oldest first."""
    found = []
    for test in judged:
        came = has_date(test.churn_probability) & np.isfinite(test.wait_days)
        known = [column(test.matrix, name) for name in ("frequency", "recency_days", "days_since_last_order")]
        came &= np.isfinite(known[2])
        rhythm = learn_rhythm(con, test.cutoff, params)
        found.append(EndedWaits(test.cutoff, rhythm, *(each[came] for each in (*known, test.wait_days))))
    return found


def learn_levels(waits: Sequence[EndedWaits], params: Params) -> tuple[float, float, float]:
    """Levels at which earlier waits lay: the middle one at their median, the others so that in whole days, ends
    included, the share nearest to `COVERAGE` lay between them. `LEVELS` for fewer than `MIN_WAITS` waits."""
    newest, within = waits[-N_LEVEL_CUTOFFS:], params.churn_horizon_days
    if sum(len(each.days) for each in newest) < MIN_WAITS:
        return LEVELS
    reached = np.concatenate([each.level_of(each.days, within) for each in newest])
    the_day_before = np.concatenate([each.level_of(each.days - 1, within) for each in newest])

    def distance(levels: tuple[float, float, float]) -> float:
        # An end is the first day that reaches its level: a wait lies from the lower one on where its own day has
        # reached that, and up to the upper one where the day before has not.
        low, _, high = levels
        return abs(float(((reached >= low) & (the_day_before < high)).mean()) - COVERAGE)

    middle = float(np.quantile(reached, 0.5))
    tried = [(float(np.quantile(reached, tail)), middle, float(np.quantile(reached, 1 - tail))) for tail in _TAILS]
    return min(tried, key=distance)


def measure_next_order(waits: Sequence[EndedWaits], params: Params) -> list[dict[str, Any]]:
    """Rows of value_performance: how well what is published knew the day, at each test cutoff by the levels of those
    that had closed by then; beside it two simple guesses: the own mean gap kept to the day, and the median wait of
    earlier customers. Test cutoffs with no closed one before them, of which no wait was known, are left out where there
    are others."""
    horizon = timedelta(params.churn_horizon_days)
    closed = {test.cutoff: [w for w in waits if w.cutoff + horizon <= test.cutoff] for test in waits}
    measured: dict[str, dict[date, dict[str, float]]] = {}
    for test in [w for w in waits if closed[w.cutoff]] or waits:
        for name, values in _metrics(test, closed[test.cutoff], params).items():
            measured.setdefault(name, {})[test.cutoff] = values
    counts = {each.cutoff: len(each.days) for each in waits}
    return [
        row
        for name, by_cutoff in measured.items()
        for row in Measured("next_order", params.churn_horizon_days, name, name == "rhythm", by_cutoff, counts).rows()
    ]


def _metrics(test: EndedWaits, closed: Sequence[EndedWaits], params: Params) -> dict[str, dict[str, float]]:
    """Mean absolute error, mean error (expected less actual), rank correlation, and of the interval the coverage."""
    within = params.churn_horizon_days
    low, expected, high = test.by(learn_levels(closed, params), within)
    earlier = np.concatenate([np.empty(0), *(each.days for each in closed)])
    guesses = {
        "rhythm": expected,
        "own_gap": np.clip(test.gap_sum / np.maximum(test.n_gaps, 1) - test.silent, 0, within - 1),
        "usual_wait": np.full(len(test.days), np.median(earlier) if len(earlier) else (within - 1) / 2),
    }
    found: dict[str, dict[str, float]] = {
        name: {
            "mae_days": float(np.abs(guess - test.days).mean()) if len(guess) else float("nan"),
            "bias_days": float((guess - test.days).mean()) if len(guess) else float("nan"),
            "spearman": rank_correlation(guess, test.days),
        }
        for name, guess in guesses.items()
    }
    inside = (test.days >= low) & (test.days <= high)
    found["rhythm"]["coverage"] = float(inside.mean()) if len(inside) else float("nan")
    return found
