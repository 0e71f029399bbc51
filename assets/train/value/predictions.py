"""What each candidate model expected of customers at cutoffs that it had not seen, and what came.

In: judged cutoffs of the churn model, rows of a longer window. Out: `Prediction`s. Metrics and choice belong elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from assets.model.gamma_gamma import GammaGamma
from assets.model.interval_fit import BIN_ROWS
from assets.model.value_fit import fit_order_values, fit_two_part
from assets.model.value_model import CANDIDATE_MODELS, covered_share, over_horizon, simple_value, two_part
from assets.shared.params import Params
from assets.train.judged import JudgedCutoff
from assets.train.margin_level import FADING, MOST, PRIOR_BUYERS
from assets.train.value.cutoffs import ValueCutoffs
from assets.train.value.rows import ValueRows


@dataclass(frozen=True)
class Prediction:
    """Expected margins at one test cutoff, by candidate model, and what came."""

    cutoff: date
    expected: dict[str, np.ndarray]
    actual: np.ndarray

    def times(self, levels: Mapping[str, float]) -> "Prediction":
        """The same with each candidate model's margins at a level of its own."""
        return replace(self, expected={name: amount * levels[name] for name, amount in self.expected.items()})


def candidate_models_of(tests: Sequence[Prediction]) -> list[str]:
    """Candidate models that spoke at every test cutoff, simplest first."""
    return [name for name in CANDIDATE_MODELS if tests and all(name in test.expected for test in tests)]


def predict_horizon(judged: Sequence[JudgedCutoff], params: Params, is_contractual: bool) -> list[Prediction]:
    """What was expected of the churn horizon at the churn model's test cutoffs, oldest first. A test cutoff knows what
    churners of cutoffs closed before it paid, never its own; gamma-gamma sees the order values of that day."""
    horizon, found = params.churn_horizon_days, []
    for test in judged:
        closed = [t for t in judged if t.cutoff + timedelta(horizon) <= test.cutoff]
        pay = learn_churners_pay(closed, horizon) if is_contractual else None
        expected = _simple_candidates(test.matrix, horizon, params)
        expected["two_part"] = over_horizon(test.matrix, test.churn_probability, test.margin_if_retained, pay, horizon)
        found.append(Prediction(test.cutoff, expected, test.margin))
    return found


def predict_window(rows: ValueRows, cutoffs: ValueCutoffs, params: Params) -> list[Prediction]:
    """What was expected of a longer window at its test cutoffs, oldest first; those with too few customers to learn
    from are left out."""
    found = []
    for cutoff, known in sorted(cutoffs.tests.items()):
        here, before = rows.at([cutoff]), rows.at(known)
        if len(here) == 0 or len(before) < params.train_min_customers:
            continue
        expected = _simple_candidates(here.matrix, cutoffs.days, params)
        any_purchase, how_much = fit_two_part(before.matrix, before.bought, before.margin, params.train_seed)
        if how_much is not None:
            expected["two_part"] = two_part(any_purchase, how_much, here.matrix)
        found.append(Prediction(cutoff, expected, here.margin))
    return found


def learn_window_level(tests: Sequence[Prediction], candidate_model: str) -> float:
    """Factor for the margins of a window after these test cutoffs, oldest first: the mean log ratio of what came to
    what was expected, the newest counting most, drawn to zero as `margin_level` does.

    Whoever is fitted to windows that have closed lags a window behind a business that grows or shrinks, and did so at
    the test cutoffs too."""
    weights, logs = [], []
    for age, test in enumerate(reversed(tests)):
        actual, said = float(np.maximum(test.actual, 0.0).sum()), float(test.expected[candidate_model].sum())
        if actual > 0 and said > 0:
            weights.append(FADING**age * float((test.actual > 0).sum()))
            logs.append(np.log(actual / said))
    found = float(np.dot(weights, logs)) / (sum(weights) + PRIOR_BUYERS)
    return float(np.clip(np.exp(found), 1 / MOST, MOST))


def at_their_window_level(tests: Sequence[Prediction], days: int, year_days: int) -> list[Prediction]:
    """The same test cutoffs, oldest first, as they would have been expected on that day: at the level of those that had
    closed by then. A window shorter than a year has no level: it would be the season of the test cutoffs."""
    if days != year_days:
        return list(tests)
    found = []
    for test in tests:
        closed = [t for t in tests if t.cutoff + timedelta(days) <= test.cutoff]
        found.append(test.times({name: learn_window_level(closed, name) for name in test.expected}))
    return found


def learn_churners_pay(judged: Sequence[JudgedCutoff], horizon_days: int) -> float:
    """What those who left paid until their contract ended, as a multiple of what their share of the horizon would have
    earned at the margin of somebody who stays: 1 for even payments (and while fewer than BIN_ROWS churners are known),
    0 where everything was paid before."""
    if sum(int(test.is_churned.sum()) for test in judged) < BIN_ROWS:
        return 1.0
    paid = sum(float(np.maximum(test.margin[test.is_churned], 0.0).sum()) for test in judged)
    even = sum(
        float((covered_share(test.matrix, horizon_days) * test.margin_if_retained)[test.is_churned].sum())
        for test in judged
    )
    return paid / even if even > 0 else 1.0


def _simple_candidates(matrix: np.ndarray, days: int, params: Params) -> dict[str, np.ndarray]:
    def expected(order_values: GammaGamma | None) -> np.ndarray:
        return simple_value(matrix, days, params.value_margin_share, params.churn_horizon_days, order_values)

    found = {"average_spend": expected(None)}
    order_values = fit_order_values(matrix)
    return found if order_values is None else {**found, "gamma_gamma": expected(order_values)}
