"""Stage identity finds the second identities of the simulated business."""

import pytest

from benchmarks.identity import quality


@pytest.mark.parametrize("rough, least", [(False, 0.98), (True, 0.85)])
def test_who_is_there_twice_is_found_and_nobody_else_is_joined(business, rough, least):
    request, _ = business
    found = quality(request.out, rough)
    assert found["pairs"] > 10
    assert found["precision"] >= 0.999
    assert found["recall"] >= least
