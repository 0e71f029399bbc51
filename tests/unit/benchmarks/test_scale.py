"""What the benchmark says of a peer that did not finish."""

import signal
import sys

import pytest

from benchmarks.measure import Measured, measure
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


def test_a_process_that_takes_more_memory_than_it_may_is_killed():
    hungry = [sys.executable, "-c", "import time; held = bytearray(300_000_000); time.sleep(60)"]
    measured = measure(hungry, most_mb=150)
    assert measured.code == -signal.SIGKILL and measured.peak_mb > 150
