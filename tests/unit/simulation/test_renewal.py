"""Closed forms of the renewal process: against integrals, against each other, and against a simulation."""

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.population import LEAVE_LEVELS, RHYTHMS, Population
from simulation.renewal import expected_counts, mean_leave, phase_weights, survival

P = Population()


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as connection:
        yield connection


def value(con, sql: str, rhythm: int, leave: float, age: float):
    return con.execute(f"select {sql} from (select ? as r, ? as d, ? as x)", [rhythm, leave, age]).fetchone()[0]


@pytest.mark.parametrize("rhythm", range(len(RHYTHMS)))
@given(leave=st.floats(0.001, 0.9), age=st.floats(0.05, 12))
@settings(max_examples=15, deadline=None)
def test_the_phases_add_up_to_survival(con, rhythm, leave, age):
    alive = survival(P, "r", "d", "x")
    parts = value(con, phase_weights(P, "r", "d", "x"), rhythm, leave, age)
    assert sum(parts) == pytest.approx(value(con, alive, rhythm, leave, age), rel=1e-12)


@pytest.mark.parametrize("rhythm", range(len(RHYTHMS)))
def test_a_gap_of_somebody_who_stays_is_one_on_average(con, rhythm):
    ages = np.linspace(0, 60, 4001)
    alive = survival(P, str(rhythm), "0e0", "x")
    values = con.execute(f"select {alive} from (select unnest(?) as x)", [ages.tolist()]).fetchnumpy()
    assert np.trapezoid(np.asarray(next(iter(values.values()))), ages) == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("rhythm", range(len(RHYTHMS)))
def test_expected_counts_are_those_of_a_matrix_exponential(rhythm):
    from scipy.linalg import expm

    from simulation.renewal import _generator

    leave = mean_leave(P, LEAVE_LEVELS[40])
    generator, buy = _generator(P, rhythm, leave)
    n = len(buy)
    augmented = np.zeros((n + 1, n + 1))
    augmented[:n, :n], augmented[:n, n] = generator, buy
    spans = np.array([0.0, 0.3, 4.0, 50.0])
    expected = np.array([expm(augmented * span)[:n, n] for span in spans])
    assert expected_counts(P, rhythm, leave, spans) == pytest.approx(expected, abs=1e-8)


def test_expected_counts_of_a_random_rhythm_that_nobody_leaves_are_the_span():
    assert expected_counts(P, 0, 0.0, np.array([2.5]))[0, 0] == pytest.approx(2.5)
