"""A file far larger than the memory that landing may use. Minutes, so a campaign."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from landed_shop import HEADER, Shop

ROOT = Path(__file__).resolve().parents[3]

#: 40 bytes a line: 12 million lines are about half a gigabyte.
N_LINES = int(os.environ.get("HOLDFAST_TEST_LARGE_LINES", 12_000_000))

LAND = """
import re, sys
from pathlib import Path
from assets.ingest.sources import resolve_source
from assets.shared.settings import Settings
(batch,) = resolve_source(sys.argv[1]).land(Settings(home=Path(sys.argv[2]), sources=("shop",), memory_limit="400MB"))
# Not ru_maxrss: a process inherits that of the one which started it, here a worker with many tests behind it.
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(batch.rows_in, batch.rows_accepted, batch.rows_quarantined, int(peak[1]) // 1024)
"""


@pytest.mark.campaign
def test_a_file_larger_than_the_memory_limit_is_landed_within_it(tmp_path):
    shop = Shop(tmp_path)
    with (shop.folder / "sales.csv").open("w") as file:
        file.write(HEADER + "\n")
        for start in range(0, N_LINES, 100_000):
            file.writelines(
                f"{n % 5000},o{n},1,2024-{n % 12 + 1:02d}-{n % 28 + 1:02d} 10:00:00,{n % 100}.50\n"
                for n in range(start, min(start + 100_000, N_LINES))
            )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            LAND,
            str(shop.describe({"columns": {"customer_id": "who", "occurred_at": "when", "amount": "money"}})),
            str(shop.home),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows_in, accepted, quarantined, peak_mb = map(int, done.stdout.split())
    assert (rows_in, accepted, quarantined) == (N_LINES, N_LINES, 0)
    # The engine's limit, the process with its libraries, and two chunks of text.
    assert peak_mb < 1_000
