"""How good the model that scores would have been, compared with the rule, at the test cutoffs.

In: out-of-time predictions and model selection's choice. Out: metrics with intervals and margins compared. The
candidate models among each other are `model_selection`'s business.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from assets.model.candidate_models import RULE
from assets.model.churn_features import FEATURES
from assets.model.margin_fit import can_fit_margin, fit_margin
from assets.model.simple_rules import usual_margin
from assets.model.threads import one_thread
from assets.shared.params import Params
from assets.train import metrics
from assets.train.margin_level import CutoffResult, MarginSeason, at_their_level, learn_level, learn_margin_season
from assets.train.model_selection import Choice, choose_model, unless_a_simple_one_is_better
from assets.train.out_of_time import POPULATIONS, Judged, OutOfTimePredictions, fittable, predict_out_of_time
from assets.train.training_data import TrainingData

#: Who is compared here: the fitted model (who scores, or else the best) and the rule.
COMPARED = ("model", "rule")


@dataclass(frozen=True)
class Backtest:
    """predictions: of all candidate models. choice: what the validation cutoffs say. tests: the test cutoffs, oldest
    first. metric_rows: one dict a compared model, population, test cutoff (None = mean) and metric. differences: metric
    → mean of model − rule on active customers with its 95 % interval. margin: `estimated_by`, a
    comparison, and by how much the margins of each lie off the newest level. margin_season: how they move with the time
    of the year, by compared model."""

    predictions: OutOfTimePredictions
    choice: Choice
    tests: tuple[CutoffResult, ...]
    metric_rows: tuple[dict[str, Any], ...]
    differences: Mapping[str, Mapping[str, float]]
    margin: Mapping[str, Any]
    margin_season: Mapping[str, MarginSeason]

    @property
    def compared(self) -> list[str]:
        """Who could be judged."""
        return [name for name in COMPARED if self.tests and name in self.tests[0].probability]

    def pooled(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Outcomes and probabilities of active customers over all test cutoffs."""
        return (
            np.concatenate([t.rows.is_churned[t.rows.is_active] for t in self.tests]),
            np.concatenate([t.probability[name][t.rows.is_active] for t in self.tests]),
        )


def run_backtest(data: TrainingData, fit_models: bool) -> Backtest:
    """Predict every out-of-time cutoff, choose by the validation cutoffs (and the newest test cutoff where a simple
    candidate model is better there beyond doubt), measure at the test cutoffs."""
    predictions = predict_out_of_time(data, fit_models)
    among = [candidate.name for candidate in fittable(data.training, data.params)]
    choice = choose_model(predictions.judged, among)
    choice = unless_a_simple_one_is_better(choice, predictions.tests, among)
    estimates = [_estimates(judged, choice.fitted, data) for judged in predictions.tests]
    unleveled = tuple(
        _result(judged, choice.fitted, by_name) for judged, by_name in zip(predictions.tests, estimates, strict=True)
    )
    # The newest estimate: what it says of its own past is as good as what it says of the year before.
    seasons = {name: learn_margin_season(expected, data) for name, expected in (estimates or [{}])[-1].items()}
    tests = at_their_level(unleveled, data.plan.horizon_days)
    seed = data.params.train_seed
    measured = {name: [_measure_test(t, i, name, seed) for i, t in enumerate(tests)] for name in POPULATIONS}
    rows = [row for name, found in measured.items() for row in _metric_rows(name, found)]
    past = {name: season.past for name, season in seasons.items()}
    levels = {name: learn_level(unleveled, name, past.get(name)) for name in COMPARED}
    margin = {**_compare_margins(tests), "levels": levels}
    return Backtest(predictions, choice, tests, tuple(rows), _differences(measured["active"]), margin, seasons)


#: (n, features) → (n,) expected margin given a purchase.
Estimate = Callable[[np.ndarray], np.ndarray]


def _estimates(judged: Judged, fitted: str, data: TrainingData) -> dict[str, Estimate]:
    """Who estimates margins as of a test cutoff, by compared model: the rule and, if it can be fitted to what was known
    then, the margin model."""
    found: dict[str, Estimate] = {"rule": lambda matrix: _usual_margin(matrix, data.params)}
    known = data.some_at(*data.plan.known_before(judged.cutoff))
    if fitted in judged.probability and can_fit_margin(known):
        model = fit_margin(known, data.params.train_seed)

        def by_model(matrix: np.ndarray) -> np.ndarray:
            with one_thread():
                return np.maximum(model.predict(matrix), 0.0)

        found["model"] = by_model
    return found


def _result(judged: Judged, fitted: str, estimates: Mapping[str, Estimate]) -> CutoffResult:
    probability = {"rule": judged.probability[RULE]}
    if fitted in judged.probability:
        probability["model"] = judged.probability[fitted]
    margins = {name: expected(judged.rows.matrix) for name, expected in estimates.items()}
    return CutoffResult(judged.cutoff, judged.rows, probability, margins)


def _usual_margin(matrix: np.ndarray, params: Params) -> np.ndarray:
    order, orders, tenure = (
        matrix[:, FEATURES.index(name)] for name in ("average_order_value", "n_orders", "tenure_days")
    )
    return usual_margin(order, orders, tenure, params.churn_horizon_days, params.value_margin_share)


@dataclass(frozen=True)
class _Measured:
    """Metrics of one test cutoff and population. values, spreads: (6,) by compared model. paired: (6,) spread of
    model − rule, None where the rule is alone."""

    cutoff: date
    values: Mapping[str, np.ndarray]
    spreads: Mapping[str, np.ndarray]
    paired: np.ndarray | None
    counts: tuple[int, int]


def _measure_test(test: CutoffResult, number: int, population: str, seed: int) -> _Measured:
    """number: of the test cutoff among all, so that each has resamples of its own."""
    inside = test.population(population)
    y = test.rows.is_churned[inside]
    resamples = metrics.draw_resamples(len(y), [seed, number, POPULATIONS.index(population)])
    drawn = {name: metrics.measure_resamples(y, p[inside], resamples) for name, p in test.probability.items()}
    return _Measured(
        test.cutoff,
        {name: metrics.measure_scores(y, p[inside]) for name, p in test.probability.items()},
        {name: _spread(values) for name, values in drawn.items()},
        _spread(drawn["model"] - drawn["rule"]) if len(drawn) == len(COMPARED) else None,
        (len(y), int(y.sum())),
    )


def _metric_rows(population: str, measured: Sequence[_Measured]) -> list[dict[str, Any]]:
    """Each compared model at each test cutoff, and their means."""
    rows: list[dict[str, Any]] = []
    for found in measured:
        for name, values in found.values.items():
            about = {"candidate_model": name, "population": population, "cutoff_date": found.cutoff}
            rows += metrics.metric_rows(about, values, metrics.Z95 * found.spreads[name], found.counts)
    total = (sum(found.counts[0] for found in measured), sum(found.counts[1] for found in measured))
    for name in COMPARED:
        values = np.array([found.values[name] for found in measured if name in found.values])
        if not len(values):
            continue
        spreads = np.array([found.spreads[name] for found in measured if name in found.spreads])
        about = {"candidate_model": name, "population": population, "cutoff_date": None}
        rows += metrics.metric_rows(about, values.mean(axis=0), _mean_margins(values, spreads), total)
    return rows


def _differences(measured: Sequence[_Measured]) -> dict[str, dict[str, float]]:
    """Paired differences model − rule: mean over cutoffs with 95 % interval."""
    spreads = np.array([found.paired for found in measured if found.paired is not None])
    if not len(spreads):
        return {}
    gaps = np.array([found.values["model"] - found.values["rule"] for found in measured if found.paired is not None])
    means, margins = gaps.mean(axis=0), _mean_margins(gaps, spreads)
    return {
        metric: {"value": float(mean), "low": float(mean - margin), "high": float(mean + margin)}
        for metric, mean, margin in zip(metrics.METRICS, means, margins, strict=True)
    }


def _mean_margins(values: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    return np.array([metrics.mean_margin(values[:, j], spreads[:, j]) for j in range(values.shape[1])])


def _spread(resampled: np.ndarray) -> np.ndarray:
    """Standard deviation over resamples; those with one class only say nothing of a ranking and are left out."""
    if len(resampled) == 0 or np.isfinite(resampled).all(axis=1).sum() < 2:
        return np.full(len(metrics.METRICS), np.nan)
    return np.nanstd(resampled[np.isfinite(resampled).all(axis=1)], axis=0, ddof=1)


def _compare_margins(tests: Sequence[CutoffResult]) -> dict[str, Any]:
    """Margin estimates compared on the test cutoffs. `estimated_by` says who is used: the model where two test cutoffs
    or more could judge it, unless the rule's deviance is lower by more than the uncertainty over them."""
    complete = [test for test in tests if len(test.margins) == len(COMPARED)]
    comparison = {
        name: _margin_metrics(known, name) for name, known in (("model", complete), ("rule", list(tests))) if known
    }
    estimated_by = "rule"
    if len(complete) >= 2 and len(complete) == len(tests):
        gains, errors = np.array([_margin_gain(test) for test in complete]).T
        if gains.mean() + metrics.mean_margin(gains, errors) >= 0:
            estimated_by = "model"
    return {"estimated_by": estimated_by, "comparison": comparison}


def _margin_metrics(tests: Sequence[CutoffResult], name: str) -> dict[str, float | None]:
    """Means over test cutoffs: deviance among those who bought, actual over expected total among them, and the share of
    all margin that the tenth with the highest expectation earned; None where not defined."""
    found = []
    for test in tests:
        actual, bought = np.maximum(test.rows.margin, 0.0), ~test.rows.is_churned
        expected = test.margins[name]
        total = expected[bought].sum()
        found.append(
            (
                metrics.mean_and_error(metrics.poisson_deviances(actual[bought], expected[bought]))[0],
                actual[bought].sum() / total if total > 0 else np.nan,
                metrics.captured_share(actual, expected),
            )
        )
    names = ("deviance", "actual_over_expected", "captured_by_top_tenth")
    means = np.array(found).mean(axis=0)
    return {name: (float(v) if np.isfinite(v) else None) for name, v in zip(names, means, strict=True)}


def _margin_gain(test: CutoffResult) -> tuple[float, float]:
    """Deviance of the rule's margins minus the model's, mean over those who bought, with its standard error."""
    bought = ~test.rows.is_churned
    actual = np.maximum(test.rows.margin, 0.0)[bought]
    rule, model = (metrics.poisson_deviances(actual, test.margins[m][bought]) for m in ("rule", "model"))
    return metrics.mean_and_error(rule - model)
