"""The model's card: all that is known of it, as data (`card.json`).

In: what one training found. Out: a dict of JSON types. `card_text` makes the page for people from it.
"""

import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from assets.model import drift, model_store
from assets.model.calibration import Calibration
from assets.model.churn_features import FEATURES
from assets.model.churn_model import DERIVED, PROCESS_FEATURES, ChurnModel
from assets.model.retention_model import RetentionModel
from assets.model.rule_fit import learn_rule_from
from assets.model.snapshots import Snapshots
from assets.train import metrics, slices
from assets.train.backtest import Backtest
from assets.train.decision import Decision
from assets.train.leak_check import StrongestFeature
from assets.train.margin_level import MarginSeason
from assets.train.model_selection import results_table
from assets.train.training_data import Origin, TrainingData

LIBRARIES = ("scikit-learn", "skops", "numpy", "scipy", "duckdb")
#: Rows of the newest cutoff that the reference of drift is made of: more move a share of a tenth in its third digit
#: only.
REFERENCE_ROWS = 100_000


@dataclass(frozen=True)
class KeptModel:
    """What is kept: the fitted model and margin (None where the data were too few), how it was calibrated, the day →
    what the season adds to the log-odds, the model that it was taken over from, if any, and the calibrated candidate
    models that may take over from it."""

    churn: ChurnModel | None = None
    margin: Any = None
    calibration: Calibration = Calibration()
    season: dict[date, float] | None = None
    kept_from: str | None = None
    simple: Mapping[str, ChurnModel] = field(default_factory=dict)


@dataclass(frozen=True)
class Findings:
    """All that a card is made of."""

    data: TrainingData
    origin: Origin
    backtest: Backtest
    leak: StrongestFeature
    decision: Decision
    kept: KeptModel

    @property
    def model_id(self) -> str:
        mark = model_store.fingerprint(self.data.params, self.origin.sources)
        return model_store.model_id(self.data.plan.anchor, mark)


def build_card(found: Findings) -> dict[str, Any]:
    """The card as JSON types: dates as ISO text, undefined numbers as null."""
    data = found.data
    card = json_types(
        {
            "model_id": found.model_id,
            **_origin(found),
            "decision": {
                "scored_by": found.decision.scored_by,
                "candidate_model": found.decision.candidate_model,
                "reason": found.decision.reason,
                "kept_from": found.kept.kept_from,
            },
            **_learned(found),
            **_features(found),
            "rule": learn_rule_from(data.training, data.plan.horizon_days, data.is_contractual).to_dict(),
            "margin": _margin(found),
            **_judged(found),
            "parameters": model_store.training_params(data.params),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        }
    )
    model = RetentionModel(card, found.kept.churn, found.kept.margin)
    return {**card, "reference": json_types(reference_of(model, data.newest))}


def _origin(found: Findings) -> dict[str, Any]:
    training, plan = found.data.training, found.data.plan
    return {
        "trained_as_of": plan.anchor,
        "trained_at": found.origin.trained_at.isoformat(timespec="seconds"),
        "sources": sorted(set(found.origin.sources)),
        "horizon_days": plan.horizon_days,
        "data": {
            "first_day": found.origin.first_day,
            "last_day": found.origin.last_day,
            "n_training_rows": len(training),
            "n_churned": int(training.is_churned.sum()),
        },
        "cutoffs": {
            "training": sorted(plan.training),
            "test": [test.cutoff for test in found.backtest.tests],
            "validation": [j.cutoff for j in found.backtest.predictions.judged if j.role == "validation"],
            "overlap": plan.overlaps,
            "calibration": sorted(plan.calibration),
        },
    }


def _learned(found: Findings) -> dict[str, Any]:
    churn, calibration, season = found.kept.churn, found.kept.calibration, found.kept.season or {}
    return {
        "fitted_candidate_model": None if churn is None else churn.candidate_model,
        "calibration": {
            "intercept": calibration.intercept,
            "slope": calibration.slope,
            "n_rows": calibration.n_rows,
            "n_cutoffs": calibration.n_cutoffs,
        },
        "season": {
            "share": calibration.season if season else 0.0,
            "shifts": {day.isoformat(): round(shift, 9) for day, shift in season.items()},
        },
    }


def _features(found: Findings) -> dict[str, Any]:
    kept, newest = features_used(found.kept.churn), found.data.newest
    usual_of = newest.where(newest.is_active) if newest.is_active.any() else found.data.training
    return {
        "features": list(FEATURES),
        # Fixed with the model: columns of another type are refused, not converted in silence.
        "feature_types": dict.fromkeys(FEATURES, "DOUBLE"),
        "kept_features": kept,
        "dropped_features": [name for name in FEATURES if name not in set(kept)],
        "typical": typical_values(usual_of) | (found.data.histories.usual if len(usual_of) == 0 else {}),
        "leak_check": {"feature": found.leak.feature, "auc": found.leak.auc},
    }


def _margin(found: Findings) -> dict[str, Any]:
    """One night is scored by one candidate model: where the model is not trusted with the risk, it is not with the
    money."""
    margin = found.backtest.margin
    by_rule = found.kept.margin is None or found.decision.scored_by == "rule"
    estimated_by = "rule" if by_rule else margin["estimated_by"]
    shifts = found.backtest.margin_season.get(estimated_by, MarginSeason()).shifts
    return {
        "estimated_by": estimated_by,
        "level": margin["levels"][estimated_by],
        "season": {"shifts": {day.isoformat(): round(shift, 9) for day, shift in shifts.items()}},
        "comparison": margin["comparison"],
    }


def _judged(found: Findings) -> dict[str, Any]:
    backtest, params = found.backtest, found.data.params
    return {
        "differences": backtest.differences,
        "metrics": list(backtest.metric_rows),
        "model_selection": results_table(backtest.predictions.judged, found.decision.candidate_model),
        "reliability": {name: metrics.reliability(*backtest.pooled(name)) for name in backtest.compared},
        "reliability_by_slice": {
            name: slices.reliability_by_slice(
                [(test.cutoff, test.rows, test.probability[name]) for test in backtest.tests], params
            )
            for name in backtest.compared
        },
    }


def reference_of(model: RetentionModel, newest: Snapshots) -> dict[str, Any]:
    """How the newest training cutoff is spread, for drift (`assets.model.drift`): each feature that the model reads
    (the rule's own where nothing was fitted), and `churn_probability` as whoever scores gives it. Empty without
    rows."""
    if len(newest) == 0:
        return {}
    rows = newest.where(slice(0, REFERENCE_ROWS))  # in content order, which is that of a hash
    names = model.card["kept_features"] or [model.rule.feature]
    found = {name: drift.reference(rows.column(name)) for name in names}
    return {**found, "churn_probability": drift.reference(model.churn_probability(rows.matrix))}


def features_used(churn: ChurnModel | None) -> list[str]:
    """Features that a fitted model reads, in the order of `FEATURES`."""
    if churn is None:
        return []
    used: set[str] = set()
    for part in churn.parts:
        if part.kind == "purchase_process":
            used |= set(PROCESS_FEATURES)
        else:
            used |= {churn.inputs[j] for j in part.columns}
    if used & set(DERIVED):
        used |= set(PROCESS_FEATURES)
    return [name for name in FEATURES if name in used]


def typical_values(rows: Snapshots) -> dict[str, float | None]:
    """What is usual for customers: the median of each feature where defined, None where it never is."""
    known = np.isfinite(rows.matrix)
    return {
        name: (float(np.median(rows.matrix[known[:, j], j])) if known[:, j].any() else None)
        for j, name in enumerate(FEATURES)
    }


def json_types(value: Any) -> Any:
    """JSON types: dates as ISO text, undefined numbers as None."""
    if isinstance(value, dict):
        return {str(k): json_types(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_types(v) for v in value]
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
