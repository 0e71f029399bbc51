"""From log-odds that rank to probabilities that are right: intercept, slope, shift and season.

In: out-of-time predictions of one candidate model and what happened. Out: a `Calibration`. Which cutoffs are predicted
by what is decided elsewhere.
"""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np

from assets.model.churn_model import ChurnModel
from assets.model.retention_model import probability_of
from assets.model.season_fit import learn_share
from assets.model.snapshots import Snapshots
from assets.model.threads import one_thread

#: Weight, in customers, of the belief that the base rate has not moved.
SHIFT_PRIOR = 100.0
#: Weight, in customers, of the belief that no recalibration is needed.
CALIBRATION_PRIOR = 20.0
#: A slope at or below zero would turn the ranking round; the backtest, not the calibration, judges ranking.
LEAST_SLOPE = 0.05


@dataclass(frozen=True)
class Calibration:
    """Calibrated log-odds = intercept + shift + slope × log-odds + season × by how much the candidate model was off one
    year before. n_rows: out-of-time predictions it rests on; n_newest: those of the newest cutoff, fitted by the
    shift. season_newest: the season's part at the newest cutoff, in log-odds."""

    intercept: float = 0.0
    slope: float = 1.0
    shift: float = 0.0
    n_rows: int = 0
    n_newest: int = 0
    season: float = 0.0
    season_newest: float = 0.0

    def of(self, log_odds: np.ndarray, off_year_before: float = float("nan")) -> np.ndarray:
        """(n,) calibrated log-odds."""
        return self.intercept + self.shift + self.slope * log_odds + self.seasonal(off_year_before)

    def seasonal(self, off_year_before: float) -> float:
        """The season's part of the log-odds; none where the year before is not known."""
        return self.season * off_year_before if np.isfinite(off_year_before) else 0.0

    def put_into(self, candidate: ChurnModel) -> ChurnModel:
        """The fitted candidate model, calibrated as of the season of the newest matured cutoff."""
        return replace(candidate, intercept=self.intercept + self.shift + self.season_newest, slope=self.slope)


@dataclass(frozen=True)
class OutOfTime:
    """What one candidate model said of one cutoff that it had not seen: uncalibrated log-odds, what happened, and by
    how much the same fitted candidate model was off one year before (NaN: not known)."""

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
        """From the predictions whose outcomes are closed by a day: what happened later is not known yet. Without the
        year before the day that is to be predicted no season can be applied, and none may be taken out."""
        closed = [p for p in self.predictions if p.cutoff + timedelta(horizon_days) <= closed_by]
        if not closed:
            return Calibration()
        season = 0.0
        if with_season:
            off = [fit_shift(p.log_odds, p.is_churned) for p in closed]
            season = learn_share(off, [p.off_year_before for p in closed])
        seasonal = [season * p.off_year_before if season and np.isfinite(p.off_year_before) else 0.0 for p in closed]
        outcomes = np.concatenate([p.is_churned for p in closed])
        intercept, slope = fit_calibration(
            np.concatenate([p.log_odds for p in closed]),
            outcomes,
            np.concatenate([np.full(len(p.log_odds), part) for p, part in zip(closed, seasonal, strict=True)]),
        )
        newest, newest_part = max(zip(closed, seasonal, strict=True), key=lambda pair: pair[0].cutoff)
        shift = fit_shift(intercept + slope * newest.log_odds + newest_part, newest.is_churned)
        return Calibration(intercept, slope, shift, len(outcomes), len(newest.is_churned), season, newest_part)


def off_at(candidate: ChurnModel, rows: Snapshots, horizon_days: int, known_by: date) -> float:
    """The shift under which the candidate model's uncalibrated log-odds fit what the customers of one past cutoff did;
    NaN where there are none, or their outcomes are not closed by `known_by`."""
    if len(rows) == 0 or rows.cutoff.max().item() + timedelta(horizon_days) > known_by:
        return float("nan")
    with one_thread():
        return fit_shift(candidate.uncalibrated(rows.matrix), rows.is_churned)


def fit_calibration(
    log_odds: np.ndarray, is_churned: np.ndarray, offsets: np.ndarray | float = 0.0
) -> tuple[float, float]:
    """Intercept and slope that make out-of-time log-odds fit what happened (Platt 1999, by Newton's method).

    offsets: (n,) what else is added to each, such as a season. Drawn towards (0, 1) with the weight of about
    twenty customers, so that few outcomes change little.
    """
    z, y = np.asarray(log_odds, dtype=float), np.asarray(is_churned, dtype=float)
    theta, prior_mean = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    prior = np.diag([CALIBRATION_PRIOR / 4, CALIBRATION_PRIOR])
    design = np.column_stack([np.ones_like(z), z])

    def loss(t: np.ndarray) -> float:
        f = design @ t + offsets
        return float(np.sum(np.logaddexp(0.0, f) - y * f) + 0.5 * (t - prior_mean) @ prior @ (t - prior_mean))

    with one_thread():
        for _ in range(100):
            p = probability_of(design @ theta + offsets)
            gradient = design.T @ (p - y) + prior @ (theta - prior_mean)
            hessian = (design * (p * (1 - p))[:, None]).T @ design + prior
            step = np.linalg.solve(hessian, gradient)
            size, now = 1.0, loss(theta)
            while loss(theta - size * step) > now and size > 1e-8:
                size /= 2
            theta = theta - size * step
            if np.abs(size * step).max() < 1e-10:
                break
    return float(theta[0]), float(max(theta[1], LEAST_SLOPE))


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
