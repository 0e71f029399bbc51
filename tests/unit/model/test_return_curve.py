"""The return curve: every number that is read from it agrees with every other, whatever was learned."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.model.gamma_gamma import GammaGamma
from assets.model.purchase_process import PurchaseProcess
from assets.model.purchase_rhythm import PurchaseRhythm
from assets.model.return_curve import History, ReturnCurve

RHYTHM = PurchaseRhythm(GammaGamma(1.7, 1.6, 9.0))
PROCESS = PurchaseProcess("mbg_nbd", 0.6, 7.0, 0.8, 1.3)
EVERY_DAY = range(1, 366)


def one(frequency: float, gap: float, silent: float) -> History:
    return History(*(np.array([value], dtype=float) for value in (frequency, frequency * gap, silent)))


#: Any curve that training could end with, any customer.
curves = st.builds(
    ReturnCurve,
    rhythm=st.builds(
        lambda p, q, gamma: PurchaseRhythm(GammaGamma(p, q, gamma)),
        st.floats(0.05, 30),
        st.floats(1.06, 50),
        st.floats(0.1, 5000),
    ),
    process=st.one_of(
        st.none(),
        st.builds(
            lambda r, alpha, a, b: PurchaseProcess("mbg_nbd", r, alpha, a, b),
            *(st.floats(1e-4, 1e4) for _ in range(4)),
        ),
    ),
    horizon_days=st.integers(7, 365),
    near=st.floats(0.3, 3.3),
    far=st.floats(0.3, 3.3),
    ends=st.tuples(st.floats(0.01, 0.5), st.floats(0.5, 0.99)),
)
customers = st.builds(one, st.integers(0, 200), st.floats(1, 400), st.integers(1, 3000))
probabilities = st.one_of(st.sampled_from([0.0, 1e-9, 1 - 1e-9, 1.0]), st.floats(0, 1))


@given(curve=curves, history=customers, churn=probabilities)
@settings(deadline=None, max_examples=60)
def test_it_never_rises_and_meets_the_churn_probability(curve, history, churn):
    none = curve.none_within(curve.own_hazard(history), np.array([churn]), EVERY_DAY)[0]
    assert ((none >= 0) & (none <= 1)).all()
    assert (np.diff(none) <= 0).all()
    assert none[curve.horizon_days - 1] == churn


@given(curve=curves, history=customers, churn=st.floats(0.001, 0.999))
@settings(deadline=None, max_examples=60)
def test_the_date_is_the_median_of_those_who_come_within_the_horizon(curve, history, churn):
    own, horizon = curve.own_hazard(history), curve.horizon_days
    low, day, high = (int(found[0]) for found in curve.days(own, np.array([churn])))
    assert 0 <= low <= day <= high <= horizon - 1
    come = (1 - curve.none_within(own, np.array([churn]), EVERY_DAY)[0]) / (1 - churn)
    assert come[day] >= 0.5 - 1e-6, "half have come by the end of the day"
    assert day == 0 or come[day - 1] <= 0.5 + 1e-6, "and not by the end of the day before"
    for end, share in zip((low, high), curve.ends, strict=True):
        assert come[end] >= share - 1e-6 or end == horizon - 1
    assert curve.share_come(own, np.array([churn]), np.array([day + 1.0]))[0] == pytest.approx(come[day], abs=1e-6)


def test_a_longer_silence_never_brings_the_day_forward():
    curve = ReturnCurve(RHYTHM, PROCESS, 30)
    silent = np.arange(1.0, 400.0)
    own = curve.own_hazard(History(np.full(399, 10.0), np.full(399, 100.0), silent))
    day = curve.days(own, np.full(399, 0.3))[1]
    assert (np.diff(day + np.arange(399)) >= 0).all()


def test_beyond_the_horizon_who_has_probably_left_stays_away():
    """Of two with the same chance to come within the month, whoever stopped coming is less likely to come later."""
    curve = ReturnCurve(RHYTHM, PROCESS, 30)
    history = History(np.array([20.0, 2.0]), np.array([100.0, 120.0]), np.array([60.0, 60.0]))
    gone, slow = curve.none_within(curve.own_hazard(history), np.full(2, 0.8), (365,))[:, 0]
    assert gone > slow + 0.05


def test_bends_act_on_their_side_of_the_horizon_only():
    history, churn = one(5, 20, 10), np.array([0.4])
    plain, bent = (ReturnCurve(RHYTHM, PROCESS, 30, near, far) for near, far in ((1.0, 1.0), (2.0, 0.5)))
    before, after = (c.none_within(c.own_hazard(history), churn, (7, 30, 90))[0] for c in (plain, bent))
    assert after[0] > before[0] and after[1] == before[1] and after[2] > before[2]


def test_somebody_who_never_purchased_has_no_curve():
    curve, unknown = ReturnCurve(RHYTHM, PROCESS, 30), History(*(np.array([np.nan]) for _ in range(3)))
    own = curve.own_hazard(unknown)
    assert np.isnan(curve.none_within(own, np.array([0.5]), (7, 30, 365))).all()
    assert np.isnan(curve.days(own, np.array([0.5]))).all()


@pytest.mark.parametrize("process", [PROCESS, None])
def test_what_is_written_is_read_back(process):
    curve = ReturnCurve(RHYTHM, process, 30, 1.1, 0.9, (0.08, 0.93))
    assert ReturnCurve.from_dict(curve.to_dict()) == curve
