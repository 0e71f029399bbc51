"""Is the active model still right? Its probabilities against the outcomes that have matured since it was trained.

In: a model ready to score and the customers of one cutoff whose horizon has just closed. Out: a `Check`: the model
stays as it is, is recalibrated by a shift, or is due for retraining, always by rule and with the reason in words. Reads
no table.

A check depends on the model, the cutoff and the parameters only, never on which nights happened to run: any night of
the same week finds the same check, and a night of the past is scored with what was active then.
"""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from assets.shared.intervals import wilson_interval
from assets.shared.params import Params
from assets.shared.retention_model import RetentionModel, probability_of
from assets.shared.season import season_shift
from assets.train import estimator, metrics
from assets.train.snapshots import Snapshots

KEPT, RECALIBRATED, RETRAIN, TOO_FEW = "kept", "recalibrated", "retrain", "too few to judge"


@dataclass(frozen=True)
class Check:
    """What one check found. Shares and AUC are of the model as trained, before any shift. observed_low, observed_high:
    95 % interval of the observed share (Wilson). shift: what is added to the log-odds from `checked_as_of` on."""

    checked_as_of: str
    cutoff_date: str
    n_rows: int
    n_churned: int
    predicted_share: float | None
    observed_share: float | None
    observed_low: float | None
    observed_high: float | None
    auc: float | None
    auc_low: float | None
    auc_high: float | None
    auc_promised: float | None
    verdict: str
    shift: float
    reason: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def check_model(model: RetentionModel, rows: Snapshots, day: date, cutoff: date, params: Params) -> Check:
    """Compare the model as trained with what the customers of `cutoff` did in the horizon that closed by `day`.

    Retrain: on active customers the AUC lies below the one promised by the test cutoffs by more than
    `monitor_max_auc_loss`, and its interval does not reach it. Recalibrate: the observed share lies outside what chance
    allows about the predicted one (its 95 % interval does not hold it), and further away than `monitor_max_gap` of it.
    """
    n, k = len(rows), int(rows.is_churned.sum())
    promised = _promised(model)
    if model.scored_by == "rule" or model.churn is None:
        return _check(
            day, cutoff, n, k, verdict=KEPT, reason="the rule scores; it is learned anew at the next training"
        )
    if n < params.monitor_min_rows or not 0 < k < n:
        return _check(
            day,
            cutoff,
            n,
            k,
            verdict=TOO_FEW,
            reason=f"{n:,} outcomes with {k:,} who left; {params.monitor_min_rows:,} with both outcomes are needed",
        )
    log_odds = model.log_odds(rows.matrix) - model.shift + season_shift(model.card, cutoff)
    p = probability_of(log_odds)
    low, high = wilson_interval(k, n)
    active = rows.is_active
    auc = auc_low = auc_high = None
    if 1 < rows.is_churned[active].sum() < active.sum() - 1:
        place = metrics.METRICS.index("auc")
        auc = float(metrics.measure_scores(rows.is_churned[active], p[active])[place])
        error = metrics.closed_errors(rows.is_churned[active], p[active])[place]
        auc_low, auc_high = float(auc - metrics.Z95 * error), float(auc + metrics.Z95 * error)
    predicted, observed = float(p.mean()), k / n
    found = {
        "predicted_share": predicted,
        "observed_share": observed,
        "observed_low": low,
        "observed_high": high,
        "auc": auc,
        "auc_low": auc_low,
        "auc_high": auc_high,
        "auc_promised": promised,
    }
    shares = (
        f"{100 * predicted:.1f} % were expected to leave by {day}, {100 * observed:.1f} % did "
        f"({100 * low:.1f} to {100 * high:.1f} %)"
    )
    if (
        auc is not None
        and promised is not None
        and auc < promised - params.monitor_max_auc_loss
        and auc_high < promised
    ):
        shift = estimator.fit_shift(log_odds, rows.is_churned)
        return _check(
            day,
            cutoff,
            n,
            k,
            **found,
            verdict=RETRAIN,
            shift=shift,
            reason=(
                f"AUC on active customers is {auc:.3f}, promised {promised:.3f}: lower by more than "
                f"{params.monitor_max_auc_loss} and beyond doubt, so the next night trains anew; until then shifted by "
                f"{shift:+.3f}. {shares}"
            ),
        )
    if not low <= predicted <= high and abs(observed - predicted) > params.monitor_max_gap * predicted:
        shift = estimator.fit_shift(log_odds, rows.is_churned)
        return _check(
            day,
            cutoff,
            n,
            k,
            **found,
            verdict=RECALIBRATED,
            shift=shift,
            reason=(
                f"{shares}: off by more than chance and by more than {100 * params.monitor_max_gap:.0f} % of it, so "
                f"log-odds are shifted by {shift:+.3f}"
            ),
        )
    return _check(day, cutoff, n, k, **found, verdict=KEPT, reason=f"{shares}: within the bounds, as trained")


def _check(day: date, cutoff: date, n: int, k: int, *, verdict: str, reason: str, shift: float = 0.0, **found) -> Check:
    names = (
        "predicted_share",
        "observed_share",
        "observed_low",
        "observed_high",
        "auc",
        "auc_low",
        "auc_high",
        "auc_promised",
    )
    values = {name: found.get(name) for name in names}
    values = {name: None if v is None or not np.isfinite(v) else round(float(v), 9) for name, v in values.items()}
    return Check(
        day.isoformat(), cutoff.isoformat(), n, k, **values, verdict=verdict, shift=round(shift, 9), reason=reason
    )


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
