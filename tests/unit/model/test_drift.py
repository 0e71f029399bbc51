"""Drift: the index by hand, its bound by chance, and what is distinguished."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assets.model.drift import compare, reference, stability_index

values = arrays(float, st.integers(1, 60), elements=st.floats(-5, 5) | st.just(np.nan))


def test_the_index_by_hand():
    before = reference(np.r_[np.zeros(50), np.ones(50)])
    found = compare(before, np.r_[np.zeros(80), np.ones(20)])
    assert found.psi == pytest.approx(0.3 * np.log(0.8 / 0.5) + -0.3 * np.log(0.2 / 0.5))
    assert found.verdict == "drifted"
    assert (found.n_reference, found.n_now) == (100, 100)


def test_missing_values_are_a_bin_of_their_own():
    before = reference(np.arange(1000.0))
    found = compare(before, np.r_[np.arange(0, 1000, 2.0), np.full(500, np.nan)])
    assert found.verdict == "drifted"
    assert (found.missing_share_reference, found.missing_share_now) == (0.0, 0.5)


def test_a_value_never_seen_before_is_drift():
    assert compare(reference(np.zeros(500)), np.ones(500)).verdict == "drifted"
    assert compare(reference(np.zeros(500)), np.zeros(500)).psi == 0


def test_few_customers_wobble_without_an_alarm_and_many_do_not():
    """The same index is noise of thirty customers and a shift of thirty thousand."""
    before = reference(np.repeat([0.0, 1.0], [15, 15]))
    assert compare(before, np.repeat([0.0, 1.0], [10, 20])).verdict == "stable"
    before = reference(np.repeat([0.0, 1.0], [15_000, 15_000]))
    assert compare(before, np.repeat([0.0, 1.0], [10_000, 20_000])).verdict == "shifted"


def test_the_bound_holds_by_chance():
    """Draws from one population exceed the bound about as often as it says."""
    rng = np.random.default_rng(7)
    over = 0
    for _ in range(2000):
        found = compare(reference(rng.normal(size=400)), rng.normal(size=400))
        over += found.psi > found.noise
    assert over / 2000 == pytest.approx(0.01, abs=0.008)


def test_nothing_to_compare_is_no_verdict():
    assert compare(reference(np.array([])), np.ones(3)).verdict == "unknown"
    assert compare(reference(np.ones(3)), np.array([])).verdict == "unknown"


@given(values)
def test_the_same_values_never_drift(x):
    found = compare(reference(x), x)
    assert found.psi == pytest.approx(0, abs=1e-12)
    assert found.verdict == "stable"


@given(values, values)
def test_the_index_is_never_negative_and_counts_every_customer(x, y):
    found = compare(reference(x), y)
    assert found.psi >= 0
    assert (found.n_reference, found.n_now) == (len(x), len(y))


def test_a_bin_that_is_empty_on_one_side_counts_as_half_a_customer_there():
    """Seven and three of ten against all of ten: the second bin is as if it held 0.5, the first is as it is."""
    wanted = (1.0 - 0.7) * np.log(1.0 / 0.7) + (0.05 - 0.3) * np.log(0.05 / 0.3)
    assert stability_index([7, 3], [10, 0]) == pytest.approx(wanted)
    assert stability_index([10, 0], [7, 3]) == pytest.approx(wanted)


def test_a_bin_that_is_empty_on_both_sides_says_nothing():
    assert stability_index([7, 0, 3], [5, 0, 5]) == stability_index([7, 3], [5, 5])


def test_full_bins_give_the_index_as_it_is_defined():
    assert stability_index([50, 50], [80, 20]) == pytest.approx(0.3 * np.log(1.6) - 0.3 * np.log(0.4))


def test_an_empty_histogram_has_no_index():
    assert np.isnan(stability_index([0, 0], [1, 2])) and np.isnan(stability_index([1, 2], [0, 0]))


counts = st.lists(st.integers(0, 10_000), min_size=10, max_size=10).filter(any)


@given(counts, counts)
def test_the_stability_index_is_a_divergence(now, reference):
    assert stability_index(now, reference) >= 0
    assert stability_index(now, now) == 0
    assert stability_index(now, reference) == pytest.approx(stability_index(reference, now))


@pytest.mark.parametrize(
    ("share", "verdict"), [(0.6554, "stable"), (0.6556, "shifted"), (0.7395, "shifted"), (0.7396, "drifted")]
)
def test_a_shift_begins_above_a_tenth_and_drift_above_a_quarter(share, verdict):
    """Of two halves the index is (q - 1/2) ln(q / (1 - q)): 0.0999, 0.1001, 0.2499 and 0.2501."""
    before = {"edges": [0.5], "counts": [10**7, 10**7], "n_missing": 0}
    assert (
        compare(before, np.repeat([0.0, 1.0], [round(share * 10**5), 10**5 - round(share * 10**5)])).verdict == verdict
    )


def test_ten_bins_and_one_false_alarm_in_a_hundred():
    assert reference(np.arange(1000.0))["counts"] == [100] * 10
    noise = compare(reference(np.repeat([0.0, 1.0], 50)), np.repeat([0.0, 1.0], 50)).noise
    assert noise == pytest.approx(6.6349 * (1 / 100 + 1 / 100), rel=1e-4), "chi-square of one degree, 99 %"
