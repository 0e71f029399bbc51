"""How fast customers are scored and explained, and in how much memory: `python -m benchmarks.scoring [HOME]`.

Takes the features and the newest model of a home that has been run once (default: the environment's), repeats the
customers under other ids to 0.2, 1 and 2 million rows, and scores and explains each size in a process of its own with
the parameters of the project: everybody is scored, those on the list are explained in two languages, and all are
compared with earlier published scores. Prints for both stages rows a minute and seconds of processors (on a busy
machine the telling figure), and the peak of the process's resident memory.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb

from assets.model import model_store
from assets.shared.params import load_params
from assets.shared.settings import Settings, load_settings

SIZES = (200_000, 1_000_000, 2_000_000)
#: What DuckDB may keep in memory; a buffer pool of 80 % of the machine would hide what scoring itself needs.
MEMORY_LIMIT = "300MB"


def replicate(source: Path, target: Path, n_rows: int) -> tuple[date, int]:
    """A warehouse whose `features.customer_features` repeats the source's eligible customers up to `n_rows`, each with
    its own id and slightly other amounts, so that no two have the same sentence by construction."""
    with duckdb.connect(str(target)) as con:
        con.execute(f"attach '{source}' as source (read_only)")
        con.execute("create schema features")
        n = con.execute("select count(*) from source.features.customer_features").fetchall()[0][0]
        columns = [row[0] for row in con.execute("describe source.features.customer_features").fetchall()]
        amounts = {"average_order_value", "net_sales_total", "net_sales_90d", "first_order_amount"}
        chosen = ", ".join(
            "customer_id || '-' || copy as customer_id"
            if name == "customer_id"
            else f"{name} * (1 + 0.0001 * copy) as {name}"
            if name in amounts
            else name
            for name in columns
        )
        con.execute(
            f"""create table features.customer_features as select {chosen}
            from source.features.customer_features, range({-(-n_rows // n)}) as r(copy) limit {n_rows}"""
        )
        return con.execute("select max(as_of_date), count(*) from features.customer_features").fetchall()[0]


def score_once(work: Path, model_id: str, models: Path, as_of: date, has_earlier: bool) -> dict[str, float]:
    """One scoring of `work`/warehouse.duckdb in this process."""
    from assets.explain.earlier import Earlier
    from assets.explain.score_reasons import write_reasons
    from assets.score.scores import write_scores

    model, value = model_store.load_model(models, model_id), model_store.load_value_model(models, model_id)
    with duckdb.connect(str(work / "warehouse.duckdb")) as con:
        con.execute("set preserve_insertion_order = false")
        con.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
        con.execute(f"set temp_directory = '{work}'")
        earlier = None
        if has_earlier:
            path = work / "earlier.parquet"
            names = con.execute("select name from parquet_schema(?)", [str(path)]).fetchall()
            earlier = Earlier(as_of, path, frozenset(row[0] for row in names), model_id, replace(model), None)
        con.execute("create schema if not exists actions")
        con.execute(
            "create table if not exists actions.contact_plan (as_of_date date, customer_id varchar, decision varchar)"
        )
        params = load_params()
        score = _timed(lambda: write_scores(con, as_of, model, value, params))
        explain = _timed(lambda: write_reasons(con, as_of, model, params, earlier))
        n_rows, explained = con.execute(
            "select count(*), count(*) filter (where is_explained) from explain.score_reasons"
        ).fetchall()[0]
        if not has_earlier:
            con.execute(
                "copy (select * from score.churn_scores"
                " inner join explain.score_reasons using (as_of_date, customer_id))"
                f" to '{work}/earlier.parquet' (format parquet)"
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "rows": n_rows,
        "explained": explained,
        "seconds": score[0] + explain[0],
        "cpu_score": score[1],
        "cpu_explain": explain[1],
        "peak_mib": peak,
    }


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock and of processors."""
    began, cpu_began = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - cpu_began


def measure(settings: Settings, n_rows: int) -> None:
    model_id = model_store.list_models(settings.models)[-1]
    with tempfile.TemporaryDirectory(dir=settings.home) as folder:
        as_of, _ = replicate(settings.warehouse, Path(folder) / "warehouse.duckdb", n_rows)
        for kind in ("first night", "with changes"):
            command = [
                sys.executable,
                "-m",
                "benchmarks.scoring",
                "--work",
                folder,
                "--model",
                model_id,
                "--as-of",
                str(as_of),
                "--models",
                str(settings.models),
            ]
            done = subprocess.run(
                command + ["--earlier"] * (kind == "with changes"), check=True, capture_output=True, text=True
            )
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{found['rows']:>9,} rows, {found['explained']:>9,} explained, {kind:<12}  {found['seconds']:6.1f} s"
                f" ({found['cpu_score']:.1f} + {found['cpu_explain']:.1f} s of processors to score and explain)"
                f"  {60 * found['rows'] / found['seconds'] / 1e6:5.2f} M rows a minute"
                f"  peak {found['peak_mib']:,.0f} MiB",
                flush=True,
            )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("home", nargs="?", help="a home that has been run once")
    options.add_argument("--rows", type=int, nargs="*", default=SIZES)
    options.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--model", help=argparse.SUPPRESS)
    options.add_argument("--models", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--as-of", type=date.fromisoformat, help=argparse.SUPPRESS)
    options.add_argument("--earlier", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.work:
        print(json.dumps(score_once(chosen.work, chosen.model, chosen.models, chosen.as_of, chosen.earlier)))
        return
    if chosen.home:
        os.environ["HOLDFAST_HOME"] = chosen.home
    settings = load_settings()
    for n_rows in chosen.rows:
        measure(settings, n_rows)


if __name__ == "__main__":
    main()
