"""The day of the next order: levels learned from waits that ended, and graded on waits that they did not see."""

from datetime import date, timedelta

import numpy as np
import pytest

from assets.model.gamma_gamma import GammaGamma
from assets.model.purchase_rhythm import LEVELS, PurchaseRhythm
from assets.shared.params import load_params
from assets.train.value.next_order import EndedWaits, learn_levels, measure_next_order

PARAMS = load_params({"churn_horizon_days": 30})
CUTOFF = date(2020, 6, 1)
#: Too slow for customers who come twice as fast.
SLOW = PurchaseRhythm(GammaGamma(2.0, 4.0, 45.0))


def waits(cutoff=CUTOFF, n=3000, seed=0, rhythm=SLOW) -> EndedWaits:
    """Customers who come at gamma gaps of their own mean, ten days in the middle, seen at a random moment of a gap."""
    rng = np.random.default_rng([seed, cutoff.toordinal()])
    scale = 5.0 * rng.lognormal(0.0, 0.8, n)
    gaps = rng.gamma(2.0, scale)
    seen = rng.random(n) < gaps / (20 * scale)  # a moment falls into a long gap more often
    gaps, scale = gaps[seen], scale[seen]
    silent = np.ceil(rng.random(len(gaps)) * gaps)
    wait = np.floor(gaps - silent).clip(0)
    came = wait < 30
    k = rng.integers(1, 12, len(gaps)).astype(float)
    total = np.array([rng.gamma(2.0, own, int(each)).sum() for own, each in zip(scale, k, strict=True)])
    return EndedWaits(cutoff, rhythm, *(a[came] for a in (k, total, silent, wait)))


def months(n: int) -> list[EndedWaits]:
    return [waits(CUTOFF + timedelta(30 * i)) for i in range(n)]


def test_levels_make_good_what_the_rhythm_does_not_know():
    levels = learn_levels(months(3), PARAMS)
    fresh = waits(CUTOFF + timedelta(90), seed=9)
    low, middle, high = fresh.by(levels, 30)
    inside = ((fresh.days >= low) & (fresh.days <= high)).mean()
    before = fresh.by(LEVELS, 30)
    assert 0.75 <= inside <= 0.85
    assert abs(np.median(fresh.days - middle)) <= 1
    assert np.abs(fresh.days - middle).mean() < np.abs(fresh.days - before[1]).mean()


@pytest.mark.parametrize(("n", "learned"), [(29, False), (30, True)])
def test_a_few_waits_teach_no_level(n, learned):
    some = waits()
    few = EndedWaits(CUTOFF, SLOW, *(a[:n] for a in (some.n_gaps, some.gap_sum, some.silent, some.days)))
    assert (learn_levels([few], PARAMS) != LEVELS) == learned
    assert learn_levels([], PARAMS) == LEVELS


def test_only_the_newest_cutoffs_teach():
    old = waits(CUTOFF - timedelta(300), rhythm=PurchaseRhythm(GammaGamma(2.0, 4.0, 4500.0)))
    assert learn_levels([old, *months(3)], PARAMS) == learn_levels(months(3), PARAMS)


def test_each_cutoff_is_graded_by_levels_of_those_that_had_closed():
    """Beside the two simplest guesses; the last cutoff is graded as what is published would have been."""
    found = {
        (r["candidate_model"], r["metric"], r["cutoff_date"]): r["value"] for r in measure_next_order(months(4), PARAMS)
    }
    last = (CUTOFF + timedelta(90)).isoformat()
    test, levels = months(4)[3], learn_levels(months(3), PARAMS)
    low, middle, high = test.by(levels, 30)
    assert found["rhythm", "mae_days", last] == pytest.approx(np.abs(middle - test.days).mean())
    assert found["rhythm", "coverage", last] == pytest.approx(((test.days >= low) & (test.days <= high)).mean())
    earlier = np.concatenate([each.days for each in months(3)])
    assert found["usual_wait", "mae_days", last] == pytest.approx(np.abs(np.median(earlier) - test.days).mean())
    assert found["rhythm", "mae_days", last] < min(found[n, "mae_days", last] for n in ("usual_wait", "own_gap"))
    assert {cutoff for _, _, cutoff in found} == {None, *((CUTOFF + timedelta(30 * n)).isoformat() for n in (1, 2, 3))}


def test_a_single_cutoff_is_graded_without_any_wait_known():
    """An overlapping horizon has not closed. The guess is then the middle of the horizon."""
    pair = [waits(), waits(CUTOFF + timedelta(29))]
    rows = measure_next_order(pair, PARAMS)
    found = {
        r["cutoff_date"]: r["value"] for r in rows if (r["candidate_model"], r["metric"]) == ("usual_wait", "mae_days")
    }
    for each in pair:
        assert found[each.cutoff.isoformat()] == pytest.approx(np.abs(14.5 - each.days).mean())


def test_nobody_expected_is_no_error():
    nobody = EndedWaits(CUTOFF, SLOW, *(np.empty(0) for _ in range(4)))
    assert all(row["value"] is None for row in measure_next_order([nobody], PARAMS))
