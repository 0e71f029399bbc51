"""The purchase rhythm, learned, and how well it knew the day of the next purchase.

In: a connection that sees `features.training_snapshots` and `features.customer_day`. Out: a `PurchaseRhythm`, metrics.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import duckdb
import numpy as np

from assets.model.purchase_rhythm import PurchaseRhythm
from assets.model.spend_fit import fit_rhythm, rhythm_by_convention
from assets.shared.params import Params
from assets.train.value.performance import Measured, rank_correlation
from assets.train.value.rows import Waits, read_gaps, read_waits

#: Test cutoffs at which the purchase rhythm is judged, newest first.
N_RHYTHM_TESTS = 2


def learn_rhythm(con: duckdb.DuckDBPyConnection, before: date, params: Params) -> PurchaseRhythm:
    """The rhythm of purchases before a day, or the convention where too few gaps are known."""
    gaps = read_gaps(con, before, params.lifecycle_lost_days)
    found = fit_rhythm(gaps.n, gaps.total, gaps.logs, gaps.silent)
    return found or rhythm_by_convention(params.churn_horizon_days / 2)


def measure_rhythm(con: duckdb.DuckDBPyConnection, cutoffs: Sequence[date], params: Params) -> list[dict[str, Any]]:
    """Rows of value_performance: how well the rhythm of each of the newest test cutoffs knew the days to the next
    purchase. cutoffs: test cutoffs, oldest first."""
    measured: dict[str, dict[date, dict[str, float]]] = {"rhythm": {}, "own_gap": {}}
    counts = {}
    for cutoff in cutoffs[-N_RHYTHM_TESTS:]:
        waits = read_waits(con, cutoff, params.churn_horizon_days)
        rhythm = learn_rhythm(con, cutoff, params)
        for candidate_model, values in wait_metrics(rhythm, waits, params.churn_horizon_days).items():
            measured[candidate_model][cutoff] = values
        counts[cutoff] = len(waits.days)
    return [
        row
        for name, by_cutoff in measured.items()
        for row in Measured("next_order", params.churn_horizon_days, name, name == "rhythm", by_cutoff, counts).rows()
    ]


def wait_metrics(rhythm: PurchaseRhythm, waits: Waits, horizon_days: int) -> dict[str, dict[str, float]]:
    """Days to the next purchase of those who bought within the horizon: mean absolute error, mean error (expected less
    actual) and rank correlation; the same of the simple guess that the own mean gap is kept to the day."""
    expectations = {
        "rhythm": rhythm.expected_wait_within(waits.n, waits.total, waits.silent, float(horizon_days)),
        "own_gap": np.clip(waits.total / np.maximum(waits.n, 1) - waits.silent, 0.0, float(horizon_days)),
    }
    found = {}
    for candidate_model, expected in expectations.items():
        known = np.isfinite(expected)
        e, a = expected[known], waits.days[known]
        found[candidate_model] = {
            "mae_days": float(np.abs(e - a).mean()) if len(a) else float("nan"),
            "bias_days": float((e - a).mean()) if len(a) else float("nan"),
            "spearman": rank_correlation(e, a),
        }
    return found
