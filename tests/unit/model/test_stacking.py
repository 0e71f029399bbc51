"""Weights of the average: drawn to the prior, moved by evidence, never negative, blind to levels."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.model import stacking
from assets.model.stacking import PartPredictions, cutoff_weights, learn_weights, prior_weights

EQUAL = dict.fromkeys(stacking.PARTS, 0.25)


def predictions(
    quality: dict[str, float], n: int = 3000, level: float = 0.0, day: date = date(2024, 1, 1), seed: int = 0
) -> PartPredictions:
    """Outcomes of a known truth; a part of quality q knows the truth blurred by noise 1 - q, off by `level`."""
    rng = np.random.default_rng([seed, day.toordinal()])
    truth = rng.normal(0, 1.5, n)
    y = rng.random(n) < 1 / (1 + np.exp(-truth))
    said = {name: q * truth + (1 - q) * rng.normal(0, 1.5, n) + level for name, q in quality.items()}
    return PartPredictions(day, said, y, np.ones(n, dtype=bool))


def test_without_evidence_the_weights_are_the_prior_ones():
    assert learn_weights([], EQUAL, 30) == EQUAL
    one_class = predictions(dict.fromkeys(stacking.PARTS, 0.5))
    one_class.is_churned[:] = True
    assert learn_weights([one_class], EQUAL, 30) == EQUAL
    inactive = predictions(dict.fromkeys(stacking.PARTS, 0.5))
    inactive.is_active[:] = False
    assert learn_weights([inactive], EQUAL, 30) == EQUAL


def test_a_part_that_is_shown_worse_loses_its_weight():
    noise = {"rfm_logit": 0.9, "mbg_nbd": 0.0, "logit": 0.9, "trees": 0.9}
    weights = learn_weights([predictions(noise)], EQUAL, 30)
    assert weights["mbg_nbd"] < 0.05 and min(weights[n] for n in ("rfm_logit", "logit", "trees")) > 0.2


def test_a_few_customers_move_the_weights_little():
    noise = {"rfm_logit": 0.9, "mbg_nbd": 0.0, "logit": 0.9, "trees": 0.9}
    many, few = (learn_weights([predictions(noise, n=n)], EQUAL, 30)["mbg_nbd"] for n in (3000, 15))
    assert many < few < 0.3


@pytest.mark.parametrize("level", [-2.0, 3.0])
def test_the_level_of_a_cutoff_says_nothing_of_the_weights(level):
    quality = {"rfm_logit": 0.9, "mbg_nbd": 0.3, "logit": 0.6, "trees": 0.8}
    as_it_was, shifted = (learn_weights([predictions(quality, level=x)], EQUAL, 30) for x in (0.0, level))
    assert shifted == pytest.approx(as_it_was, abs=1e-3)


def test_a_cutoff_without_all_parts_is_not_read():
    known = predictions(dict.fromkeys(stacking.PARTS, 0.5))
    simple = predictions({"rfm_logit": 0.9, "mbg_nbd": 0.0}, day=date(2023, 1, 1))
    assert learn_weights([known, simple], EQUAL, 30) == learn_weights([known], EQUAL, 30)


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(20, 300), st.integers(0, 9))
def test_no_weight_is_negative_and_some_is_positive(qualities, n, seed):
    quality = dict(zip(stacking.PARTS, qualities, strict=True))
    weights = learn_weights([predictions(quality, n=n, seed=seed)], EQUAL, 30)
    assert set(weights) == set(stacking.PARTS)
    assert min(weights.values()) >= 0 and sum(weights.values()) > 0


def test_prior_weights_rest_on_simple_parts_where_data_are_thin():
    assert prior_weights(0, 10) == {"rfm_logit": 0.5, "mbg_nbd": 0.5, "logit": 0.0, "trees": 0.0}
    assert prior_weights(10**9, 0) == prior_weights(0, 10)
    assert prior_weights(10**9, 2) == pytest.approx(EQUAL, abs=1e-6)
    half = prior_weights(200, 2)
    assert half["logit"] == half["trees"] == pytest.approx(0.125)
    assert prior_weights(10**9, 1)["trees"] == pytest.approx(0.125, abs=1e-6)
    for n, horizons in ((0, 0.0), (50, 0.5), (200, 3.0)):
        assert sum(prior_weights(n, horizons).values()) == pytest.approx(1)


def test_overlapping_windows_count_once_and_old_ones_less():
    newest = date(2024, 6, 1)
    apart = [newest - timedelta(30), newest]
    assert cutoff_weights(apart, 30)[1] == 1 and cutoff_weights(apart, 60)[1] == pytest.approx(0.5)
    old = cutoff_weights([newest - timedelta(365), newest], 30)
    assert old.tolist() == pytest.approx([0.5, 1.0])
