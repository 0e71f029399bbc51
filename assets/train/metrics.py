"""How good a set of churn probabilities was, with intervals.

In: outcomes and probabilities. Out: numbers. Pure numpy; knows no model. All metrics are computed on groups of equal
probability, so that ties are treated alike and the order of rows cannot matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assets.shared.intervals import wilson_interval

METRICS = ("auc", "average_precision", "brier", "log_loss", "ece", "lift_at_10")
N_BINS = 10
#: Quantile for a 95 % interval where the error is known from many rows; few values need Student's (`mean_margin`).
Z95 = 1.959964
#: Resamples for the intervals; fewer for large sets, whose intervals are narrow anyway.
N_RESAMPLES, N_RESAMPLES_LARGE, LARGE = 200, 60, 20_000
_CLIP = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A metric with its 95 % interval; NaN where it is not defined (one class only, no rows)."""

    value: float
    low: float
    high: float


def measure_scores(is_churned: np.ndarray, probability: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The METRICS in their order.

    weights: None for one result of shape (6,), or (b, n) counts of how often each row is drawn, for (b, 6) results.

    auc: probability that a random churner has a higher score than a random stayer, ties half.
    average_precision: mean precision over the churners, thresholds between groups of equal scores.
    brier, log_loss: mean squared error, mean negative log-likelihood (nats).
    ece: mean absolute gap between mean probability and share of churners in ten bins of equal mass; customers with the
        same probability share a bin.
    lift_at_10: share of churners in the tenth with the highest scores over that in all; a tie at the border counts
        by its share.
    """
    y, p = np.asarray(is_churned, dtype=float), np.asarray(probability, dtype=float)
    drawn = np.ones((1, len(y))) if weights is None else np.asarray(weights, dtype=float)
    if len(y) == 0:
        results = np.full((len(drawn), len(METRICS)), np.nan)
        return results[0] if weights is None else results
    order = np.argsort(p, kind="stable")
    p, y, drawn = p[order], y[order], drawn[:, order]
    starts = np.flatnonzero(np.r_[True, p[1:] != p[:-1]])
    p = p[starts]
    n = np.add.reduceat(drawn, starts, axis=1)
    k = np.add.reduceat(drawn * y, starts, axis=1)
    results = _from_groups(p, n, k)
    return results[0] if weights is None else results


def _from_groups(p: np.ndarray, n: np.ndarray, k: np.ndarray) -> np.ndarray:
    """METRICS from groups in rising order of probability: p (g,), rows n and churners k (b, g)."""
    total, churners = n.sum(axis=1), k.sum(axis=1)
    stayers = total - churners
    m = n - k
    one_class = (churners == 0) | (stayers == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.cumsum(m, axis=1) - m
        auc = (k * (below + m / 2)).sum(axis=1) / (churners * stayers)

        at_least = np.cumsum(n[:, ::-1], axis=1)
        hits = np.cumsum(k[:, ::-1], axis=1)
        precision = np.divide(hits, at_least, out=np.zeros_like(hits), where=at_least > 0)
        average_precision = (k[:, ::-1] * precision).sum(axis=1) / churners

        brier = (k * (1 - p) ** 2 + m * p**2).sum(axis=1) / total
        bounded = np.clip(p, _CLIP, 1 - _CLIP)
        log_loss = -(k * np.log(bounded) + m * np.log1p(-bounded)).sum(axis=1) / total

        middle = (np.cumsum(n, axis=1) - n / 2) / total[:, None]
        bins = np.minimum((middle * N_BINS).astype(int), N_BINS - 1)
        gap = np.zeros((len(n), N_BINS))
        np.add.at(gap, (np.arange(len(n))[:, None], bins), n * p - k)
        ece = np.abs(gap).sum(axis=1) / total

        tenth = total[:, None] / 10
        taken = np.clip(tenth - (at_least - n[:, ::-1]), 0, n[:, ::-1])
        share = np.divide(taken, n[:, ::-1], out=np.zeros_like(taken), where=n[:, ::-1] > 0)
        lift = (share * k[:, ::-1]).sum(axis=1) / tenth[:, 0] / (churners / total)
    results = np.column_stack([auc, average_precision, brier, log_loss, ece, lift])
    for metric in ("auc", "average_precision", "lift_at_10"):
        results[one_class, METRICS.index(metric)] = np.nan
    return results


def draw_resamples(n_rows: int, seed: list[int]) -> np.ndarray:
    """How often each row is drawn in each bootstrap resample, (b, n_rows). Rows must be in content order."""
    if n_rows == 0:
        return np.zeros((0, 0))
    n_resamples = N_RESAMPLES if n_rows <= LARGE else N_RESAMPLES_LARGE
    rng = np.random.default_rng(seed)
    return np.stack(
        [np.bincount(rng.integers(0, n_rows, n_rows), minlength=n_rows) for _ in range(n_resamples)]
    ).astype(np.float32)


def measure_resamples(is_churned: np.ndarray, probability: np.ndarray, resamples: np.ndarray) -> np.ndarray:
    """METRICS of each resample, (b, 6), in slices that keep memory flat."""
    step = max(1, 2_000_000 // max(1, len(is_churned)))
    parts = [measure_scores(is_churned, probability, resamples[i : i + step]) for i in range(0, len(resamples), step)]
    return np.concatenate(parts) if parts else np.empty((0, 6))


def estimate(metric: str, value: float, margin: float) -> Estimate:
    """An interval of `margin` to either side of `value`, kept within what the metric can be. No interval where the
    margin is not finite."""
    if not np.isfinite(value):
        return Estimate(np.nan, np.nan, np.nan)
    margin = margin if np.isfinite(margin) else np.nan
    high = np.inf if metric in ("log_loss", "lift_at_10") else 1.0
    return Estimate(float(value), float(np.maximum(value - margin, 0.0)), float(np.minimum(value + margin, high)))


def metric_rows(
    about: Mapping[str, Any], values: np.ndarray, margins: np.ndarray, counts: tuple[int, int]
) -> list[dict[str, Any]]:
    """One dict a metric: what it is about, its value with the interval, and the rows and churners behind it.

    values, margins: (6,), in the order of METRICS. counts: number of rows, number of churners.
    """
    n_rows, n_churned = counts
    found = []
    for metric, value, margin in zip(METRICS, values, margins, strict=True):
        interval = estimate(metric, value, margin)
        found.append(
            {
                **about,
                "metric": metric,
                "value": interval.value,
                "low": interval.low,
                "high": interval.high,
                "n_rows": n_rows,
                "n_churned": n_churned,
            }
        )
    return found


def mean_margin(values: np.ndarray, standard_errors: np.ndarray) -> float:
    """Half the width of a 95 % interval about the mean of `values` over k cutoffs; infinite for one cutoff.

    standard_errors: the sampling error of each value within its cutoff, (k,). Two questions, the wider answer counts:

    * Would other cutoffs say the same? Student's interval of a mean (Student 1908), with k - 1 degrees of freedom: the
      spread of two to four values is itself hardly known, and the normal quantile would be up to six times too small.
    * Would other customers say the same? The mean error within a cutoff, by the normal quantile, for it rests on many
      rows. No credit for the cutoffs being several, because largely the same customers stand in each.

    They are not added: the spread between cutoffs already holds most of the error within them, but not the part that
    all cutoffs share. Student's interval takes cutoffs as independent. They are not quite, having most of their
    training rows in common (Nadeau and Bengio 2003), so that the interval is rather too narrow than too wide.
    """
    from scipy.stats import t as student

    values = np.asarray(values, dtype=float)
    k = len(values)
    if k < 2:
        return float("inf")
    between = student.ppf(0.975, k - 1) * values.std(ddof=1) / np.sqrt(k)
    return float(np.maximum(between, Z95 * np.mean(standard_errors)))


def reliability(is_churned: np.ndarray, probability: np.ndarray) -> list[dict[str, float]]:
    """Bins of equal mass (up to ten; equal probabilities share one): bin (1 = lowest), n, mean_predicted,
    observed_share with its 95 % Wilson interval low, high."""
    y, p = np.asarray(is_churned, dtype=float), np.asarray(probability, dtype=float)
    if len(y) == 0:
        return []
    values, group, counts = np.unique(p, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / len(p)
    bins = np.minimum((middle * N_BINS).astype(int), N_BINS - 1)[group]
    rows = []
    for number, chosen in enumerate((b for b in range(N_BINS) if (bins == b).any()), start=1):
        inside = bins == chosen
        n, k = int(inside.sum()), int(y[inside].sum())
        low, high = wilson_interval(k, n)
        rows.append(
            {
                "bin": number,
                "n": n,
                "mean_predicted": float(p[inside].mean()),
                "observed_share": k / n,
                "low": low,
                "high": high,
            }
        )
    return rows


def log_losses(is_churned: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Negative log-likelihood of each outcome, nats."""
    p = np.clip(np.asarray(probability, dtype=float), _CLIP, 1 - _CLIP)
    return -np.where(np.asarray(is_churned, dtype=bool), np.log(p), np.log1p(-p))


def closed_errors(is_churned: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Standard errors of the METRICS over customers, (6,), NaN where there is no closed form: AUC by DeLong, DeLong and
    Clarke-Pearson (1988) through ranks (Sun and Xu 2014), Brier score and log loss as errors of a mean."""
    from scipy.stats import rankdata

    y, p = np.asarray(is_churned, dtype=bool), np.asarray(probability, dtype=float)
    found = np.full(len(METRICS), np.nan)
    found[METRICS.index("brier")] = mean_and_error((p - y) ** 2)[1]
    found[METRICS.index("log_loss")] = mean_and_error(log_losses(y, p))[1]
    n1, n0 = int(y.sum()), int((~y).sum())
    if n1 > 1 and n0 > 1:
        rank = rankdata(p)
        above = (rank[y] - rankdata(p[y])) / n0
        below = 1 - (rank[~y] - rankdata(p[~y])) / n1
        found[METRICS.index("auc")] = np.sqrt(above.var(ddof=1) / n1 + below.var(ddof=1) / n0)
    return found


def poisson_deviances(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Poisson deviance of each amount ≥ 0; their mean is a proper score for a mean. Expectations are at least 0.01, a
    cent, so that one zero forecast is not infinitely wrong."""
    y, m = np.asarray(actual, dtype=float), np.maximum(np.asarray(expected, dtype=float), 0.01)
    return 2 * (np.where(y > 0, y * np.log(np.maximum(y, 1e-300) / m), 0.0) - (y - m))


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Mean over rows and its standard error; NaN where there are too few rows to say."""
    n = len(values)
    mean = float(np.mean(values)) if n else float("nan")
    return mean, float(np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else float("nan")


def captured_share(actual: np.ndarray, score: np.ndarray) -> float:
    """Share of the total amount that is of the tenth with the highest scores; ties at the border by their share."""
    y, s = np.asarray(actual, dtype=float), np.asarray(score, dtype=float)
    total = y.sum()
    if len(y) == 0 or total <= 0:
        return float("nan")
    values, group, counts = np.unique(-s, return_inverse=True, return_counts=True)
    sums = np.bincount(group, weights=y)
    taken = np.clip(len(y) / 10 - (np.cumsum(counts) - counts), 0, counts)
    return float((sums * taken / counts).sum() / total)


def gains(amount: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points of the cumulative gains curve from (0, 0) to (1, 1): share of customers, highest score first, and share of
    the amount that they hold; customers of equal score come together."""
    _, group, counts = np.unique(-np.asarray(score, dtype=float), return_inverse=True, return_counts=True)
    sums = np.bincount(group, weights=np.asarray(amount, dtype=float))
    return np.r_[0, np.cumsum(counts) / len(amount)], np.r_[0, np.cumsum(sums) / max(sums.sum(), 1e-12)]
