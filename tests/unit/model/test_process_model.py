"""A model of purchase histories alone: no outcomes, and the ranking that a silence against the own pace gives."""

import numpy as np
import pytest

from assets.model.churn_features import FEATURES
from assets.model.process_model import PurchaseHistories, fit_process_alone


def histories(n: int = 400, days: int = 60, seed: int = 1) -> PurchaseHistories:
    rng = np.random.default_rng(seed)
    tenure = rng.integers(20, days, n).astype(float)
    frequency = rng.poisson(tenure * rng.gamma(1.5, 1 / 20, n)).astype(float)
    recency = np.where(frequency > 0, tenure * rng.beta(4, 1, n), 0.0)
    return PurchaseHistories(frequency, recency.round(), tenure)


def test_it_scores_by_the_silence_against_the_own_pace():
    model = fit_process_alone(histories(), 30)
    matrix = np.full((3, len(FEATURES)), np.nan)
    for name, values in {"frequency": [8, 8, 1], "recency_days": [50, 20, 45], "tenure_days": [55, 55, 55]}.items():
        matrix[:, FEATURES.index(name)] = values
    still_buys, stopped, rare = model.log_odds(matrix)
    assert still_buys < rare and still_buys < stopped


def test_somebody_must_have_bought_twice():
    assert not PurchaseHistories.nobody().somebody_returned
    once = PurchaseHistories(np.zeros(3), np.zeros(3), np.array([1.0, 2.0, 3.0]))
    assert not once.somebody_returned and histories().somebody_returned
    assert once.usual == {"frequency": 0.0, "recency_days": 0.0, "tenure_days": 2.0}
    assert PurchaseHistories.nobody().usual == {}


def test_probabilities_are_near_what_happens_where_the_process_is_true():
    rng = np.random.default_rng(5)
    n, age, horizon = 4000, 70.0, 30.0
    rate, dropout = rng.gamma(1.5, 1 / 30, n), rng.beta(1.0, 6.0, n)
    frequency, recency, returned = np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool)
    for i in range(n):
        day = 0.0
        while rng.random() > dropout[i]:
            day += rng.exponential(1 / rate[i])
            if day > age:
                returned[i] = day <= age + horizon
                break
            frequency[i], recency[i] = frequency[i] + 1, day
    model = fit_process_alone(PurchaseHistories(frequency, recency, np.full(n, age)), int(horizon))
    matrix = np.full((n, len(FEATURES)), np.nan)
    for name, values in {"frequency": frequency, "recency_days": recency, "tenure_days": np.full(n, age)}.items():
        matrix[:, FEATURES.index(name)] = values
    p = 1 / (1 + np.exp(-model.log_odds(matrix)))
    assert p.mean() == pytest.approx((~returned).mean(), abs=0.03)
