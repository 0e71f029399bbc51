"""What the benchmark says of a peer that did not finish."""

import pytest

from benchmarks.measure import Measured
from benchmarks.scale import why


@pytest.mark.parametrize(
    ("code", "said", "cell"),
    [
        (-9, "FutureWarning: something else\n", "killed after 12 s at 3,800 MB (out of memory or of time)"),
        (1, "Traceback\nMemoryError: a | b\n\n", "MemoryError: a / b"),
        (3, "", "exit code 3"),
    ],
)
def test_a_peer_that_did_not_finish_has_its_reason_in_one_cell(code, said, cell):
    assert why(Measured(12.0, 3800.0, code, "", said)) == cell
