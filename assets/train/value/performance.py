"""How good expected margins were, and who of the candidate models speaks for a window.

In: `Prediction`s. Out: numbers, rows of `train.value_performance`, the chosen candidate model. Fits intervals only, to
see what share of later outcomes they hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from assets.model.interval_fit import learn_interval
from assets.model.value_model import CANDIDATE_MODELS
from assets.train import metrics
from assets.train.value.predictions import Prediction, candidate_models_of


@dataclass(frozen=True)
class Measured:
    """Metrics of one candidate model by test cutoff, and the customers at each. target: horizon, window, next_order or
    profit; window_days: what it is measured over."""

    target: str
    window_days: int
    candidate_model: str
    is_scoring: bool
    by_cutoff: Mapping[date, Mapping[str, float]]
    n_rows: Mapping[date, int]

    def rows(self) -> list[dict[str, Any]]:
        """Rows of value_performance as JSON types: each metric at each test cutoff, and the mean over those where it is
        defined (cutoff_date None)."""
        rows = []
        for metric in dict.fromkeys(name for found in self.by_cutoff.values() for name in found):
            values = {cutoff: found[metric] for cutoff, found in self.by_cutoff.items() if metric in found}
            known = [v for v in values.values() if np.isfinite(v)]
            rows += [self._row(cutoff, metric, value, self.n_rows[cutoff]) for cutoff, value in values.items()]
            mean = float(np.mean(known)) if known else float("nan")
            rows.append(self._row(None, metric, mean, sum(self.n_rows[cutoff] for cutoff in values)))
        return rows

    def _row(self, cutoff: date | None, metric: str, value: float, n_rows: int) -> dict[str, Any]:
        return {
            "target": self.target,
            "window_days": self.window_days,
            "candidate_model": self.candidate_model,
            "is_scoring": self.is_scoring,
            "cutoff_date": cutoff.isoformat() if cutoff else None,
            "metric": metric,
            "value": float(value) if np.isfinite(value) else None,
            "n_rows": n_rows,
        }


def measure_predictions(target: str, days: int, tests: Sequence[Prediction], chosen: str) -> list[dict[str, Any]]:
    """Rows of value_performance: every candidate model and metric at each test cutoff and their mean; of the chosen one
    also the coverage of its intervals."""
    counts = {test.cutoff: len(test.actual) for test in tests}
    rows = []
    for name in candidate_models_of(tests):
        measured = {test.cutoff: money_metrics(test.expected[name], test.actual) for test in tests}
        if name == chosen:
            for cutoff, share in _coverage(tests, name).items():
                measured[cutoff]["coverage"] = share
        rows += Measured(target, days, name, name == chosen, measured, counts).rows()
    return rows


def choose_candidate_model(tests: Sequence[Prediction]) -> str:
    """Who speaks for the year: each candidate model, simplest first, gives way to the next only if that one's Poisson
    deviance on the test cutoffs is lower by more than its standard error twice over."""
    chosen = CANDIDATE_MODELS[0]
    for candidate_model in CANDIDATE_MODELS[1:]:
        if any(candidate_model not in test.expected for test in tests):
            continue
        gains = np.concatenate(
            [
                metrics.poisson_deviances(np.maximum(test.actual, 0), test.expected[chosen])
                - metrics.poisson_deviances(np.maximum(test.actual, 0), test.expected[candidate_model])
                for test in tests
            ]
        )
        mean, error = metrics.mean_and_error(gains)
        if np.isfinite(error) and mean > metrics.Z95 * error:
            chosen = candidate_model
    return chosen


def money_metrics(expected: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    """Ranking and money errors of expected margins, (n,) each.

    spearman: rank correlation. gini: that of the expectation over that of the outcome itself (1: ranks as the outcome
    would). captured_by_top_tenth, oracle_by_top_tenth: share of all margin that the tenth with the highest expectation,
    or outcome, earned. actual_over_expected: total over total. mae: mean absolute error, money. deviance: Poisson.
    """
    gained = np.maximum(actual, 0.0)
    total = expected.sum()
    own = _gini(gained, gained)
    return {
        "spearman": rank_correlation(expected, actual),
        "gini": float(_gini(gained, expected) / own) if own > 0 else float("nan"),
        "captured_by_top_tenth": metrics.captured_share(gained, expected),
        "oracle_by_top_tenth": metrics.captured_share(gained, gained),
        "actual_over_expected": float(actual.sum() / total) if total > 0 else float("nan"),
        "mae": float(np.abs(actual - expected).mean()),
        "deviance": metrics.mean_and_error(metrics.poisson_deviances(gained, expected))[0],
    }


def rank_correlation(expected: np.ndarray, actual: np.ndarray) -> float:
    """Spearman's; NaN where one of them does not vary."""
    from scipy.stats import rankdata

    if any(len(a) < 2 or np.ptp(a) == 0 for a in (expected, actual)):
        return float("nan")
    return float(np.corrcoef(rankdata(expected), rankdata(actual))[0, 1])


def _gini(amount: np.ndarray, score: np.ndarray) -> float:
    """Gini of the concentration curve of `amount`, lowest score first; equal scores count half."""
    from scipy.stats import rankdata

    n, total = len(amount), amount.sum()
    if n < 2 or total <= 0:
        return float("nan")
    return float(2 * (rankdata(score) * amount).sum() / (n * total) - (n + 1) / n)


def _coverage(tests: Sequence[Prediction], candidate_model: str) -> dict[date, float]:
    """Share of outcomes within their interval by test cutoff, each interval learned from earlier test cutoffs only;
    with one test cutoff, from every other customer of it and checked on the rest."""
    found = {}
    for cutoff, known, judged in _learned_before(tests, candidate_model):
        interval = learn_interval(*known)
        expected, actual = judged
        if interval is not None and len(expected):
            low, high = interval.around(expected)
            found[cutoff] = float(((actual >= low) & (actual <= high)).mean())
    return found


_Pairs = tuple[np.ndarray, np.ndarray]


def _learned_before(tests: Sequence[Prediction], candidate_model: str) -> list[tuple[date, _Pairs, _Pairs]]:
    """Test cutoff, the pairs of expectation and outcome to learn from, those to judge."""
    if len(tests) == 1:
        expected, actual = tests[0].expected[candidate_model], tests[0].actual
        return [(tests[0].cutoff, (expected[::2], actual[::2]), (expected[1::2], actual[1::2]))]
    return [
        (
            test.cutoff,
            (
                np.concatenate([t.expected[candidate_model] for t in tests[:i]]),
                np.concatenate([t.actual for t in tests[:i]]),
            ),
            (test.expected[candidate_model], test.actual),
        )
        for i, test in enumerate(tests)
        if i
    ]
