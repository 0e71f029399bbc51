"""What a night costs at growing sizes, the least it could cost and what a user would pick instead: `make bench`.

For each size a simulated business is made, then measured, each as a process of its own: the cold job (everything from
landed files to published tables), nights that bring one more day, the floor (a hand-written DuckDB script for the same
features, segments and scores), our feature build through dbt alone, and the same two feature tables by polars, pandas
and Spark, all compared cell by cell. Prints tables and writes `docs/benchmarks.md` and `docs/benchmarks.png`.

    python -m benchmarks.scale                  sizes S and M
    python -m benchmarks.scale --sizes S M L    L takes about half an hour and 20 GB of disk
"""

import argparse
import json
import re
import shutil
import signal
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb

from assets.shared.quoting import literal
from benchmarks.measure import Measured, measure
from benchmarks.peers.equality import differences
from benchmarks.peers.program import TABLES

ROOT = Path(__file__).resolve().parents[1]
SEED = 1
#: A peer that takes more is killed, before the system kills something else.
MOST_PEER_MB = 18_000
PEERS = ("polars", "pandas", "spark")
LIBRARIES = (
    "dagster",
    "dbt-core",
    "dbt-duckdb",
    "duckdb",
    "great-expectations",
    "scikit-learn",
    "pyarrow",
    "polars",
    "pandas",
    "pyspark",
)
STEP = re.compile(r"\[\s*([\d.]+) s\]\s+(\w+) done in ([\d.]+) s")


@dataclass(frozen=True)
class Size:
    """name: what the report calls it. repeats: how often floor and peers run. nights: days that arrive one by one.
    retrain_limit: the engine's memory while a fresh model is trained after them; None trains none."""

    name: str
    lines: int
    customers: int
    repeats: int
    nights: int = 3
    peers: tuple[str, ...] = PEERS
    memory_limit: str | None = None
    retrain_limit: str | None = None


SIZES = {
    size.name: size
    for size in (
        Size("0", 20_000, 500, 3, peers=()),  # almost no data: what the stack itself costs
        Size("S", 1_000_000, 20_000, 3),
        Size("M", 10_000_000, 250_000, 3, retrain_limit="4GB"),
        # A line of Spark here says nothing new, and takes longest.
        Size(
            "L",
            100_000_000,
            2_000_000,
            1,
            nights=2,
            peers=("polars", "pandas"),
            memory_limit="6GB",
            retrain_limit="4GB",
        ),
    )
}


@dataclass
class Result:
    """Everything measured at one size; a peer that failed has its last line of error in `failed`."""

    size: Size
    landed_mb: float = 0.0
    simulate: Measured | None = None
    cold: Measured | None = None
    nights: list[Measured] = field(default_factory=list)
    floor: list[Measured] = field(default_factory=list)
    build: list[Measured] = field(default_factory=list)
    peers: dict[str, list[Measured]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    unequal: dict[str, dict[str, int]] = field(default_factory=dict)
    retrain: Measured | None = None
    training_rows: int = 0


def python(*arguments: str | Path) -> list[str]:
    return [sys.executable, *(str(argument) for argument in arguments)]


def must(measured: Measured, what: str) -> Measured:
    """`measured`, or out with what the process said."""
    if measured.code:
        sys.exit(f"{what} failed with {measured.code}:\n{measured.said[-4000:]}")
    return measured


def tell(words: str) -> None:
    print(f"bench: {words}", file=sys.stderr, flush=True)


def run_size(size: Size, folder: Path) -> Result:
    """Simulate and measure one size in `folder`."""
    result = Result(size)
    business, home = folder / "business", folder / "home"
    tell(f"size {size.name}: simulating {size.lines:,} lines of {size.customers:,} customers")
    result.simulate = must(
        measure(
            python(
                "-m",
                "pipelines.cli",
                "simulate",
                "--lines",
                str(size.lines),
                "--customers",
                str(size.customers),
                "--seed",
                str(SEED),
                "--nights",
                str(size.nights),
                "--out",
                business,
                # The truth is for judging models, not for timing them.
                "--truth-months",
                "0",
                "--knowable-customers",
                "1000",
            )
        ),
        "simulate",
    )
    landing = business / "landing"
    result.landed_mb = sum(f.stat().st_size for f in landing.rglob("*") if f.is_file()) / 1e6
    as_of = date.fromisoformat((business / "last_date").read_text().strip())
    environment = {"HOLDFAST_HOME": str(home)}
    if size.memory_limit:
        environment["HOLDFAST_MEMORY_LIMIT"] = size.memory_limit

    def nightly(day: date) -> Measured:
        return must(
            measure(
                # The floor knows the fixed nodes alone.
                python(
                    *("-m", "pipelines.cli", "run", "--source", business / "source.yml", "--as-of", str(day)),
                    *("--param", "lifecycle_mode=fixed"),
                ),
                environment,
            ),
            f"holdfast run --as-of {day}",
        )

    tell(f"size {size.name}: cold job as of {as_of}")
    result.cold = nightly(as_of)
    for _ in range(size.repeats):
        tell(f"size {size.name}: floor")
        result.floor.append(
            must(
                measure(
                    python("-m", "benchmarks.floor", landing, as_of, home / "models", fresh(folder / "floor")),
                    environment,
                ),
                "floor",
            )
        )
        tell(f"size {size.name}: feature build through dbt")
        built = measure(python("-m", "benchmarks.feature_build", as_of), environment)
        result.build.append(must(built, "feature build"))
    for peer in size.peers:
        compare(result, peer, landing, as_of, folder, home)
    result.unequal["floor"] = unequal(home, folder / "floor")
    for night in sorted((business / "nights").iterdir()):
        for file in night.iterdir():
            shutil.copy2(file, landing)
        tell(f"size {size.name}: the night after {night.name}")
        as_of = date.fromisoformat(night.name) + timedelta(days=1)
        result.nights.append(nightly(as_of))
    if size.retrain_limit:
        tell(f"size {size.name}: a fresh model")
        result.retrain = must(
            measure(
                python("-m", "pipelines.cli", "retrain", "--source", business / "source.yml", "--as-of", str(as_of)),
                environment | {"HOLDFAST_MEMORY_LIMIT": size.retrain_limit},
            ),
            "holdfast retrain",
        )
        newest = max((home / "models").glob("*/card.json"), key=lambda card: card.stat().st_mtime)
        result.training_rows = json.loads(newest.read_text())["data"]["n_training_rows"]
    return result


def compare(result: Result, peer: str, landing: Path, as_of: date, folder: Path, home: Path) -> None:
    """Run one peer as often as asked; one that cannot (memory, no Java) is recorded and not repeated."""
    runs = []
    for _ in range(result.size.repeats):
        tell(f"size {result.size.name}: {peer}")
        out = fresh(folder / peer)
        measured = measure(
            python("-m", f"benchmarks.peers.{peer}", landing, as_of, out),
            {"SPARK_LOCAL_IP": "127.0.0.1"},
            timeout=1800,
            most_mb=MOST_PEER_MB,
        )
        if measured.code:
            result.failed[peer] = why(measured)
            return
        runs.append(measured)
    result.peers[peer] = runs
    result.unequal[peer] = unequal(home, folder / peer)
    shutil.rmtree(folder / peer)


def why(measured: Measured) -> str:
    """Why a peer did not finish, as a table cell. A killed process says nothing of it."""
    if measured.code == -signal.SIGKILL:
        return f"killed after {measured.seconds:,.0f} s at {measured.peak_mb:,.0f} MB (out of memory or of time)"
    said = [line.strip() for line in measured.said.splitlines() if line.strip()]
    return said[-1][:120].replace("|", "/") if said else f"exit code {measured.code}"


def unequal(home: Path, made: Path) -> dict[str, int]:
    """Cells that differ between our two feature tables and those in `made`, as `table.column`."""
    found = {}
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        made_tables = _made_tables(con, made)
        for table in TABLES:
            # Peers see purchases only: customers who never bought are no rows of theirs.
            bought = " where n_orders > 0" if table == "customer_features" else ""
            con.execute(f"create or replace temp view ours as select * from features.{table}{bought}")
            different = differences(con, table, "ours", made_tables[table])
            found |= {f"{table}.{column}": n for column, n in different.items()}
        if (made / "floor.duckdb").exists():
            found |= _unequal_results(con)
    return found


def _made_tables(con: duckdb.DuckDBPyConnection, made: Path) -> dict[str, str]:
    """Name of the relation that holds each table made in `made`, known to `con`."""
    if (made / "floor.duckdb").exists():
        con.execute(f"attach {literal(made / 'floor.duckdb')} as made (read_only)")
        return {table: f"made.main.{table}" for table in TABLES}
    found = {}
    for table in TABLES:
        path = made / f"{table}.parquet"
        files = str(path / "*.parquet") if path.is_dir() else str(path)
        found[table] = f"read_parquet({literal(files)})"
    return found


def _unequal_results(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Customers whose segment or score differs between ours and the floor, by column."""
    columns = ("r_score", "f_score", "m_score", "value_class", "lifecycle_stage", "churn_probability")
    counts = (
        ", ".join(f"count(*) filter (ours.{c} is distinct from made.{c}) as {c}" for c in columns[:-1])
        + ", count(*) filter (abs(ours.churn_probability - made.churn_probability) > 1e-6"
    )
    row = con.execute(
        f"""
        with
        ours as (
            select customer_id, r_score, f_score, m_score, value_class, lifecycle_stage, churn_probability
            from segments.customer_rfm
            inner join segments.customer_value using (customer_id)
            inner join segments.customer_lifecycle using (customer_id)
            inner join score.churn_scores using (customer_id)
            where lifecycle_stage <> 'never_purchased'
        ),
        made as (
            select segments.* replace (segments.customer_id::varchar as customer_id), scores.churn_probability
            from made.main.segments
            left join made.main.scores on segments.customer_id::varchar = scores.customer_id
        )
        select {counts} or (ours.churn_probability is null) <> (made.churn_probability is null)) as churn_probability
        from ours full join made on ours.customer_id = made.customer_id
        """
    ).fetchall()[0]
    return {f"scores and segments.{name}": n for name, n in zip(columns, row, strict=True) if n}


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=[*SIZES], default=["S", "M"])
    parser.add_argument("--folder", type=Path, help="where the businesses are made; default: a temporary folder")
    parser.add_argument("--keep", action="store_true", help="keep what was made")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="holdfast-bench-", dir=arguments.folder))
    results = []
    for name in ["0", *arguments.sizes]:
        results.append(run_size(SIZES[name], folder / name))
        if not arguments.keep:
            shutil.rmtree(folder / name)
        if len(results) > 1:  # the first is the fixed cost alone
            write(results)
    if not arguments.keep:
        shutil.rmtree(folder)


def write(results: list[Result]) -> None:
    """Report and picture of what is known so far: a long benchmark that is interrupted has not run for nothing."""
    from benchmarks.report import draw, render

    report = render(results)
    print(report)
    (ROOT / "docs" / "benchmarks.md").write_text(report)
    (ROOT / "docs" / "benchmarks.png").write_bytes(draw(results))


def steps(measured: Measured) -> dict[str, float]:
    """Seconds by step of a `holdfast run`."""
    return {name: float(seconds) for _, name, seconds in STEP.findall(measured.said)}


def table_seconds(measured: Measured) -> dict[str, float]:
    """Seconds by table that a peer, the floor or our feature build says of itself."""
    return json.loads(measured.out.splitlines()[-1])


def median(measured: list[Measured], of: str = "seconds") -> float:
    return statistics.median(getattr(m, of) for m in measured)


if __name__ == "__main__":
    main()
