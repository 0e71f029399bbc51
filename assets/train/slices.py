"""Whom a model is right about: observed against predicted by value class, region and tenure.

In: outcomes and probabilities at the test cutoffs. Out: one row a slice with an interval. Groups smaller than
`MIN_ROWS` are left out: their interval would hold nearly everything.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np

from assets.model.snapshots import UNKNOWN, Snapshots
from assets.shared.intervals import wilson_interval
from assets.shared.params import Params

MIN_ROWS = 20
#: Lower bounds of the tenure bands in days, and what they are called.
TENURE_BANDS = ((0, "first 3 months"), (90, "first year"), (365, "over a year"))


def value_class(margin: np.ndarray, a_share: float, b_share: float) -> np.ndarray:
    """A, B or C by cumulative margin, equal margins together, as macro `value_classes` has it: whoever crosses a line
    is still above it; nobody with a margin of zero or less is A or B unless nobody has more."""
    paid = np.maximum(np.nan_to_num(np.asarray(margin, dtype=float), nan=0.0), 0.0)
    values, group = np.unique(-paid, return_inverse=True)
    sums = np.bincount(group, weights=paid, minlength=len(values))
    total = sums.sum()
    if total <= 0:
        return np.full(len(paid), "C")
    above = (np.cumsum(sums) - sums) / total
    classes = np.where(above < a_share, "A", np.where(above < b_share, "B", "C"))
    return np.where(paid > 0, classes[group], "C")


def tenure_band(tenure_days: np.ndarray) -> np.ndarray:
    """The band of each tenure; `unknown` where it is NaN."""
    starts = np.array([start for start, _ in TENURE_BANDS], dtype=float)
    names = np.array([name for _, name in TENURE_BANDS])
    found = names[np.clip(np.searchsorted(starts, tenure_days, side="right") - 1, 0, None).clip(max=len(names) - 1)]
    return np.where(np.isnan(tenure_days), UNKNOWN, found)


def labels(rows: Snapshots, params: Params) -> dict[str, np.ndarray]:
    """Slice kind → the slice of each row of one cutoff."""
    return {
        "value_class": value_class(rows.column("margin_365d"), params.value_a_share, params.value_b_share),
        "tenure": tenure_band(rows.column("tenure_days")),
        "region": rows.region.astype(str),
    }


def reliability_by_slice(
    tests: Sequence[tuple[date, Snapshots, np.ndarray]], params: Params
) -> list[dict[str, object]]:
    """One dict a slice over all cutoffs, active customers: slice_kind, slice_value, bin 1, n, mean_predicted,
    observed_share with its 95 % Wilson interval low, high. tests: cutoff, rows and their probabilities."""
    found: list[dict[str, object]] = []
    if not tests:
        return found
    by_cutoff = [labels(rows, params) for _, rows, _ in tests]
    active = np.concatenate([rows.is_active for _, rows, _ in tests])
    y = np.concatenate([rows.is_churned for _, rows, _ in tests])[active]
    p = np.concatenate([probability for _, _, probability in tests])[active]
    for kind in by_cutoff[0]:
        slices = np.concatenate([label[kind] for label in by_cutoff])[active]
        for value in np.unique(slices):
            inside = slices == value
            n, k = int(inside.sum()), int(y[inside].sum())
            if n < MIN_ROWS:
                continue
            low, high = wilson_interval(k, n)
            found.append(
                {
                    "slice_kind": kind,
                    "slice_value": str(value),
                    "bin": 1,
                    "n": n,
                    "mean_predicted": float(p[inside].mean()),
                    "observed_share": k / n,
                    "low": low,
                    "high": high,
                }
            )
    return found
