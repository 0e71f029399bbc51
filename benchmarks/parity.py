"""Whether nights on Spark equal nights on DuckDB: `make parity`.

A simulated business is made, and some of its lines are held back. Each engine gets a home of its own and runs the same
three nights, in the second and third of which the late lines arrive. Then every table of the stages is compared: exact,
but 1e-9 of their size for doubles. Prints each table with how it differs and ends with 1 where one does.

    python -m benchmarks.parity                     100,000 lines
    python -m benchmarks.parity --lines 1000000
"""

import argparse
import shutil
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb

from assets.shared.quoting import literal
from benchmarks.measure import Measured, measure, workspace
from simulation.business import Request, simulate
from tests.spark.parity import compare

ENGINES = ("duckdb", "spark")
SCHEMAS = ("staging", "features", "segments", "candidates", "measure", "marts")
SEED = 1
LATE_NIGHTS = 2
#: One line in so many comes late, on each of the late nights.
ONE_IN = 40


def main() -> None:
    parser = argparse.ArgumentParser(description="compare nights on Spark with nights on DuckDB")
    parser.add_argument("--lines", type=int, default=100_000, help="lines of the history")
    parser.add_argument("--variant", choices=("shop", "bank"), default="shop")
    asked = parser.parse_args()
    with workspace("parity") as folder:
        business = folder / "business"
        customers = max(asked.lines // 50, 500)
        simulate(Request(asked.lines, customers, SEED, LATE_NIGHTS, business, asked.variant, cutoffs=0))
        hold_back(business)
        for night, as_of in enumerate(nights(business)):
            for engine in ENGINES:
                run = nightly(engine, folder / engine, business, as_of)
                print(f"night {night + 1} {engine}: {run.seconds:.0f} s, {run.peak_mb:,.0f} MB", flush=True)
        found = compare(folder / "spark" / "warehouse.duckdb", folder / "duckdb" / "warehouse.duckdb", SCHEMAS)
    for table, words in found.items():
        print(f"{table}: {words or 'equal'}")
    print(f"{sum(not words for words in found.values())} of {len(found)} tables are equal")
    sys.exit(1 if any(found.values()) else 0)


def hold_back(business: Path) -> None:
    """Take one line in ONE_IN out of each file of transactions in `landing/` for each late night, and put them into
    that night's folder of `nights/`."""
    late = sorted((business / "nights").iterdir())
    with duckdb.connect() as con:
        for file in sorted((business / "landing").glob("transactions*.parquet")):
            con.execute(f"create or replace temp table lines as select *, row_number() over () % {ONE_IN} as part"
                        f" from read_parquet({literal(file)})")  # fmt: skip
            for part, night in enumerate(late):
                _write(con, f"part = {part}", night / f"{file.stem}_late_{night.name}.parquet")
            _write(con, f"part >= {len(late)}", file)


def _write(con: duckdb.DuckDBPyConnection, where: str, file: Path) -> None:
    con.execute(f"copy (select * exclude (part) from lines where {where}) to {literal(file)} (format parquet)")


def nights(business: Path) -> Iterator[date]:
    """The as-of dates in order; before each but the first, the files of that night arrive in `landing/`."""
    yield date.fromisoformat((business / "last_date").read_text().strip())
    for night in sorted((business / "nights").iterdir()):
        shutil.copytree(night, business / "landing", dirs_exist_ok=True)
        yield date.fromisoformat(night.name) + timedelta(days=1)


def nightly(engine: str, home: Path, business: Path, as_of: date) -> Measured:
    """One night of one engine as a process of its own; ends the program where it fails."""
    command = ["-m", "pipelines.cli", "run", "--source", str(business / "source.yml"), "--as-of", str(as_of)]
    settings = {"HOLDFAST_HOME": str(home), "HOLDFAST_TARGET": engine, "HOLDFAST_SPARK_URL": "local[2]"}
    measured = measure([sys.executable, *command], settings)
    if measured.code:
        sys.exit(f"the night {as_of} on {engine} failed with {measured.code}:\n{measured.said[-4000:]}")
    return measured


if __name__ == "__main__":
    main()
