"""From a rate of false alarms to the limits of the tests: pure functions of numbers.

In: chances of a false alarm per purchase, shapes of gaps, what is known of a customer's pace. Out: limits in days and
in units of a CUSUM. Nothing here knows of tables.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy import special

#: States of the Markov chain that stands for a CUSUM below its limit (Brook and Evans 1972).
_STATES = 80
#: Limits between which those of a chance are read off; the log of the run length is nearly a line in the limit.
_LIMITS = np.concatenate(([0.05, 0.1, 0.2, 0.35, 0.5, 0.75], np.arange(1.0, 13.1, 0.75)))
#: Gaps this rare are the tail, whose real frequency is counted.
TAIL = 0.1
#: Shapes of the gap distribution for which a table is made; between them limits are read off on the log of the shape.
SHAPES = np.array([0.3, 0.5, 0.7, 1.0, 1.5, 2.2, 3.3, 5.0, 8.0, 12.0])


def gap_exceeds(gap: np.ndarray, shape: np.ndarray, known: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Chance that the next gap of a customer is longer than `gap` days.

    Gaps are gamma with `shape`; the rate is known from a posterior gamma(`known`, `total`): the shape times the gaps
    seen, and their sum in days. The predictive distribution of gap / total is beta prime.
    """
    return special.betainc(known, shape, total / (total + gap))


def gap_exceeded_with(chance: np.ndarray, shape: np.ndarray, known: np.ndarray, total: np.ndarray) -> np.ndarray:
    """The gap in days that is exceeded with `chance`: the inverse of `gap_exceeds`."""
    return total * (1 / special.betaincinv(known, shape, chance) - 1)


def realised_chance(chance: np.ndarray, share: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Chance by which gaps are really longer, from the one by the gamma distribution. share: of all gaps with a chance
    up to `TAIL`. depth: mean of log(`TAIL` / chance) of these, 1 where the distribution is right (a Pareto tail)."""
    deep = share * (np.minimum(chance, TAIL) / TAIL) ** (1 / depth)
    return np.where(chance <= TAIL, deep, share + (chance - TAIL) * (1 - share) / (1 - TAIL))


def nominal_chance(chance: np.ndarray, share: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """The inverse of `realised_chance`."""
    deep = TAIL * (np.minimum(chance, share) / share) ** depth
    return np.where(chance <= share, deep, TAIL + (chance - share) * (1 - TAIL) / (1 - share))


def run_length(limit: float, chance_up_to: Callable[[np.ndarray], np.ndarray]) -> float:
    """Mean number of steps of a CUSUM from 0 until it reaches `limit`; a step is at most x with `chance_up_to`(x).
    By a Markov chain of its states (Brook and Evans 1972)."""
    width = limit / _STATES
    middles = (np.arange(_STATES) + 0.5) * width
    middles[0] = 0.0
    uppers = (np.arange(_STATES) + 1.0) * width
    below = chance_up_to(uppers[None, :] - middles[:, None])
    moves = np.diff(below, axis=1, prepend=0.0)
    return float(np.linalg.solve(np.eye(_STATES) - moves, np.ones(_STATES))[0])


def gap_step(gap: np.ndarray, shape: np.ndarray, ratio: float) -> np.ndarray:
    """What one gap says for a pace of `ratio` times the usual one: the log-likelihood ratio. Gap in usual gaps."""
    return shape * (np.log(ratio) + (1 - ratio) * gap)


@cache
def _gap_table(ratio: float) -> np.ndarray:
    """Log of the run length at each of `_LIMITS`, a row a shape of `SHAPES`."""

    def chance(shape: float) -> Callable[[np.ndarray], np.ndarray]:
        def up_to(x: np.ndarray) -> np.ndarray:
            at = (x / shape - np.log(ratio)) / (1 - ratio)
            reached = shape * np.maximum(at, 0)
            return special.gammainc(shape, reached) if ratio < 1 else special.gammaincc(shape, reached)

        return up_to

    return np.array([[np.log(run_length(limit, chance(shape))) for limit in _LIMITS] for shape in SHAPES])


@cache
def _amount_table(shift: float, cap: float) -> np.ndarray:
    def up_to(x: np.ndarray) -> np.ndarray:
        at = x / shift + shift / 2
        return np.where(at >= cap, 1.0, np.where(at < -cap, 0.0, special.ndtr(at)))

    return np.array([np.log(run_length(limit, up_to)) for limit in _LIMITS])


def gap_limit(chance: np.ndarray, shape: np.ndarray, ratio: float) -> np.ndarray:
    """Limit of the CUSUM of `gap_step` that is reached with `chance` per gap where nothing has changed."""
    table = _gap_table(ratio)
    wanted = -np.log(chance)
    by_shape = np.array([np.interp(wanted, row, _LIMITS) for row in table])
    place = np.interp(np.log(shape), np.log(SHAPES), np.arange(len(SHAPES)))
    low = np.minimum(place.astype(int), len(SHAPES) - 2)
    at = np.arange(len(wanted))
    return by_shape[low, at] + (place - low) * (by_shape[low + 1, at] - by_shape[low, at])


def amount_limit(chance: np.ndarray, shift: float, cap: float) -> np.ndarray:
    """Limit of the CUSUM of `shift` * (z - `shift` / 2), with z standard normal and cut at `cap`, that is reached with
    `chance` per step where nothing has changed."""
    return np.interp(-np.log(chance), _amount_table(shift, cap), _LIMITS)


def shape_of_spread(spread: np.ndarray) -> np.ndarray:
    """Shape of a gamma distribution by the log of its mean less the mean of its logs: Minka's closed form for the
    likelihood, within `SHAPES`."""
    s = np.maximum(spread, 1e-6)
    return np.clip((3 - s + np.sqrt((s - 3) ** 2 + 24 * s)) / (12 * s), SHAPES[0], SHAPES[-1])
