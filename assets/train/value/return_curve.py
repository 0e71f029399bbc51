"""The return curve, learned, and how well it knew who comes when.

In: a connection that sees `features.customer_day`, what was said of customers at out-of-time cutoffs and when they
came. Out: a `ReturnCurve`, metrics. What is graded is what is published: the day of the next order beside the two
simplest guesses, and the chance of no order within each published number of days.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
from scipy.optimize import minimize_scalar

from assets.model.process_model import PROCESS
from assets.model.purchase_fit import fit_purchase_process
from assets.model.return_curve import ENDS, KNOTS, History, OwnHazard, ReturnCurve
from assets.model.spend_fit import fit_rhythm, rhythm_by_convention
from assets.model.threads import one_thread
from assets.model.value_model import COVERAGE, PUBLISHED_DAYS, has_date
from assets.shared.params import Params
from assets.train.value.performance import Measured, rank_correlation
from assets.train.value.rows import read_gaps

#: Most customers of a cutoff that anything here is learned from or measured on: the first in content order, which is
#: a random order.
MAX_ROWS = 10_000
#: Cutoffs that the ends of the interval are learned from, the newest.
N_ENDS_CUTOFFS = 3
#: Fewest waits that the ends are learned from.
MIN_WAITS = 30
#: Shares of the waits below the interval that are tried, as many as above it.
_TAILS = np.arange(0.01, 0.255, 0.005)
#: Who is published, among those that are graded.
CURVE = "return_curve"
#: Least probability whose logarithm is taken.
_LEAST = 1e-6
#: Logarithm of a bend: bounds, and the spread around none that is believed with the weight of `PRIOR_ROWS` customers.
_MOST_BENT, _SPREAD, PRIOR_ROWS = 1.2, 0.25, 30.0


@dataclass(frozen=True)
class Waits:
    """Customers at an out-of-time cutoff. curve: of that day, with nothing learned from outcomes; own: the
    hazard by it. at_horizon: (n,)
    chance of no order within the horizon, as said then. is_dated: whose next order had a date. wait_days: (n,) to the
    next order, NaN where none has come yet."""

    cutoff: date
    curve: ReturnCurve
    history: History
    own: OwnHazard
    at_horizon: np.ndarray
    is_dated: np.ndarray
    wait_days: np.ndarray

    def __len__(self) -> int:
        return len(self.wait_days)

    def where(self, chosen: np.ndarray) -> "Waits":
        arrays = (self.at_horizon[chosen], self.is_dated[chosen], self.wait_days[chosen])
        return Waits(self.cutoff, self.curve, self.history.where(chosen), self.own.where(chosen), *arrays)

    def came(self) -> "Waits":
        """Those with a date who came within the horizon."""
        return self.where(self.is_dated & (self.wait_days < self.curve.horizon_days))

    def is_closed(self, by: date, days: int) -> bool:
        """Whether so many days after the cutoff are over by a day."""
        return self.cutoff + timedelta(days) <= by


@dataclass(frozen=True)
class Said:
    """What was said of customers at an out-of-time cutoff and when they came: matrix (n, len(FEATURES)), the others
    (n,). wait_days: to the next order known when the model is trained, NaN where there is none."""

    cutoff: date
    matrix: np.ndarray
    churn_probability: np.ndarray
    wait_days: np.ndarray


def waits_of(con: duckdb.DuckDBPyConnection, said: Sequence[Said], params: Params, is_contractual: bool) -> list[Waits]:
    """Of customers who ever purchased, oldest cutoff first."""
    found = []
    for each in sorted(said, key=lambda each: each.cutoff):
        history = History.of(each.matrix)
        some = np.flatnonzero(np.isfinite(history.silent_days))[:MAX_ROWS]
        history, churn = history.where(some), each.churn_probability[some]
        curve = learn_base(con, each.cutoff, params)
        own = curve.own_hazard(history)
        at_horizon = curve.none_by_history(own) if is_contractual else churn
        found.append(Waits(each.cutoff, curve, history, own, at_horizon, has_date(churn), each.wait_days[some]))
    return found


def learn_base(con: duckdb.DuckDBPyConnection, before: date, params: Params) -> ReturnCurve:
    """The curve of a day by purchase histories alone."""
    gaps = read_gaps(con, before, max(params.lifecycle_lost_days, params.churn_horizon_days + 1))
    rhythm = fit_rhythm(gaps.n, gaps.total, gaps.logs, gaps.silent)
    process = None
    if (gaps.n > 0).any():
        with one_thread():
            process = fit_purchase_process(PROCESS, gaps.n, gaps.total, gaps.total + gaps.silent)
    return ReturnCurve(
        rhythm or rhythm_by_convention(params.churn_horizon_days / 2), process, params.churn_horizon_days
    )


def learn_from_waits(base: ReturnCurve, waits: Sequence[Waits], by: date) -> ReturnCurve:
    """The curve with what outcomes known by a day teach. waits: oldest first."""
    horizon = base.horizon_days
    closed = [each for each in waits if each.is_closed(by, horizon)]
    bent = replace(
        base,
        near=_learn_bend(closed, by, [day for day in KNOTS if day < horizon]),
        far=_learn_bend(closed, by, [day for day in KNOTS if day > horizon]),
    )
    return replace(bent, ends=learn_ends([replace(each, curve=_bent_as(bent, each.curve)) for each in closed]))


def _bent_as(learned: ReturnCurve, base: ReturnCurve) -> ReturnCurve:
    return replace(base, near=learned.near, far=learned.far, ends=learned.ends)


def _learn_bend(waits: Sequence[Waits], by: date, days: Sequence[int]) -> float:
    """The bend under which the curve fits best who had come within the given days, as far as these are over; least mean
    log loss, drawn to 1."""
    sides = []
    for each in waits:
        over = [day for day in days if each.is_closed(by, day)]
        if over:
            sides.append((each, over, np.log(each.curve.ratio(each.own, over))))
    if not sides:
        return 1.0
    n_rows = sum(len(each) for each, _, _ in sides)
    logs = [np.log(-np.log(np.clip(each.at_horizon, 1e-9, 1 - 1e-9)))[:, None] for each, _, _ in sides]

    def loss(log_bend: float) -> float:
        total = 0.5 * PRIOR_ROWS * (log_bend / _SPREAD) ** 2
        for (each, over, ratio), log_hazard in zip(sides, logs, strict=True):
            hazard = np.exp(log_hazard + np.exp(log_bend) * ratio)
            has_come = each.wait_days[:, None] < np.asarray(over)
            total += np.where(has_come, -np.log(-np.expm1(-hazard) + 1e-12), hazard).mean(axis=1).sum()
        return float(total / n_rows)

    found = minimize_scalar(loss, bounds=(-_MOST_BENT, _MOST_BENT), method="bounded", options={"xatol": 1e-4})
    return round(float(np.exp(found.x)), 4)


def learn_ends(waits: Sequence[Waits]) -> tuple[float, float]:
    """Shares at which the ends of the interval lie so that in whole days, ends included, the share nearest to
    `COVERAGE` of earlier waits lay between them. `ENDS` for fewer than `MIN_WAITS` waits. waits: oldest first."""
    newest = [each.came() for each in waits[-N_ENDS_CUTOFFS:]]
    if sum(len(each) for each in newest) < MIN_WAITS:
        return ENDS

    def shares(later: int) -> np.ndarray:
        come = [each.curve.share_come(each.own, each.at_horizon, each.wait_days + later) for each in newest]
        return np.concatenate(come)

    by_that_day, before_it = shares(1), shares(0)

    def distance(ends: tuple[float, float]) -> float:
        # An end is the first day by whose end its share has come: a wait lies from the lower one on where its own day
        # has reached that, and up to the upper one where the day before has not.
        low, high = ends
        return abs(float(((by_that_day >= low) & (before_it < high)).mean()) - COVERAGE)

    middle = (by_that_day + before_it) / 2
    tried = [(float(np.quantile(middle, tail)), float(np.quantile(middle, 1 - tail))) for tail in _TAILS]
    low, high = min(tried, key=distance)
    return min(low, 0.5), max(high, 0.5)


def as_published(waits: Sequence[Waits]) -> list[Waits]:
    """Each cutoff with the curve that would have been published on it: with what was known by then."""
    return [replace(each, curve=learn_from_waits(each.curve, waits, each.cutoff)) for each in waits]


def measure_next_order(published: Sequence[Waits], graded: Sequence[date]) -> list[dict[str, Any]]:
    """Rows of value_performance: how well what is published knew the day, at each of the `graded` cutoffs; beside it
    two simple guesses: the own mean gap kept to the day, and the median wait of earlier customers. Cutoffs with no
    closed one before them are left out where there are others."""
    tests = [each for each in published if each.cutoff in graded]
    measured: dict[str, dict[date, dict[str, float]]] = {}
    for test in [each for each in tests if _closed_before(each, published)] or tests:
        for name, values in _day_metrics(test.came(), _closed_before(test, published)).items():
            measured.setdefault(name, {})[test.cutoff] = values
    counts = {each.cutoff: len(each.came()) for each in tests}
    return [
        row
        for name, by_cutoff in measured.items()
        for row in Measured(
            "next_order", published[0].curve.horizon_days, name, name == CURVE, by_cutoff, counts
        ).rows()
    ]


def _closed_before(test: Waits, waits: Sequence[Waits]) -> list[Waits]:
    return [each for each in waits if each.is_closed(test.cutoff, test.curve.horizon_days)]


def _day_metrics(test: Waits, closed: Sequence[Waits]) -> dict[str, dict[str, float]]:
    """Mean absolute error, mean error (expected less actual), rank correlation, and of the interval the coverage."""
    horizon, actual = test.curve.horizon_days, test.wait_days
    low, expected, high = test.curve.days(test.own, test.at_horizon)
    earlier = np.concatenate([np.empty(0), *(each.came().wait_days for each in closed)])
    own_gap = test.history.recency_days / np.maximum(test.history.frequency, 1)
    guesses = {
        CURVE: expected,
        "own_gap": np.clip(own_gap - test.history.silent_days, 0, horizon - 1),
        "usual_wait": np.full(len(actual), np.median(earlier) if len(earlier) else (horizon - 1) / 2),
    }
    found: dict[str, dict[str, float]] = {
        name: {
            "mae_days": _mean(np.abs(guess - actual)),
            "bias_days": _mean(guess - actual),
            "spearman": rank_correlation(guess, actual),
        }
        for name, guess in guesses.items()
    }
    found[CURVE]["coverage"] = _mean((actual >= low) & (actual <= high))
    return found


def measure_curve(published: Sequence[Waits], anchor: date) -> list[dict[str, Any]]:
    """Rows of value_performance: how right the published chances of no order were, for each number of days at the
    cutoffs after which so many are over; beside them the share of earlier customers who had not ordered, for everybody
    the same."""
    rows: list[dict[str, Any]] = []
    for days in PUBLISHED_DAYS:
        measured: dict[str, dict[date, dict[str, float]]] = {}
        for test in published:
            earlier = [_stayed_away(each, days) for each in published if each.is_closed(test.cutoff, days)]
            if not test.is_closed(anchor, days) or not _closed_before(test, published):
                continue
            said = {CURVE: test.curve.none_within(test.own, test.at_horizon, (days,))[:, 0]}
            if earlier:
                said["usual_share"] = np.full(len(test), np.concatenate(earlier).mean())
            for name, chance in said.items():
                measured.setdefault(name, {})[test.cutoff] = _chance_metrics(chance, _stayed_away(test, days))
        counts = {each.cutoff: len(each) for each in published}
        for name, by_cutoff in measured.items():
            rows += Measured("no_order", days, name, name == CURVE, by_cutoff, counts).rows()
    return rows


def _stayed_away(waits: Waits, days: int) -> np.ndarray:
    return ~(waits.wait_days < days)


def _chance_metrics(chance: np.ndarray, stayed_away: np.ndarray) -> dict[str, float]:
    """Mean chance, share that it was the chance of, and mean log loss in nats."""
    p = np.clip(chance, _LEAST, 1 - _LEAST)
    return {
        "mean_predicted": _mean(chance),
        "observed_share": _mean(stayed_away),
        "log_loss": _mean(-np.where(stayed_away, np.log(p), np.log1p(-p))),
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
