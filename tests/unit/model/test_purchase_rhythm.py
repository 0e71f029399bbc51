"""The purchase rhythm: conditional expectations against integration and simulation, and how they move with silence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from assets.model.gamma_gamma import GammaGamma
from assets.model.purchase_rhythm import MAX_DAYS_AHEAD, PurchaseRhythm
from assets.model.spend_fit import fit_rhythm, rhythm_by_convention

RHYTHM = PurchaseRhythm(GammaGamma(1.7, 1.6, 9.0))


def one(values):
    return np.array([values], dtype=float)


@pytest.mark.parametrize(("n", "total", "silent"), [(0, 0, 0), (0, 0, 40), (3, 30, 5), (3, 30, 60), (40, 280, 9)])
def test_the_expected_gap_is_the_mean_of_the_conditional_distribution(n, total, silent):
    """E[G | G > s] = s + integral of P(G > t) from s on, over P(G > s)."""

    def survival(t):
        return float(RHYTHM.survival(one(n), one(total), one(t))[0])

    # The tail is a power law: integrated in the logarithm of the time.
    rest, _ = quad(lambda u: survival(silent + np.expm1(u)) * np.exp(u), 0, 45, limit=500)
    expected = float(RHYTHM.expected_gap(one(n), one(total), one(silent))[0])
    assert expected == pytest.approx(silent + rest / survival(silent), rel=1e-4)


def test_never_is_ten_years_ahead():
    slow = PurchaseRhythm(GammaGamma(2.0, 1.1, 1e6))
    assert slow.expected_gap(one(0), one(0), one(70)) == [70 + 3650]


@given(
    n=st.integers(0, 200),
    gap=st.floats(1, 400),
    silent=st.integers(0, 3000),
    later=st.integers(1, 2000),
    p=st.floats(0.05, 30),
    q=st.floats(1.06, 50),
    gamma=st.floats(0.1, 5000),
)
@settings(deadline=None, max_examples=300)
def test_the_expected_day_is_never_past_and_moves_on_with_the_silence(n, gap, silent, later, p, q, gamma):
    rhythm = PurchaseRhythm(GammaGamma(p, q, gamma))
    count, total = one(n), one(n * gap)
    now, then = (float(rhythm.expected_gap(count, total, one(s))[0]) for s in (silent, silent + later))
    assert np.isfinite([now, then]).all()
    assert silent <= now <= silent + MAX_DAYS_AHEAD + 1e-6
    assert then >= now - 1e-6 * max(1.0, now)


def renewals(seed, n_customers=2500, days=400.0):
    """(gaps so far, their sum, sum of logs, silence, days to the next purchase) of customers who shop for ever."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(3.0, 1 / 40.0, n_customers)
    rows = []
    for rate in rates:
        at = [float(rng.uniform(0, 200))]
        while at[-1] < days:
            at.append(at[-1] + rng.gamma(2.0, 1 / rate))
        gaps = np.diff(at[:-1])
        rows.append((len(gaps), gaps.sum(), np.log(np.maximum(gaps, 1e-9)).sum(), days - at[-2], at[-1] - days))
    return np.array(rows).T


def test_fitted_to_renewals_it_finds_their_parameters_and_is_unbiased():
    n, total, logs, silent, wait = renewals(4)
    rhythm = fit_rhythm(n, total, logs, silent)
    assert rhythm.gaps.p == pytest.approx(2.0, rel=0.05)
    assert rhythm.gaps.population_mean == pytest.approx(40.0, rel=0.06)
    expected = rhythm.expected_gap(n, total, silent) - silent
    error = (expected - wait).std() / np.sqrt(len(wait))
    assert abs((expected - wait).mean()) < 4 * error
    # Also among those of few and of many gaps, and of short and long silence.
    for group in (n <= 4, n > 4, silent < np.median(silent), silent >= np.median(silent)):
        mean, spread = (expected - wait)[group].mean(), (expected - wait)[group].std() / np.sqrt(group.sum())
        assert abs(mean) < 4 * spread


def test_the_gap_in_progress_counts():
    """Without it only the short gaps of slow customers are seen, and everybody seems faster than they are."""
    n, total, logs, silent, _ = renewals(5)
    with_it, without = (fit_rhythm(n, total, logs, s).gaps.population_mean for s in (silent, np.zeros_like(silent)))
    assert without < 0.92 * 40.0 < with_it


def test_waits_within_a_window_are_those_of_the_buyers_in_it():
    n, total, logs, silent, wait = renewals(6)
    rhythm = fit_rhythm(n, total, logs, silent)
    within = rhythm.expected_wait_within(n, total, silent, 20.0)
    bought = wait < 20
    error = within[bought] - wait[bought]
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(bought.sum())
    assert (within >= 0).all() and (within <= 20).all()


def test_short_histories_are_drawn_to_the_population():
    population = RHYTHM.gaps.population_mean
    usual = RHYTHM.usual_gap(np.array([0, 1, 5, 200]), np.array([0, 2, 10, 400]))
    assert usual[0] == pytest.approx(population)
    assert (np.diff(usual) < 0).all() and usual[-1] == pytest.approx(2.0, rel=0.05)
    overdue = RHYTHM.overdue_ratio(np.array([1, 200]), np.array([2, 400]), np.array([6, 6]))
    assert overdue[0] < overdue[1], "one short gap does not make somebody overdue yet"


def test_somebody_who_never_purchased_has_no_date():
    unknown = np.array([np.nan])
    assert np.isnan(RHYTHM.expected_gap(unknown, unknown, unknown)).all()
    assert np.isnan(RHYTHM.overdue_ratio(unknown, unknown, unknown)).all()


def test_few_customers_leave_the_convention():
    few = np.ones(10)
    assert fit_rhythm(few, few * 5, few, few) is None
    convention = rhythm_by_convention(15.0)
    assert convention.n_customers == 0
    assert convention.usual_gap(np.array([0.0]), np.array([0.0]))[0] == pytest.approx(15.0)
