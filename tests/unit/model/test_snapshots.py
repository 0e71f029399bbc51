"""Snapshots in memory: their order is that of their content."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def rows(world):
    return world.snapshots(n_customers=120, seed=9)


def test_content_order_depends_on_content_only(world, rows):
    shuffled = world.renumbered(rows, seed=8)
    assert not np.array_equal(shuffled.margin, rows.margin)
    assert np.array_equal(shuffled.in_content_order().matrix, rows.matrix, equal_nan=True)
    assert np.array_equal(shuffled.in_content_order().is_churned, rows.is_churned)
