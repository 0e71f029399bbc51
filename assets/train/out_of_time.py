"""What every candidate model would have said on days that none of them had seen.

In: `TrainingData`. Out: predictions at each out-of-time cutoff, and what calibrations are learned from. All are learned
from the same rows and judged on the same customers. Nothing is chosen here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from assets.model.calibration import OutOfTime, PredictionPool, off_at
from assets.model.candidate_models import RULE, fit_candidate_models
from assets.model.part_fits import usable_columns
from assets.model.retention_model import PROBABILITY_DECIMALS, probability_of
from assets.model.rule_fit import learn_rule_from
from assets.model.season import YEAR
from assets.model.snapshots import Snapshots
from assets.model.threads import one_thread
from assets.shared.params import Params
from assets.train.training_data import TrainingData

#: The model that was active on the day of a cutoff, as the store has it.
INCUMBENT = "incumbent"
POPULATIONS = ("active", "all")


@dataclass(frozen=True)
class Judged:
    """One cutoff: probabilities by candidate model, all of customers whose outcome none of them had seen."""

    cutoff: date
    role: str  # validation | test
    rows: Snapshots
    probability: Mapping[str, np.ndarray]

    def population(self, name: str) -> np.ndarray:
        return self.rows.is_active if name == "active" else np.ones(len(self.rows), dtype=bool)


@dataclass(frozen=True)
class OutOfTimePredictions:
    """judged: validation and test cutoffs, oldest first. pools: by fitted candidate model, of all out-of-time
    cutoffs."""

    judged: tuple[Judged, ...]
    pools: Mapping[str, PredictionPool]

    @property
    def tests(self) -> tuple[Judged, ...]:
        return tuple(judged for judged in self.judged if judged.role == "test")


def predict_out_of_time(data: TrainingData, fit_models: bool) -> OutOfTimePredictions:
    """Predict every out-of-time cutoff from the cutoffs closed before it, by the rule and, if `fit_models`, by all
    candidate models; the incumbent takes part as it was.

    A candidate model's calibration at a cutoff is learned from its own earlier out-of-time predictions only, as far as
    their outcomes were closed by then, so that no number here has seen its own outcome.
    """
    judged: list[Judged] = []
    pools: dict[str, PredictionPool] = {}
    for cutoff in data.plan.out_of_time:
        known, here = data.some_at(*data.plan.known_before(cutoff)), data.some_at(cutoff)
        if len(here) == 0 or len(known) == 0:
            continue
        rule = learn_rule_from(known, data.params.churn_horizon_days, data.is_contractual)
        probability = {RULE: rule.probability(here.column(rule.feature))}
        can_fit = fit_models and too_few_to_fit(known, data.params) is None
        if can_fit:
            probability |= _predict_by_candidates(data, cutoff, known, here, pools)
        if cutoff in data.incumbents:
            probability[INCUMBENT] = data.incumbents[cutoff].churn_probability(here.matrix)
        role = data.plan.role(cutoff)
        if role != "calibration" and (can_fit or not fit_models):
            rounded = {name: p.round(PROBABILITY_DECIMALS) for name, p in probability.items()}
            judged.append(Judged(cutoff, role, here, rounded))
    return OutOfTimePredictions(tuple(judged), pools)


def too_few_to_fit(rows: Snapshots, params: Params) -> str | None:
    """None when a model may be learned from these rows, else why not, in words."""
    churned, stayed = int(rows.is_churned.sum()), int((~rows.is_churned).sum())
    if min(churned, stayed) < params.train_min_events:
        return (
            f"{churned:,} customers who left and {stayed:,} who stayed are known; "
            f"{params.train_min_events:,} of each are needed (train_min_events)"
        )
    if len(usable_columns(rows.matrix)) == 0:
        return "no feature differs between customers"
    return None


def _predict_by_candidates(
    data: TrainingData, cutoff: date, known: Snapshots, here: Snapshots, pools: dict[str, PredictionPool]
) -> dict[str, np.ndarray]:
    """Calibrated probabilities by candidate model; what each said uncalibrated joins its pool."""
    horizon, year_before = data.params.churn_horizon_days, data.some_at(cutoff - YEAR)
    probability = {}
    for name, candidate in fit_candidate_models(known, horizon, data.params.train_seed).items():
        with one_thread():
            log_odds = candidate.uncalibrated(here.matrix)
        off = off_at(candidate, year_before, horizon, known_by=cutoff)
        pool = pools.setdefault(name, PredictionPool())
        calibration = pool.calibration(cutoff, horizon, with_season=bool(np.isfinite(off)))
        probability[name] = probability_of(calibration.of(log_odds, off))
        pool.add(OutOfTime(cutoff, log_odds, here.is_churned, off))
    return probability
