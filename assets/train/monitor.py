"""Is the active model still right? Its probabilities against the outcomes that have matured since it was trained.

In: a model ready to score and the customers of one cutoff whose horizon has just closed. Out: a `Check`: the model
stays as it is, is recalibrated by a shift, is replaced by a simple candidate model of its training, or is due for
retraining, always by rule and with the reason in words (`monitor_words`). Reads no table.

A check depends on the model, the cutoff and the parameters only, never on which nights happened to run: any night of
the same week finds the same check, and a night of the past is scored with what was active then.
"""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from assets.model.calibration import fit_shift
from assets.model.candidate_models import RULE
from assets.model.model_store import TOO_FEW
from assets.model.retention_model import RetentionModel, probability_of
from assets.model.season import season_shift
from assets.model.snapshots import Snapshots
from assets.model.threads import one_thread
from assets.shared.intervals import wilson_interval
from assets.shared.params import Params
from assets.train import metrics, monitor_words
from assets.train.simple_members import Better, can_compare, find_better, log_odds_of

KEPT, RECALIBRATED, REPLACED, RETRAIN = "kept", "recalibrated", "replaced", "retrain"
DECIMALS = 9


@dataclass(frozen=True)
class Measured:
    """What a check measures of the model as trained, before any shift.

    predicted, observed: shares of those who leave; observed_interval: 95 % of the observed one (Wilson). auc: on active
    customers, with its 95 % interval, None with one outcome only; promised: what the test cutoffs gave it, None where
    they gave nothing.
    """

    predicted: float
    observed: float
    observed_interval: tuple[float, float]
    auc: float | None
    auc_interval: tuple[float, float] | None
    promised: float | None

    def to_columns(self) -> dict[str, Any]:
        """By the names of `train.model_monitor`."""
        auc_low, auc_high = self.auc_interval or (None, None)
        low, high = self.observed_interval
        found = {
            "predicted_share": self.predicted,
            "observed_share": self.observed,
            "observed_low": low,
            "observed_high": high,
            "auc": self.auc,
            "auc_low": auc_low,
            "auc_high": auc_high,
            "auc_promised": self.promised,
        }
        return {n: None if v is None or not np.isfinite(v) else round(float(v), DECIMALS) for n, v in found.items()}


@dataclass(frozen=True)
class Check:
    """What one check found. Shares and AUC are of the model as trained, before any shift. observed_low, observed_high:
    95 % interval of the observed share (Wilson). shift: what is added to the log-odds of whoever scores from
    `checked_as_of` on. scoring_model: who that is, by the name of the candidate model. is_compared: whether there were
    enough active customers to compare it with the simple ones."""

    checked_as_of: str
    cutoff_date: str
    n_rows: int
    n_churned: int
    verdict: str
    reason: str
    scoring_model: str
    shift: float = 0.0
    predicted_share: float | None = None
    observed_share: float | None = None
    observed_low: float | None = None
    observed_high: float | None = None
    auc: float | None = None
    auc_low: float | None = None
    auc_high: float | None = None
    auc_promised: float | None = None
    is_compared: bool = True

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def check_model(model: RetentionModel, rows: Snapshots, day: date, cutoff: date, params: Params) -> Check:
    """Compare the model as trained with what the customers of `cutoff` did in the horizon that closed by `day`.

    Retrain: on active customers the AUC lies below the one promised by the test cutoffs by more than
    `monitor_max_auc_loss`, and its interval does not reach it. Recalibrate: the observed share lies outside what chance
    allows about the predicted one (its 95 % interval does not hold it), and further away than `monitor_max_gap` of it.
    Whatever of these, a simple candidate model that is better beyond doubt (`find_better`) scores from `day` on.
    """
    n, k = len(rows), int(rows.is_churned.sum())
    of = (day.isoformat(), cutoff.isoformat(), n, k)
    if model.scored_by == "rule" or model.churn is None:
        return Check(*of, KEPT, monitor_words.RULE_SCORES, RULE)
    name = model.churn.candidate_model
    if n < params.monitor_min_rows or not 0 < k < n:
        return Check(*of, TOO_FEW, monitor_words.too_few(n, k, params.monitor_min_rows), name)
    log_odds = model.log_odds(rows.matrix) - model.shift + season_shift(model.card, cutoff)
    found = _measure(rows, probability_of(log_odds), _promised(model))
    shares = monitor_words.shares(day, found.predicted, found.observed, found.observed_interval)
    shift = fit_shift(log_odds, rows.is_churned)
    better, loss = _better_simple(model, rows, log_odds, cutoff), params.monitor_max_auc_loss
    if better is not None:
        name, shift = better.candidate_model, 0.0 if better.candidate_model == RULE else better.shift
        shares += f". {monitor_words.simple_scores(model.candidate_model, better, day)}"
    about = {**found.to_columns(), "is_compared": can_compare(rows)}
    scoring = (name, round(shift, DECIMALS))
    if found.auc is not None and found.promised is not None and _ranks_worse(found, loss):
        words = monitor_words.ranks_worse(found.auc, found.promised, loss, shift)
        return Check(*of, RETRAIN, f"{words}. {shares}", *scoring, **about)
    if better is not None:
        return Check(*of, REPLACED, shares, *scoring, **about)
    if _is_off(found, params.monitor_max_gap):
        words = monitor_words.is_off(params.monitor_max_gap, shift)
        return Check(*of, RECALIBRATED, f"{shares}: {words}", *scoring, **about)
    return Check(*of, KEPT, f"{shares}: within the bounds, as trained", name, **about)


def _better_simple(model: RetentionModel, rows: Snapshots, log_odds: np.ndarray, cutoff: date) -> Better | None:
    season = season_shift(model.card, cutoff)
    simple = {RULE: log_odds_of(model.baseline_probability(rows.matrix))}
    with one_thread():
        simple |= {name: kept.log_odds(rows.matrix) + season for name, kept in model.simple.items()}
    return find_better(rows, log_odds, simple)


def _measure(rows: Snapshots, probability: np.ndarray, promised: float | None) -> Measured:
    n, k = len(rows), int(rows.is_churned.sum())
    y, p = rows.is_churned[rows.is_active], probability[rows.is_active]
    auc, interval = None, None
    if 1 < y.sum() < len(y) - 1:
        place = metrics.METRICS.index("auc")
        auc, error = float(metrics.measure_scores(y, p)[place]), metrics.closed_errors(y, p)[place]
        interval = (float(auc - metrics.Z95 * error), float(auc + metrics.Z95 * error))
    return Measured(float(probability.mean()), k / n, wilson_interval(k, n), auc, interval, promised)


def _ranks_worse(found: Measured, max_loss: float) -> bool:
    if found.auc is None or found.auc_interval is None or found.promised is None:
        return False
    return found.auc < found.promised - max_loss and found.auc_interval[1] < found.promised


def _is_off(found: Measured, max_gap: float) -> bool:
    low, high = found.observed_interval
    return not low <= found.predicted <= high and abs(found.observed - found.predicted) > max_gap * found.predicted


def _promised(model: RetentionModel) -> float | None:
    """AUC on active customers that the test cutoffs gave the candidate model that scores."""
    found = [
        row["value"]
        for row in model.card.get("model_selection", [])
        if row["candidate_model"] == model.candidate_model
        and row["cutoff_role"] == "test"
        and row["cutoff_date"] is None
        and row["population"] == "active"
        and row["metric"] == "auc"
    ]
    return found[0] if found else None
