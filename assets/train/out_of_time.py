"""What every candidate model would have said on days that none of them had seen.

In: `TrainingData`. Out: predictions at each out-of-time cutoff, and what calibrations are learned from. All are learned
from the same rows and judged on the same customers. Nothing is chosen here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from assets.model import stacking
from assets.model.calibration import OutOfTime, PredictionPool, off_at
from assets.model.candidate_models import (
    AVERAGE,
    CANDIDATE_MODELS,
    FEW_OUTCOMES,
    RULE,
    CandidateModel,
    fit_candidate_models,
)
from assets.model.churn_model import ChurnModel, sum_weighted
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


@dataclass
class AveragePool:
    """Out-of-time predictions of the parts of the average so far."""

    predictions: list[stacking.PartPredictions] = field(default_factory=list)

    def weigh(self, average: ChurnModel, known: Snapshots, closed_by: date) -> tuple[ChurnModel, PredictionPool]:
        """The average with the weights that outcomes closed by a day teach, and what it would have said with them at
        the cutoffs before. known: the rows that its parts were fitted to."""
        horizon = average.horizon_days
        closed = [p for p in self.predictions if p.cutoff + timedelta(horizon) <= closed_by]
        closed = [p for p in closed if set(average.weights) <= set(p.log_odds)]
        weights = stacking.learn_weights(closed, _prior_weights(average, known), horizon)
        said = [
            OutOfTime(
                p.cutoff, sum_weighted(p.log_odds, weights)[p.is_active], p.is_churned[p.is_active], p.off_year_before
            )
            for p in closed
        ]
        return average.with_weights(weights), PredictionPool(said)


def _prior_weights(average: ChurnModel, known: Snapshots) -> dict[str, float]:
    """Of the parts that could be fitted to these rows, summing to one."""
    newest = known.is_churned[known.cutoff == known.cutoff.max()]
    n_events = min(int(newest.sum()), int((~newest).sum()))
    days = (known.cutoff.max() - known.cutoff.min()).astype(int)
    prior = stacking.prior_weights(n_events, days / average.horizon_days)
    total = sum(prior[name] for name in average.weights)
    return {name: prior[name] / total for name in average.weights}


@dataclass(frozen=True)
class OutOfTimePredictions:
    """judged: validation and test cutoffs, oldest first. pools: by fitted candidate model, of all out-of-time
    cutoffs; of the average there are its parts' predictions."""

    judged: tuple[Judged, ...]
    pools: Mapping[str, PredictionPool]
    average: AveragePool = field(default_factory=AveragePool)

    @property
    def tests(self) -> tuple[Judged, ...]:
        return tuple(judged for judged in self.judged if judged.role == "test")


def predict_out_of_time(data: TrainingData, fit_models: bool) -> OutOfTimePredictions:
    """Predict every out-of-time cutoff from the cutoffs closed before it, by the rule and, if `fit_models`, by all
    candidate models that the outcomes known then allow; the incumbent takes part as it was.

    A candidate model's calibration and the weights of the average at a cutoff are learned from earlier out-of-time
    predictions only, as far as their outcomes were closed by then, so that no number here has seen its own outcome.
    """
    judged: list[Judged] = []
    pools: dict[str, PredictionPool] = {}
    average = AveragePool()
    for cutoff in data.plan.out_of_time:
        known, here = data.some_at(*data.plan.known_before(cutoff)), data.some_at(cutoff)
        if len(here) == 0 or len(known) == 0:
            continue
        rule = learn_rule_from(known, data.params.churn_horizon_days, data.is_contractual)
        probability = {RULE: rule.probability(here.column(rule.feature))}
        can_fit = fit_models and nothing_to_learn(known) is None
        if can_fit:
            probability |= _predict_by_candidates(data, cutoff, known, here, pools, average)
        if cutoff in data.incumbents:
            probability[INCUMBENT] = data.incumbents[cutoff].churn_probability(here.matrix)
        role = data.plan.role(cutoff)
        if role != "calibration" and (can_fit or not fit_models):
            rounded = {name: p.round(PROBABILITY_DECIMALS) for name, p in probability.items()}
            judged.append(Judged(cutoff, role, here, rounded))
    return OutOfTimePredictions(tuple(judged), pools, average)


def nothing_to_learn(rows: Snapshots) -> str | None:
    """None when anything may be learned from the outcomes of these rows, else why not, in words."""
    if len(rows) == 0:
        return "no past outcome is known yet"
    if rows.is_churned.all() or not rows.is_churned.any():
        return f"all {len(rows):,} past outcomes are the same"
    if len(usable_columns(rows.matrix)) == 0:
        return "no feature differs between customers"
    return None


def fittable(rows: Snapshots, params: Params) -> tuple[CandidateModel, ...]:
    """The candidate models that these outcomes allow: models of many features need `train_min_events` of each."""
    n_events = min(int(rows.is_churned.sum()), int((~rows.is_churned).sum()))
    return CANDIDATE_MODELS if n_events >= params.train_min_events else FEW_OUTCOMES


def _predict_by_candidates(
    data: TrainingData,
    cutoff: date,
    known: Snapshots,
    here: Snapshots,
    pools: dict[str, PredictionPool],
    average: AveragePool,
) -> dict[str, np.ndarray]:
    """Calibrated probabilities by candidate model; what each said uncalibrated joins its pool."""
    horizon, year_before = data.params.churn_horizon_days, data.some_at(cutoff - YEAR)
    probability = {}
    candidates = fit_candidate_models(known, horizon, data.params.train_seed, fittable(known, data.params))
    for name, candidate in candidates.items():
        if name == AVERAGE:
            weighted, pool = average.weigh(candidate, known, closed_by=cutoff)
        else:
            weighted, pool = candidate, pools.setdefault(name, PredictionPool())
        with one_thread():
            parts = candidate.part_log_odds(here.matrix)
        log_odds, off = weighted.weighted(parts), off_at(weighted, year_before, horizon, known_by=cutoff)
        calibration = pool.calibration(cutoff, horizon, with_season=bool(np.isfinite(off)))
        probability[name] = probability_of(calibration.of(log_odds, off))
        if name == AVERAGE:
            said = stacking.PartPredictions(cutoff, parts, here.is_churned, here.is_active, off)
            average.predictions.append(said)
        else:
            pool.add(OutOfTime(cutoff, log_odds[here.is_active], here.is_churned[here.is_active], off))
    return probability
