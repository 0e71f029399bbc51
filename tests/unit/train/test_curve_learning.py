"""The return curve learned from outcomes, and graded on outcomes that it did not see."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from assets.model.gamma_gamma import GammaGamma
from assets.model.purchase_rhythm import PurchaseRhythm
from assets.model.return_curve import ENDS, History, ReturnCurve
from assets.train.value.return_curve import (
    MIN_WAITS,
    Waits,
    as_published,
    learn_from_waits,
    measure_curve,
    measure_next_order,
)

CUTOFF = date(2020, 6, 1)
HORIZON = timedelta(30)
#: Right about the shape of gaps, too slow for customers who come twice as fast.
SLOW = ReturnCurve(PurchaseRhythm(GammaGamma(2.0, 4.0, 45.0)), None, 30)


def waits(cutoff=CUTOFF, n=3000, seed=0, curve=SLOW) -> Waits:
    """Customers who come at gamma gaps of their own mean, ten days in the middle, seen at a random moment of a gap;
    of each is said what is true of somebody with these gaps and this silence."""
    rng = np.random.default_rng([seed, cutoff.toordinal()])
    scale = 5.0 * rng.lognormal(0.0, 0.8, n)
    gaps = rng.gamma(2.0, scale)
    seen = rng.random(n) < gaps / (20 * scale)  # a moment falls into a long gap more often
    gaps, scale = gaps[seen], scale[seen]
    silent = np.ceil(rng.random(len(gaps)) * gaps)
    wait = np.floor(gaps - silent).clip(0)
    k = rng.integers(1, 12, len(gaps)).astype(float)
    total = np.array([rng.gamma(2.0, own, int(each)).sum() for own, each in zip(scale, k, strict=True)])
    history = History(k, total, silent)
    later, now = ((1 + (silent + days) / scale) * np.exp(-(silent + days) / scale) for days in (29.5, -0.5))
    churn = later / now
    return Waits(cutoff, curve, history, curve.own_hazard(history), churn, np.full(len(gaps), True), wait)


def months(n: int, **like) -> list[Waits]:
    return [waits(CUTOFF + HORIZON * i, **like) for i in range(n)]


def learned(known: list[Waits], by: date, base: ReturnCurve = SLOW) -> ReturnCurve:
    return learn_from_waits(base, known, by)


def test_what_was_learned_holds_for_customers_it_did_not_see():
    fresh = waits(CUTOFF + HORIZON * 3, seed=9)
    curve = learned(months(3), fresh.cutoff)
    low, middle, high = curve.days(fresh.own, fresh.at_horizon)
    came = fresh.wait_days < 30
    actual = fresh.wait_days[came]
    assert 0.75 <= ((actual >= low[came]) & (actual <= high[came])).mean() <= 0.85
    assert abs(np.median(actual - middle[came])) <= 1
    assert np.abs(actual - middle[came]).mean() < np.abs(actual - np.median(actual)).mean()
    for days in (7, 14, 60):
        said = curve.none_within(fresh.own, fresh.at_horizon, (days,)).mean()
        assert said == pytest.approx((fresh.wait_days >= days).mean(), abs=0.06)


@pytest.mark.parametrize(("shape", "is_bent_up"), [(6.0, True), (0.6, False)])
def test_the_bend_makes_good_what_the_rhythm_does_not_know(shape, is_bent_up):
    """Purchases that are more regular than the rhythm believes come later within the horizon, irregular ones sooner."""
    rng = np.random.default_rng(1)
    gaps = rng.gamma(shape, 20 / shape, 4000)
    history = History(np.full(4000, 9.0), np.full(4000, 180.0), np.ones(4000))
    random = ReturnCurve(PurchaseRhythm(GammaGamma(1.0, 40.0, 800.0)), None, 30)
    wait = np.floor(gaps)
    known = Waits(
        CUTOFF, random, history, random.own_hazard(history), np.full(4000, (wait >= 30).mean()), wait < 99, wait
    )
    curve = learned([known], CUTOFF + timedelta(90), random)
    assert (curve.near > 1.1) if is_bent_up else (curve.near < 0.9)
    for days in (7, 14, 60):
        before, after = (
            abs(c.none_within(known.own, known.at_horizon, (days,)).mean() - (wait >= days).mean())
            for c in (random, curve)
        )
        assert after < before


def test_outcomes_that_are_not_over_teach_nothing():
    """Nothing of a cutoff whose horizon is open, and nothing beyond it before more days than that are over."""
    month = months(1)
    assert learned(month, CUTOFF + HORIZON - timedelta(1)) == SLOW
    at_its_end = learned(month, CUTOFF + HORIZON)
    assert at_its_end.near != 1 and at_its_end.far == 1
    assert learned(month, CUTOFF + timedelta(44)).far == 1
    assert learned(month, CUTOFF + timedelta(45)).far != 1, "45 days are the first after 30 that are asked for"
    unknown = replace(month[0], wait_days=np.where(month[0].wait_days < 45, month[0].wait_days, np.nan))
    assert learned([unknown], CUTOFF + timedelta(45)) == learned(month, CUTOFF + timedelta(45))


@pytest.mark.parametrize(("n", "is_learned"), [(MIN_WAITS - 1, False), (MIN_WAITS, True)])
def test_a_few_waits_teach_no_ends(n, is_learned):
    some = waits()
    few = some.where(np.flatnonzero(some.wait_days < 30)[:n])
    assert (learned([few], CUTOFF + HORIZON).ends != ENDS) == is_learned


def test_only_the_newest_cutoffs_teach_the_ends():
    old = waits(CUTOFF - HORIZON * 10, n=300, curve=replace(SLOW, rhythm=PurchaseRhythm(GammaGamma(2.0, 4.0, 4500.0))))
    by = CUTOFF + HORIZON * 3
    with_old, without = learned([old, *months(3)], by), learned(months(3), by)
    assert replace(with_old, near=without.near, far=without.far).ends == pytest.approx(without.ends, abs=0.02)


def test_each_cutoff_is_graded_by_what_was_known_then():
    """Beside the two simplest guesses; the last cutoff is graded as what is published would have been."""
    known = months(4)
    rows = measure_next_order(as_published(known), [each.cutoff for each in known[1:]])
    found = {(r["candidate_model"], r["metric"], r["cutoff_date"]): r["value"] for r in rows}
    test = known[3]
    curve = learned(known[:3], test.cutoff)
    came = test.wait_days < 30
    low, middle, high = (each[came] for each in curve.days(test.own, test.at_horizon))
    actual, last = test.wait_days[came], test.cutoff.isoformat()
    assert found["return_curve", "mae_days", last] == pytest.approx(np.abs(middle - actual).mean())
    assert found["return_curve", "coverage", last] == pytest.approx(((actual >= low) & (actual <= high)).mean())
    earlier = np.concatenate([each.wait_days[each.wait_days < 30] for each in known[:3]])
    assert found["usual_wait", "mae_days", last] == pytest.approx(np.abs(np.median(earlier) - actual).mean())
    assert found["return_curve", "mae_days", last] < min(found[n, "mae_days", last] for n in ("usual_wait", "own_gap"))
    assert {cutoff for _, _, cutoff in found} == {None, *((CUTOFF + HORIZON * n).isoformat() for n in (1, 2, 3))}


def test_a_single_cutoff_is_graded_without_any_wait_known():
    """An overlapping horizon has not closed. The guess is then the middle of the horizon."""
    pair = [waits(), waits(CUTOFF + timedelta(29))]
    rows = measure_next_order(as_published(pair), [each.cutoff for each in pair])
    found = {
        r["cutoff_date"]: r["value"] for r in rows if (r["candidate_model"], r["metric"]) == ("usual_wait", "mae_days")
    }
    for each in pair:
        actual = each.wait_days[each.wait_days < 30]
        assert found[each.cutoff.isoformat()] == pytest.approx(np.abs(14.5 - actual).mean())


def test_nobody_expected_is_no_error():
    nobody = replace(waits(), is_dated=np.zeros(len(waits().wait_days), dtype=bool))
    assert all(row["value"] is None for row in measure_next_order([nobody], [CUTOFF]))


def test_the_chances_are_graded_where_so_many_days_are_over():
    """And where a horizon had closed before; beside the share that was seen before, which needs so many days too."""
    known, anchor = as_published(months(4)), CUTOFF + HORIZON * 5 - timedelta(1)
    rows = measure_curve(known, anchor)
    found = {(r["candidate_model"], r["window_days"], r["metric"], r["cutoff_date"]): r["value"] for r in rows}
    at = {days: {cutoff for name, d, _, cutoff in found if (name, d) == ("return_curve", days)} for days in (7, 90)}
    second, third, fourth = (each.cutoff.isoformat() for each in known[1:])
    assert at == {7: {None, second, third, fourth}, 90: {None, second}}
    test = known[2]
    chance, stayed = test.curve.none_within(test.own, test.at_horizon, (7,))[:, 0], test.wait_days >= 7
    assert found["return_curve", 7, "mean_predicted", third] == pytest.approx(chance.mean())
    assert found["return_curve", 7, "observed_share", third] == pytest.approx(stayed.mean())
    assert found["return_curve", 7, "log_loss", third] == pytest.approx(
        -np.log(np.where(stayed, chance, 1 - chance)).mean()
    )
    before = np.concatenate([each.wait_days >= 7 for each in known[:2]]).mean()
    assert found["usual_share", 7, "mean_predicted", third] == pytest.approx(before)
    assert found["return_curve", 7, "log_loss", third] < found["usual_share", 7, "log_loss", third]
    assert ("usual_share", 90, "log_loss", second) not in found
