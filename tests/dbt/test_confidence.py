"""Verdicts that are looked at every night: how often the interval of macro confidence_radius is ever wrong."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from assets.dbt.runner import invoke_dbt
from assets.shared.settings import Settings, prepare_home

NIGHTS, BUSINESSES = 180, 1000


@pytest.fixture(scope="module")
def radius_sql(tmp_path_factory, project) -> str:
    settings = Settings(home=tmp_path_factory.mktemp("confidence"), sources=("toy",))
    prepare_home(settings)
    text = "{{ confidence_radius('variance', 'cast(0.04 as double)', 'cast(0.05 as double)') }}"
    manifest = project.manifest.deepcopy()  # dbt leaves the inline query in the manifest it is given
    return invoke_dbt(settings, ["compile", "--inline", text], manifest=manifest).result.results[-1].node.compiled_code


def looked_at_every_night(effect: float):
    """(estimates, variances), (BUSINESSES, NIGHTS): the difference of the shares of two arms that grow by fifty persons
    a night each, of whom three in ten buy."""
    random = np.random.default_rng(11)
    bought = [random.binomial(50, share, (BUSINESSES, NIGHTS)).cumsum(axis=1) for share in (0.3 + effect, 0.3)]
    n = 50.0 * np.arange(1, NIGHTS + 1)
    shares = [(count + 1) / (n + 2) for count in bought]
    estimate = (bought[0] - bought[1]) / n
    return estimate, sum(share * (1 - share) for share in shares) / n


def radii(radius_sql: str, variance: np.ndarray) -> np.ndarray:
    with duckdb.connect() as con:
        con.register("nights", pa.table({"i": np.arange(variance.size), "variance": variance.ravel()}))
        found = con.execute(f"select {radius_sql} as radius from nights order by i").fetchnumpy()
    return found["radius"].reshape(variance.shape)


@pytest.mark.parametrize("effect", [0.0, 0.02])
def test_the_interval_is_wrong_on_any_night_in_no_more_than_five_businesses_of_a_hundred(radius_sql, effect):
    estimate, variance = looked_at_every_night(effect)
    is_wrong = np.abs(estimate - effect) > radii(radius_sql, variance)
    assert is_wrong.any(axis=1).mean() <= 0.05
    # A normal interval, looked at every night, is wrong on some night in most businesses.
    assert (np.abs(estimate - effect) > 1.96 * np.sqrt(variance)).any(axis=1).mean() > 0.2


def test_an_effect_worth_having_is_found_in_time(radius_sql):
    estimate, variance = looked_at_every_night(0.03)
    assert (estimate - radii(radius_sql, variance) > 0).any(axis=1).mean() > 0.5
