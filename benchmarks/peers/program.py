"""What every peer's program does around its two tables: read the arguments, time each table, say it as JSON."""

import json
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

TRANSACTIONS = "transactions*.parquet"
TABLES = ("customer_day", "customer_features")


class Stopwatch:
    """Seconds by table since the last mark."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, table: str) -> None:
        now = time.perf_counter()
        self.seconds[table] = now - self._last
        self._last = now


def run(build: Callable[[Path, date, Path, Stopwatch], None]) -> None:
    """Call `build` with the landing folder, the as-of date, the output folder and a watch that marks each table."""
    landing, as_of, out = Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    watch = Stopwatch()
    build(landing, as_of, out, watch)
    print(json.dumps(watch.seconds))


def transactions(landing: Path) -> str:
    """Pattern of the landed transaction files."""
    return str(landing / TRANSACTIONS)
