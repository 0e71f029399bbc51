"""Has what the model reads, or what it says, moved away from what it was trained on?

In: values at training, values now. Out: population stability indices with the bound that chance alone would reach.
Pure numpy; knows no table and no model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Bins of equal mass at training; values that are missing have a bin of their own.
N_BINS = 10
#: The trade's rule of thumb: below the first stable, above the second a different population (Siddiqi 2006, ch. 9).
SHIFTED, DRIFTED = 0.1, 0.25
#: Chance of one false alarm over all the variables of a night.
FALSE_ALARM = 0.01
#: An empty bin counts as half a customer, so that the index stays finite.
_EMPTY = 0.5


@dataclass(frozen=True)
class Drift:
    """psi: population stability index (natural log). noise: what it would stay below by chance with these counts, but
    for FALSE_ALARM. verdict: stable, shifted or drifted."""

    psi: float
    noise: float
    verdict: str
    n_reference: int
    n_now: int
    missing_share_reference: float | None
    missing_share_now: float | None


def reference(values: np.ndarray) -> dict[str, Any]:
    """How `values` (n,), NaN where missing, are spread, as JSON types: edges of up to ten bins of equal mass, rows
    by bin (a bin holds its upper edge; the last lies above all edges), rows missing."""
    values = np.asarray(values, dtype=float)
    known = values[np.isfinite(values)]
    edges = np.unique(np.quantile(known, np.arange(1, N_BINS) / N_BINS)) if len(known) else np.array([])
    counts, missing = _counts(values, edges)
    return {"edges": edges.tolist(), "counts": counts.tolist(), "n_missing": missing}


def stability_index(before: Sequence[float] | np.ndarray, now: Sequence[float] | np.ndarray) -> float:
    """Population stability index of two histograms over the same bins: PSI = Σ (q − p) ln(q / p), p and q the shares
    before and now, natural log. Never negative, 0 for equal shares, NaN where one of them is empty.

    A bin that is empty on one side counts as half a customer there; where none is, this is the index as it is defined
    (Siddiqi 2006). Half a customer in every bin, as the other habit has it, moves the index of full bins too.
    """
    old, new = np.asarray(before, dtype=float), np.asarray(now, dtype=float)
    there = (old + new) > 0
    old, new = old[there], new[there]
    n, m = old.sum(), new.sum()
    if not n or not m:
        return float("nan")
    p, q = np.maximum(old, _EMPTY) / n, np.maximum(new, _EMPTY) / m
    return float(((q - p) * np.log(q / p)).sum())


def compare(before: Mapping[str, Any], values: np.ndarray, n_compared: int = 1) -> Drift:
    """Drift of `values` (m,) against `before`, a `reference`. n_compared: how many variables are judged together.

    Where nothing changed, PSI / (1/n + 1/m) is chi-square distributed with bins − 1 degrees of freedom (Yurdakul and
    Naranjo 2020), so the bound of chance is known from the counts: a hundred customers wobble more than a million.
    """
    from scipy.stats import chi2

    counts, missing = _counts(np.asarray(values, dtype=float), np.asarray(before["edges"], dtype=float))
    old = np.array([*before["counts"], before["n_missing"]], dtype=float)
    new = np.array([*counts, missing], dtype=float)
    n, m = old.sum(), new.sum()
    psi = stability_index(old, new)
    if np.isnan(psi):
        return Drift(psi, float("nan"), "unknown", int(n), int(m), None, None)
    freedom = max(1, int(((old + new) > 0).sum()) - 1)
    noise = float(chi2.ppf(1 - FALSE_ALARM / n_compared, freedom) * (1 / n + 1 / m))
    verdict = "drifted" if psi > max(DRIFTED, noise) else "shifted" if psi > max(SHIFTED, noise) else "stable"
    return Drift(psi, noise, verdict, int(n), int(m), float(before["n_missing"] / n), float(missing / m))


def _counts(values: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, int]:
    known = values[np.isfinite(values)]
    return np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1), len(values) - len(known)
