"""Numbers that are rules of training, at their boundaries."""

import numpy as np
import pytest

from assets.train.metrics import METRICS, measure_scores, reliability
from assets.train.value.extrapolation import extrapolation_of


def tenths() -> tuple[np.ndarray, np.ndarray]:
    """200 customers in rising order of their probability. In each tenth of them 2i + 1 churn, as the sum of their
    probabilities says, although the lower half of each tenth does not and the upper half churns too much."""
    y, p = [], []
    for i in range(10):
        p += list((i + 0.5) / 10 + np.linspace(-0.04, 0.04, 20))
        y += [0] * (20 - (2 * i + 1)) + [1] * (2 * i + 1)
    return np.array(y, dtype=bool), np.array(p)


def test_calibration_is_measured_by_tenths():
    y, p = tenths()
    found = reliability(y, p)
    assert [row["n"] for row in found] == [20] * 10
    assert [row["observed_share"] for row in found] == pytest.approx([row["mean_predicted"] for row in found])
    ece = dict(zip(METRICS, measure_scores(y, p), strict=True))["ece"]
    assert ece == pytest.approx(0, abs=1e-12), "by other groups than tenths it is not nothing"


@pytest.mark.parametrize(
    ("seen", "n_windows", "total"),
    [
        ([1, 0.9], 3, 1 + 0.9 + 0.81),
        ([1, 1.5], 3, 1 + 1.5 + 1.5),  # what grew stays level
        ([1, 0.05], 3, 1 + 0.05 + 0.005),  # and what fell keeps a tenth a window
        ([1, 2.5], 3, 1 + 2.0 + 2.0),  # no window counts for more than twice the first
        ([1, 1.999], 2, 1 + 1.999),
        ([1], 3, 3.0),
        ([1, 0.5], 2.5, 1 + 0.5 + 0.125),
    ],
)
def test_later_windows_follow_between_level_and_a_tenth(seen, n_windows, total):
    assert extrapolation_of(np.array(seen), n_windows) == pytest.approx(total)
