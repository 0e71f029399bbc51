"""Maximum likelihood of the gamma-gamma model and of the purchase rhythm that rests on it. Fitting only.

In: per customer counts, means or sums. Out: a `GammaGamma`, a `PurchaseRhythm`. Vectorised over customers; a few
hundredths of a second for thousands. Checked against the published estimates for CDNOW (tests and benchmarks).
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.special import betainc, gammaln

from assets.model.gamma_gamma import GammaGamma
from assets.model.purchase_rhythm import PurchaseRhythm

#: Fewest customers whose values decide the parameters; below, the convention of `rhythm_by_convention` or None.
MIN_CUSTOMERS = 30


def log_likelihood(model: GammaGamma, n_values: np.ndarray, mean: np.ndarray) -> float:
    """Log-likelihood of customers' means of n values each (n >= 1, mean > 0): Fader, Hardie and Lee (2005), eq. 1a."""
    n, z = np.asarray(n_values, dtype=float), np.asarray(mean, dtype=float)
    p, q, gamma = model.p, model.q, model.gamma
    return float(
        np.sum(
            gammaln(p * n + q)
            - gammaln(p * n)
            - gammaln(q)
            + q * np.log(gamma)
            + (p * n - 1) * np.log(z)
            + p * n * np.log(n)
            - (p * n + q) * np.log(gamma + n * z)
        )
    )


def fit_gamma_gamma(n_values: np.ndarray, mean: np.ndarray) -> GammaGamma | None:
    """Maximum-likelihood estimates from customers with n >= 1 values and a positive mean; None for too few of them.

    Order values of repeat purchases, as the published estimates take them, or of all purchases.
    """
    n, z = np.asarray(n_values, dtype=float), np.asarray(mean, dtype=float)
    usable = (n >= 1) & (z > 0) & np.isfinite(z)
    n, z = n[usable], z[usable]
    if len(z) < MIN_CUSTOMERS:
        return None
    # In units of the mean, so that the search does not depend on the currency.
    unit = float(z.mean())
    found = _maximise(lambda model: log_likelihood(model, n, z / unit), len(z), least_q=0.0)
    return GammaGamma(found.p, found.q, found.gamma * unit)


def fit_rhythm(
    n_gaps: np.ndarray, gap_sum: np.ndarray, log_gap_sum: np.ndarray, silent_days: np.ndarray
) -> PurchaseRhythm | None:
    """The gap model from each customer's gaps (days, at least one: count, sum, sum of logarithms) and the gap in
    progress, which is known to be longer than `silent_days`: without it only the short gaps of slow customers would
    count. None for fewer than MIN_CUSTOMERS customers with a gap.

    The mean of a gap is kept finite (q above 1), because a date is wanted.
    """
    n, total = np.asarray(n_gaps, dtype=float), np.asarray(gap_sum, dtype=float)
    logs, silent = np.asarray(log_gap_sum, dtype=float), np.maximum(np.asarray(silent_days, dtype=float), 0.0)
    if int((n >= 1).sum()) < MIN_CUSTOMERS:
        return None
    unit = float(total.sum() / n.sum())
    total, silent, logs = total / unit, silent / unit, logs - n * np.log(unit)

    def likelihood(model: GammaGamma) -> float:
        p, q, gamma = model.p, model.q, model.gamma
        after, scale = q + p * n, gamma + total
        own = (p - 1) * logs - n * gammaln(p) + gammaln(after) - gammaln(q) + q * np.log(gamma) - after * np.log(scale)
        in_progress = np.log(np.maximum(betainc(after, p, scale / (scale + silent)), 1e-300))
        return float(np.sum(own + in_progress))

    found = _maximise(likelihood, len(n), least_q=1.05)
    return PurchaseRhythm(GammaGamma(found.p, found.q, found.gamma * unit), int((n >= 1).sum()))


def rhythm_by_convention(usual_gap_days: float) -> PurchaseRhythm:
    """Where too few gaps are known: purchases at random (p 1) around `usual_gap_days`, own gaps counting from the
    second on as much as the convention."""
    return PurchaseRhythm(GammaGamma(1.0, 3.0, 2.0 * usual_gap_days))


def _maximise(likelihood: Callable[[GammaGamma], float], n: int, least_q: float) -> GammaGamma:
    """Search over the logarithms of p, q - least_q and the population's mean (or scale), from a fixed start."""

    def model(theta: np.ndarray) -> GammaGamma:
        p, q = np.exp(theta[0]), least_q + np.exp(theta[1])
        return GammaGamma(float(p), float(q), float(np.exp(theta[2])))

    def loss(theta: np.ndarray) -> float:
        value = likelihood(model(theta))
        return -value / n if np.isfinite(value) else 1e6

    # Logarithms within bounds: shapes beyond e^6 are one certain value, below e^-6 no distribution anybody shops by.
    bounds = [(-6.0, 6.0), (-6.0, 6.0), (-12.0, 12.0)]
    found = minimize(
        loss, [0.5, 1.0, 0.5], method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-7, "maxiter": 300}
    )
    return model(found.x)
