"""From log-odds that rank to probabilities that are right: level, slope and season.

In: out-of-time predictions of one candidate model and what happened. Out: a `Calibration`. Which cutoffs are predicted
by what is decided elsewhere. All is learned from active customers: they are the ones somebody decides about, and those
who are silent for long would drown them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np

from assets.model.churn_model import ChurnModel
from assets.model.retention_model import probability_of
from assets.model.season_fit import learn_share
from assets.model.snapshots import Snapshots
from assets.model.stacking import cutoff_weights
from assets.model.threads import one_thread

#: Weight, in customers, of the belief that the base rate has not moved.
SHIFT_PRIOR = 100.0
#: Weight, in customers, of the belief that no recalibration is needed.
CALIBRATION_PRIOR = 20.0
#: A slope at or below zero would turn the ranking round; the backtest, not the calibration, judges ranking.
LEAST_SLOPE = 0.05
#: Standard deviation, in log-odds, by which the level of one cutoff lies off that of the others, however many customers
#: it has: on known businesses .08 to .2.
LEVEL_SPREAD = 0.1


@dataclass(frozen=True)
class Calibration:
    """Calibrated log-odds = intercept + slope × log-odds + season × by how much the candidate model was off one year
    before. n_rows, n_cutoffs: out-of-time predictions of active customers it rests on, and of how many cutoffs.
    season_newest: the season's part at the newest cutoff, in log-odds."""

    intercept: float = 0.0
    slope: float = 1.0
    n_rows: int = 0
    n_cutoffs: int = 0
    season: float = 0.0
    season_newest: float = 0.0

    def of(self, log_odds: np.ndarray, off_year_before: float = float("nan")) -> np.ndarray:
        """(n,) calibrated log-odds."""
        return self.intercept + self.slope * log_odds + self.seasonal(off_year_before)

    def seasonal(self, off_year_before: float) -> float:
        """The season's part of the log-odds; none where the year before is not known."""
        return self.season * off_year_before if np.isfinite(off_year_before) else 0.0

    def put_into(self, candidate: ChurnModel) -> ChurnModel:
        """The fitted candidate model, calibrated as of the season of the newest matured cutoff."""
        return replace(candidate, intercept=self.intercept + self.season_newest, slope=self.slope)


@dataclass(frozen=True)
class OutOfTime:
    """What one candidate model said of the active customers of one cutoff that it had not seen: uncalibrated log-odds,
    what happened, and by how much the same fitted candidate model was off one year before (NaN: not known)."""

    cutoff: date
    log_odds: np.ndarray
    is_churned: np.ndarray
    off_year_before: float


@dataclass
class PredictionPool:
    """Out-of-time predictions of one candidate model so far."""

    predictions: list[OutOfTime] = field(default_factory=list)

    def add(self, prediction: OutOfTime) -> None:
        self.predictions.append(prediction)

    def calibration(self, closed_by: date, horizon_days: int, with_season: bool = True) -> Calibration:
        """From the predictions whose outcomes are closed by a day: what happened later is not known yet.

        Without the year before the day that is to be predicted no season can be applied, and none may be taken out;
        with a season, cutoffs without a year before say nothing of the level."""
        closed = sorted((p for p in self.predictions if _is_closed(p, closed_by, horizon_days)), key=lambda p: p.cutoff)
        if not closed:
            return Calibration()
        offs = [p.off_year_before for p in closed]
        season = learn_share([fit_shift(p.log_odds, p.is_churned) for p in closed], offs) if with_season else 0.0
        slope = fit_slope(closed)
        seasonal = [season * off if season else 0.0 for off in offs]
        judged = [i for i, part in enumerate(seasonal) if np.isfinite(part)]
        level = learn_level([closed[i] for i in judged], [seasonal[i] for i in judged], slope, horizon_days)
        n_rows = sum(len(p.is_churned) for p in closed)
        newest = seasonal[-1] if np.isfinite(seasonal[-1]) else 0.0
        return Calibration(level, slope, n_rows, len(closed), season, newest)


def _is_closed(prediction: OutOfTime, by: date, horizon_days: int) -> bool:
    return len(prediction.is_churned) > 0 and prediction.cutoff + timedelta(horizon_days) <= by


def learn_level(predictions: Sequence[OutOfTime], seasonal: Sequence[float], slope: float, horizon_days: int) -> float:
    """What is to be added to slope × log-odds on a new day: the mean of what fitted each past cutoff, beside its
    season.

    A candidate model that is fitted to the past lags behind in the same way at each cutoff, and that repeats; what one
    cutoff has of its own mostly does not. Hence the mean of all, not the newest: each counts by how surely its own
    level is known (`LEVEL_SPREAD` and the number of its customers), by its distance to the one before and, halved every
    year, by its age (`stacking.cutoff_weights`); drawn to zero with the weight of `CALIBRATION_PRIOR` customers.
    predictions: from old to new, not empty.
    """
    levels, errors = [], []
    for each, part in zip(predictions, seasonal, strict=True):
        fixed = slope * each.log_odds + part
        levels.append(fit_shift(fixed, each.is_churned, prior_rows=1.0))
        p = probability_of(fixed + levels[-1])
        errors.append(1.0 / max(float((p * (1 - p)).sum()), 0.25))
    weights = cutoff_weights([p.cutoff for p in predictions], horizon_days) / (LEVEL_SPREAD**2 + np.array(errors))
    return float(np.dot(weights, levels) / (weights.sum() + CALIBRATION_PRIOR / 4))


def off_at(candidate: ChurnModel, rows: Snapshots, horizon_days: int, known_by: date) -> float:
    """The shift under which the candidate model's uncalibrated log-odds fit what the active customers of one past
    cutoff did; NaN where there are none, or their outcomes are not closed by `known_by`."""
    active = rows.where(rows.is_active)
    if len(active) == 0 or active.cutoff.max().item() + timedelta(horizon_days) > known_by:
        return float("nan")
    with one_thread():
        return fit_shift(candidate.uncalibrated(active.matrix), active.is_churned)


def fit_slope(predictions: Sequence[OutOfTime]) -> float:
    """The factor that makes out-of-time log-odds fit what happened (Platt 1999, by Newton's method), under a level for
    each cutoff. Drawn to one with the weight of about twenty customers, so that few outcomes change little."""
    z = np.concatenate([np.asarray(p.log_odds, dtype=float) for p in predictions])
    y = np.concatenate([np.asarray(p.is_churned, dtype=float) for p in predictions])
    group = np.repeat(np.arange(len(predictions)), [len(p.log_odds) for p in predictions])
    k, theta = len(predictions), np.r_[np.zeros(len(predictions)), 1.0]
    prior = np.r_[np.full(k, CALIBRATION_PRIOR / 4), CALIBRATION_PRIOR]
    middle = np.r_[np.zeros(k), 1.0]

    def loss(t: np.ndarray) -> float:
        f = t[group] + t[k] * z
        return float(np.sum(np.logaddexp(0.0, f) - y * f) + 0.5 * (prior * (t - middle) ** 2).sum())

    with one_thread():
        for _ in range(100):
            p = probability_of(theta[group] + theta[k] * z)
            off, weight = p - y, p * (1 - p)
            gradient = np.r_[np.bincount(group, off, k), off @ z] + prior * (theta - middle)
            hessian = np.diag(np.r_[np.bincount(group, weight, k), weight @ z**2] + prior)
            hessian[k, :k] = hessian[:k, k] = np.bincount(group, weight * z, k)
            step = np.linalg.solve(hessian, gradient)
            size, now = 1.0, loss(theta)
            while loss(theta - size * step) > now and size > 1e-8:
                size /= 2
            theta = theta - size * step
            if np.abs(size * step).max() < 1e-10:
                break
    return float(max(theta[k], LEAST_SLOPE))


def fit_shift(log_odds: np.ndarray, is_churned: np.ndarray, prior_rows: float = SHIFT_PRIOR) -> float:
    """Shift of the intercept under which log-odds fit what happened on average; drawn to zero with the weight of
    `prior_rows` customers. By Newton's method."""
    z, y, shift = np.asarray(log_odds, dtype=float), np.asarray(is_churned, dtype=float), 0.0
    for _ in range(50):
        p = probability_of(z + shift)
        step = ((p - y).sum() + prior_rows / 4 * shift) / ((p * (1 - p)).sum() + prior_rows / 4)
        step = float(np.clip(step, -1.0, 1.0))
        shift -= step
        if abs(step) < 1e-12:
            break
    return float(shift)
