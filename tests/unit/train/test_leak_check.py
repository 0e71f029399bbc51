"""A single feature that knows the future is found."""

import numpy as np
import pytest

from assets.train.leak_check import LEAK_AUC, StrongestFeature, find_strongest_feature


@pytest.fixture(scope="module")
def rows(world):
    return world.snapshots(n_customers=120, seed=9)


def test_a_leaking_feature_is_found_in_either_direction_and_by_its_gaps(world, rows):
    noise = np.random.default_rng(0).normal(0, 0.1, len(rows))
    honest = find_strongest_feature(rows)
    assert honest.auc < 0.97 and not honest.is_leak
    for values in (rows.is_churned + noise, noise - rows.is_churned, np.where(rows.is_churned, np.nan, 7.0)):
        found = find_strongest_feature(world.with_feature(rows, "return_share", values))
        assert found.feature == "return_share"
        assert found.auc > 0.99 and found.is_leak


def test_a_leak_begins_above_the_limit():
    many = 10**12
    assert StrongestFeature("a", LEAK_AUC + 1e-5, many, many).is_leak
    assert not StrongestFeature("a", LEAK_AUC, many, many).is_leak
    assert not StrongestFeature("a", 0.97, many, many).is_leak and StrongestFeature("a", 0.9701, many, many).is_leak
    assert not StrongestFeature().is_leak


def test_few_customers_make_a_high_auc_by_chance():
    assert not StrongestFeature("a", 0.985, 8, 10).is_leak
    assert StrongestFeature("a", 0.985, 800, 1000).is_leak


def test_one_outcome_only_says_nothing(rows):
    assert find_strongest_feature(rows.where(rows.is_churned)).feature is None
