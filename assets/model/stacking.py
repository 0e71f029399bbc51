"""How much each part of the average counts: weights learned from what the parts said out of time (stacked
generalisation, Wolpert 1992; weights that are not negative, Breiman 1996).

In: out-of-time log-odds of each part and what happened. Out: a weight a part. A part loses weight by being shown worse;
without evidence the weights are the prior ones, so a part never has to prove that it deserves to take part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.optimize import minimize

from assets.model.threads import one_thread

#: The parts of the average. Those that need little data come first.
SIMPLE_PARTS = ("rfm_logit", "mbg_nbd")
FLEXIBLE_PARTS = ("logit", "trees")
PARTS = SIMPLE_PARTS + FLEXIBLE_PARTS

#: Weight of the prior weights, in customers whose outcome is as uncertain as can be.
PRIOR_ROWS = 30.0
#: Customers of the rarer outcome at which the flexible parts have half the prior weight that they have with plenty.
HALF_WEIGHT_EVENTS = 200.0
#: Horizons of history, from the oldest to the newest training cutoff, at which the flexible parts count in full.
SETTLED_HORIZONS = 2.0
#: Days after which an out-of-time cutoff counts half: the newest choose.
HALF_LIFE_DAYS = 365.0


@dataclass(frozen=True)
class PartPredictions:
    """What the parts said at one cutoff that they had not seen. log_odds: part → (n,) uncalibrated. is_churned,
    is_active: (n,). off_year_before: by how much their sum was off one year before (NaN: not known)."""

    cutoff: date
    log_odds: Mapping[str, np.ndarray]
    is_churned: np.ndarray
    is_active: np.ndarray
    off_year_before: float = float("nan")


def prior_weights(n_events: int, horizons: float) -> dict[str, float]:
    """Weights before any part was judged, summing to one: equal with plenty of data, all on the simple parts without.

    n_events: customers of the rarer outcome at the newest training cutoff. horizons: days from the oldest to the newest
    training cutoff, in horizons: outcomes of one day all lie in one season, and a flexible part takes the age of the
    business for a cause.
    """
    share = 0.5 * n_events / (n_events + HALF_WEIGHT_EVENTS) * min(1.0, horizons / SETTLED_HORIZONS)
    simple = {name: (1 - share) / len(SIMPLE_PARTS) for name in SIMPLE_PARTS}
    return simple | {name: share / len(FLEXIBLE_PARTS) for name in FLEXIBLE_PARTS}


def learn_weights(
    predictions: Sequence[PartPredictions], prior: Mapping[str, float], horizon_days: int
) -> dict[str, float]:
    """Part → weight ≥ 0, least penalised log loss of active customers under an intercept for each cutoff.

    The intercepts take the level of a cutoff out: weights answer who ranks better, and calibration sets the level.
    Overlapping outcome windows count once: a cutoff has the weight of its distance to the next older one, in horizons,
    at most 1; an old one counts less (`HALF_LIFE_DAYS`). prior: what the weights are drawn to, with the weight of
    `PRIOR_ROWS` customers. Cutoffs with one outcome only say nothing.
    """
    names = tuple(prior)
    judged = sorted((p for p in predictions if _can_judge(p, names)), key=lambda p: p.cutoff)
    w0 = np.array([prior[name] for name in names])
    if not judged:
        return dict(prior)
    designs = [np.column_stack([p.log_odds[name][p.is_active] for name in names]) for p in judged]
    outcomes = [p.is_churned[p.is_active].astype(float) for p in judged]
    counts = cutoff_weights([p.cutoff for p in judged], horizon_days)
    scale = np.maximum(np.concatenate(designs).std(axis=0), 1e-6)
    n, k = len(names), len(judged)

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        w, gradient, total = theta[:n], np.zeros_like(theta), 0.0
        for i, (z, y, count) in enumerate(zip(designs, outcomes, counts, strict=True)):
            f = z @ w + theta[n + i]
            p = 0.5 * (1.0 + np.tanh(0.5 * f))
            total += count * float(np.sum(np.logaddexp(0.0, f) - y * f))
            gradient[:n] += count * (z.T @ (p - y))
            gradient[n + i] = count * float((p - y).sum())
        away = (w - w0) * scale
        total += 0.5 * PRIOR_ROWS / 4 * float(away @ away)
        gradient[:n] += PRIOR_ROWS / 4 * away * scale
        size = sum(len(y) for y in outcomes)
        return total / size, gradient / size

    with one_thread():
        found = minimize(
            loss,
            np.r_[w0, np.zeros(k)],
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, None)] * n + [(None, None)] * k,
            options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-8},
        )
    weights = found.x[:n]
    if weights.sum() <= 0:
        return dict(prior)
    return dict(zip(names, (float(w) for w in weights), strict=True))


def _can_judge(predictions: PartPredictions, names: Sequence[str]) -> bool:
    outcomes = predictions.is_churned[predictions.is_active]
    return outcomes.any() and not outcomes.all() and set(names) <= set(predictions.log_odds)


def cutoff_weights(cutoffs: Sequence[date], horizon_days: int) -> np.ndarray:
    """(k,) for cutoffs from old to new: distance to the next older one in horizons, at most 1, halved every
    `HALF_LIFE_DAYS` before the newest."""
    days = np.array([cutoff.toordinal() for cutoff in cutoffs], dtype=float)
    gaps = np.minimum(np.diff(days, prepend=-np.inf) / horizon_days, 1.0)
    return gaps * 0.5 ** ((days[-1] - days) / HALF_LIFE_DAYS)
