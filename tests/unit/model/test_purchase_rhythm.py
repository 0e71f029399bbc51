"""The purchase rhythm: its days against the distribution and simulation."""

import numpy as np
import pytest

from assets.model.gamma_gamma import GammaGamma
from assets.model.purchase_rhythm import PurchaseRhythm
from assets.model.return_curve import History, ReturnCurve
from assets.model.spend_fit import fit_rhythm, rhythm_by_convention

RHYTHM = PurchaseRhythm(GammaGamma(1.7, 1.6, 9.0))


def one(values):
    return np.array([values], dtype=float)


def test_the_chance_within_is_the_integral_of_what_is_left():
    for n, total, silent in [(0, 0, 0), (0, 0, 40), (3, 30, 5), (3, 30, 60), (40, 280, 9)]:
        left, now = (float(RHYTHM.survival(one(n), one(total), one(s))[0]) for s in (silent + 20, silent))
        assert RHYTHM.within(one(n), one(total), one(silent), [20.0])[0, 0] == pytest.approx(1 - left / now)


def test_far_in_the_tail_the_chance_is_still_a_chance():
    found = PurchaseRhythm(GammaGamma(30.0, 400.0, 100.0)).within(one(100), one(300), one(3000), [5.0, 30.0])[0]
    assert 0 < found[0] < found[1] < 1


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


def test_fitted_to_renewals_it_finds_their_parameters():
    n, total, logs, silent, _ = renewals(4)
    rhythm = fit_rhythm(n, total, logs, silent)
    assert rhythm.gaps.p == pytest.approx(2.0, rel=0.05)
    assert rhythm.gaps.population_mean == pytest.approx(40.0, rel=0.06)


def test_the_gap_in_progress_counts():
    """Without it only the short gaps of slow customers are seen, and everybody seems faster than they are."""
    n, total, logs, silent, _ = renewals(5)
    with_it, without = (fit_rhythm(n, total, logs, s).gaps.population_mean for s in (silent, np.zeros_like(silent)))
    assert without < 0.92 * 40.0 < with_it


def test_half_of_those_who_come_within_the_window_come_up_to_the_expected_day():
    """Also among those of few and of many gaps, and of short and long silence; and 80 in 100 within the interval."""
    n, total, logs, silent, wait = renewals(6, n_customers=5000)
    curve = ReturnCurve(fit_rhythm(n, total, logs, silent), None, 20)
    own = curve.own_hazard(History(n, total, silent))
    low, middle, high = curve.days(own, curve.none_by_history(own))
    came = wait < 20
    for group in (n <= 4, n > 4, silent < np.median(silent), silent >= np.median(silent)):
        inside = came & group
        # A day ends with its last moment, and begins where the one before it ends.
        assert (wait < middle + 0.5)[inside].mean() == pytest.approx(0.5, abs=0.06)
        # Whole days at both ends hold a little more than 80 in 100.
        assert 0.79 <= ((wait >= low) & (wait < high + 1))[inside].mean() <= 0.9
    assert (low <= middle).all() and (middle <= high).all()


def test_short_histories_are_drawn_to_the_population():
    population = RHYTHM.gaps.population_mean
    usual = RHYTHM.usual_gap(np.array([0, 1, 5, 200]), np.array([0, 2, 10, 400]))
    assert usual[0] == pytest.approx(population)
    assert (np.diff(usual) < 0).all() and usual[-1] == pytest.approx(2.0, rel=0.05)
    overdue = RHYTHM.overdue_ratio(np.array([1, 200]), np.array([2, 400]), np.array([6, 6]))
    assert overdue[0] < overdue[1], "one short gap does not make somebody overdue yet"


def test_somebody_who_never_purchased_is_not_overdue():
    unknown = np.array([np.nan])
    assert np.isnan(RHYTHM.overdue_ratio(unknown, unknown, unknown)).all()


def test_few_customers_leave_the_convention():
    few = np.ones(10)
    assert fit_rhythm(few, few * 5, few, few) is None
    convention = rhythm_by_convention(15.0)
    assert convention.n_customers == 0
    assert convention.usual_gap(np.array([0.0]), np.array([0.0]))[0] == pytest.approx(15.0)
