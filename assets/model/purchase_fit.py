"""Maximum likelihood for BG/NBD and MBG/NBD on the purchase histories of customers, vectorised.

In: x repeat purchase days, recency t_x and age T in days. Out: a `PurchaseProcess`, the most probable one given what
other businesses are like. Customers with the same history are one row with a weight, so a million customers of a shop
fit in the time of its distinct histories.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

from assets.model.population_priors import prior_of
from assets.model.purchase_process import ProcessKind, PurchaseProcess

#: Log parameters are kept within this: flat likelihoods (everybody alive, or no spread at all) end at the bound.
_BOUND = 12.0
#: Days.
WEEK = 7.0
POPULATION = prior_of()
#: Mean and standard deviation of log r, α (weeks), a, b where no prior is wanted: nothing on real data, and an end for
#: flat likelihoods.
_HARDLY_ANY = (np.zeros(4), np.full(4, 10.0))

#: Mean and standard deviation of log r, log α (weeks), log a, log b; (4,) each.
Prior = tuple[np.ndarray, np.ndarray]


def distinct_histories(x: np.ndarray, recency_days: np.ndarray, age_days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((m, 3) distinct rows of x, t_x, T, (m,) customers with each); histories with a NaN are left out."""
    rows = np.column_stack([np.asarray(v, dtype=float) for v in (x, recency_days, age_days)])
    rows = rows[~np.isnan(rows).any(axis=1)]
    if not len(rows):
        return rows, np.empty(0)
    order = np.lexsort(rows.T)
    rows = rows[order]
    starts = np.flatnonzero(np.r_[True, (rows[1:] != rows[:-1]).any(axis=1)])
    return rows[starts], np.diff(np.r_[starts, len(rows)]).astype(float)


def log_likelihood(process: PurchaseProcess, x: np.ndarray, recency_days: np.ndarray, age_days: np.ndarray) -> float:
    """Log-likelihood of the histories, time in the process's own unit."""
    histories, weights = distinct_histories(x, recency_days, age_days)
    theta = np.log([process.r, process.alpha, process.a, process.b])
    return -_loss(theta, histories[:, 0], histories[:, 1:] / process.unit_days, weights, process.kind)[0]


def fit_purchase_process(
    kind: ProcessKind,
    x: np.ndarray,
    recency_days: np.ndarray,
    age_days: np.ndarray,
    prior: Prior | None = POPULATION,
) -> PurchaseProcess:
    """The most probable process, in weeks. Needs at least one known history; ages should be above zero.

    kind: `bg_nbd` or `mbg_nbd`. prior: of the parameters; None for the most likely process, whatever others are like.
    Raises ValueError where no history is known.
    """
    histories, weights = distinct_histories(x, recency_days, age_days)
    if not len(histories):
        raise ValueError("no purchase history to fit a process to")
    counts, times = histories[:, 0], histories[:, 1:] / WEEK
    believed = prior or _HARDLY_ANY
    # Two starts: the likelihood has a ridge from "all alive" to "many leave", and a start on one side may stay there.
    mean_age = float(np.average(times[:, 1], weights=weights)) + 1e-9
    first, second = (
        minimize(
            _penalised,
            np.log(start),
            args=(counts, times, weights, kind, believed),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-_BOUND, _BOUND)] * 4,
            options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-7},
        )
        for start in ((1.0, mean_age / 2, 1.0, 3.0), (0.3, mean_age / 8, 0.5, 1.0))
    )
    best = second if second.fun < first.fun - 1e-9 else first
    r, alpha, a, b = (float(v) for v in np.exp(best.x))
    return PurchaseProcess(kind, r, alpha, a, b, WEEK)


def _penalised(theta, counts, times, weights, kind, believed: Prior) -> tuple[float, np.ndarray]:
    loss, gradient = _loss(theta, counts, times, weights, kind)
    away, total = (theta - believed[0]) / believed[1], weights.sum()
    return (loss + 0.5 * away @ away) / total, (gradient + away / believed[1]) / total


def _loss(theta, x, times, weights, kind) -> tuple[float, np.ndarray]:
    """Negative log-likelihood and its gradient in the logs of r, α, a, b.

    BG/NBD (Fader, Hardie and Lee 2005, eq. 6) and MBG/NBD (Batislam et al. 2007) share their form
    ln L = ln Γ(r+x)/Γ(r) + r ln α + ln B(a, b')/B(a, b) + ln[(α+T)^−(r+x) + d (α+t_x)^−(r+x)]
    with b' = b + x, d = a/(b+x−1) if x > 0 (BG/NBD), and b' = b + x + 1, d = a/(b+x) always (MBG/NBD).
    """
    r, alpha, a, b = np.exp(theta)
    t_x, age = times[:, 0], times[:, 1]
    later = 1.0 if kind == "mbg_nbd" else 0.0
    can_leave = np.ones(len(x), dtype=bool) if kind == "mbg_nbd" else x > 0
    chances = x + later
    base = np.where(can_leave, b + chances - 1, 1.0)  # b + x or b + x - 1

    log_alive = -(r + x) * np.log(alpha + age)
    log_dead = np.where(can_leave, np.log(a) - np.log(base) - (r + x) * np.log(alpha + t_x), -np.inf)
    log_both = np.logaddexp(log_alive, log_dead)
    dead = np.exp(log_dead - log_both)  # share of the likelihood in which the customer has left
    alive = 1 - dead

    value = (
        gammaln(r + x)
        - gammaln(r)
        + r * theta[1]
        + gammaln(a + b)
        - gammaln(b)
        + gammaln(b + chances)
        - gammaln(a + b + chances)
        + log_both
    )
    d_r = digamma(r + x) - digamma(r) + theta[1] - alive * np.log(alpha + age) - dead * np.log(alpha + t_x)
    d_alpha = r / alpha - (r + x) * (alive / (alpha + age) + dead / (alpha + t_x))
    common = digamma(a + b) - digamma(a + b + chances)
    d_a = common + dead / a
    d_b = common - digamma(b) + digamma(b + chances) - dead / base
    gradient = np.array([weights @ d for d in (d_r, d_alpha, d_a, d_b)]) * np.array([r, alpha, a, b])
    return -float(weights @ value), -gradient
