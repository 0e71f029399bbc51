"""Is a simple model better than the one that scores, on outcomes that have just closed?

In: log-odds of the model and of simple ones for the customers of one cutoff that none of them had seen, and what
happened. Out: the simple model that is better beyond doubt, or none. Pure functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from assets.model.calibration import fit_shift
from assets.model.retention_model import probability_of
from assets.model.snapshots import Snapshots
from assets.train import metrics

#: Chance of an error, over all simple models that are compared.
ERROR = 0.05
#: Fewest active customers: the interval of a mean of fewer is not to be trusted.
MIN_ROWS = 200
_AUC = metrics.METRICS.index("auc")


@dataclass(frozen=True)
class Better:
    """A simple model that is better. loss: mean log loss of active customers, model_loss: that of the model which
    scored; low, high: interval of the difference, which holds for all `n_compared` at once. shift: what fits the simple
    model's log-odds to the newest outcomes."""

    candidate_model: str
    loss: float
    model_loss: float
    low: float
    high: float
    n_compared: int
    shift: float


def can_compare(rows: Snapshots) -> bool:
    """Whether these customers can say who is better: `MIN_ROWS` active ones, not all of whom did the same."""
    y, active = rows.is_churned, rows.is_active
    return bool(active.sum() >= MIN_ROWS) and len(set(y[active].tolist())) == 2


def find_better(rows: Snapshots, log_odds: np.ndarray, simple: Mapping[str, np.ndarray]) -> Better | None:
    """The simple model with the least log loss among those that are better than the model beyond doubt; None where
    there is none, or fewer than `MIN_ROWS` active customers, or they all did the same. One that ranks the active
    customers worse is not better: lists are made of ranks, and a spread of probabilities that is wrong is no reason to
    give them up.

    rows: of one cutoff, a row a customer, so that rows are independent. log_odds: (n,) of the model; simple: candidate
    model → (n,). The level of the cutoff is taken out of each (`fit_shift`): it would be recalibrated anyway. Beyond
    doubt: by the 95 % interval of the difference, customer by customer, made wider for the number of simple models
    (Bonferroni).
    """
    if not simple or not can_compare(rows):
        return None
    quantile = NormalDist().inv_cdf(1 - ERROR / 2 / len(simple))
    losses, auc = _losses(rows, log_odds)[0], _auc(rows, log_odds)
    found = []
    for name, said in simple.items():
        own, shift = _losses(rows, said)
        gain, error = metrics.mean_and_error(losses - own)
        if gain - quantile * error > 0 and _auc(rows, said) >= auc:
            low, high = gain - quantile * error, gain + quantile * error
            found.append(Better(name, float(own.mean()), float(losses.mean()), low, high, len(simple), shift))
    return min(found, key=lambda better: better.loss, default=None)


def log_odds_of(probability: np.ndarray) -> np.ndarray:
    """(n,) of probabilities, which may be 0 or 1."""
    p = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.log(p) - np.log1p(-p)


def _auc(rows: Snapshots, log_odds: np.ndarray) -> float:
    """AUC on active customers."""
    active = rows.is_active
    return float(metrics.measure_scores(rows.is_churned[active], probability_of(log_odds[active]))[_AUC])


def _losses(rows: Snapshots, log_odds: np.ndarray) -> tuple[np.ndarray, float]:
    """Log losses of active customers under the level that fits them all, and the shift to that level."""
    shift = fit_shift(log_odds, rows.is_churned)
    probability = probability_of(log_odds + shift)
    return metrics.log_losses(rows.is_churned[rows.is_active], probability[rows.is_active]), shift
