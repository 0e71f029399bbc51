"""How well the published day of the next order and the chances of none are known: `python -m benchmarks.return_curve`.

* The businesses of `benchmarks.regret`; with names, theirs alone. At each cutoff the product trains as of that day and
  says of every customer what it would publish; the days after it decide. Nothing of them is seen before.
* The day of the next order, of customers who have one and who come within the horizon: mean absolute error beside the
  median wait of earlier customers and the own mean gap, and the share that the interval of 80 % holds.
* The chance of no order within each published number of days: mean, share that stayed away, log loss beside that of the
  share that was seen at earlier cutoffs.

Prints two tables. Never run as a test.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np

from assets.model.churn_features import FEATURES
from assets.model.retention_model import RetentionModel
from assets.model.return_curve import History
from assets.model.season import season_shift
from assets.model.value_model import has_date
from assets.shared.params import load_params
from assets.train.cutoffs import plan_cutoffs
from assets.train.snapshot_rows import read_histories, read_snapshots
from assets.train.training import is_contractual, train_on
from assets.train.training_data import Origin, TrainingData
from assets.train.value.return_curve import (
    CURVE,
    Waits,
    learn_base,
    learn_from_waits,
    measure_curve,
    measure_next_order,
    waits_of,
)
from benchmarks import regret
from benchmarks.models import ROOT


@dataclass(frozen=True)
class Graded:
    """One cutoff of one business: metric of value_performance by target, window, who and name."""

    business: str
    horizon_days: int
    cutoff: date
    n_dated: int
    values: dict[tuple[str, int, str, str], float]


def main(names: Sequence[str]) -> None:
    """Measure the businesses whose names are given, or all."""
    cdnow = Path(os.environ.get("BENCH_CDNOW", ROOT.parent / "shared" / "data" / "cdnow"))
    found: list[Graded] = []
    with tempfile.TemporaryDirectory(prefix="bench-curve-", dir=os.environ.get("BENCH_KEEP")) as work:
        for business in regret.BUSINESSES:
            if names and business.name not in names:
                continue
            here = Path(work) / business.name.replace(" ", "-")
            here.mkdir()
            source = regret.source_of(business, cdnow, here)
            settings, last = regret.prepare(business, source, here / "home")
            for horizon, cutoffs in business.cases.items():
                regret.build_snapshots(settings, horizon, cutoffs, last)
                found += grade(business.name, settings.warehouse, horizon, cutoffs, last)
    print(render(found))


def grade(name: str, warehouse: Path, horizon_days: int, cutoffs: Sequence[date], last: date) -> list[Graded]:
    """Train and publish at each cutoff of a warehouse that holds the snapshots; what came before `last` decides."""
    params, found = load_params({"churn_horizon_days": horizon_days}), []
    with duckdb.connect(str(warehouse), read_only=True) as con:
        first = con.execute("select min(day) from features.customer_day").fetchall()[0][0]
        for cutoff in cutoffs:
            plan = plan_cutoffs(cutoff, first, params)
            rows = read_snapshots(con, plan.cutoffs, horizon_days, params.train_max_rows, cutoff)
            contractual = is_contractual(con, plan, params)
            data = TrainingData(rows, plan, params, {}, contractual, read_histories(con, cutoff))
            trained = train_on(data, Origin((name,), datetime(2000, 1, 1), first, cutoff))
            model = RetentionModel(trained.card, trained.churn, trained.margin, season_shift(trained.card, cutoff))
            waits = waits_of(con, trained.said, params, contractual)
            published = learn_from_waits(learn_base(con, cutoff, params), waits, cutoff)
            matrix, wait = _customers(con, cutoff, horizon_days, last)
            churn, history = model.churn_probability(matrix), History.of(matrix)
            own = published.own_hazard(history)
            at_horizon = published.none_by_history(own) if contractual else churn
            today = Waits(cutoff, published, history, own, at_horizon, has_date(churn), wait)
            measured = measure_next_order([*waits, today], [cutoff])
            measured += [] if contractual else measure_curve([*waits, today], last)
            values = {
                (row["target"], row["window_days"], row["candidate_model"], row["metric"]): row["value"]
                for row in measured
                if row["cutoff_date"] == cutoff.isoformat() and row["value"] is not None
            }
            found.append(Graded(name, horizon_days, cutoff, len(today.came()), values))
            print(f"{name} {horizon_days} {cutoff}: {values.get(('next_order', horizon_days, CURVE, 'mae_days'))}")
    return found


def _customers(
    con: duckdb.DuckDBPyConnection, cutoff: date, horizon_days: int, last: date
) -> tuple[np.ndarray, np.ndarray]:
    """Features of the customers of a cutoff and the days to their next order, NaN where none came before `last`."""
    names = ", ".join(f"snapshots.{name}::double as {name}" for name in FEATURES)
    found = con.execute(
        f"""select (label_next_order_on - cutoff_date)::double as wait_days, {names}
        from features.training_snapshots as snapshots where cutoff_date = ? and horizon_days = ?
        order by md5(customer_id)""",
        [cutoff, horizon_days],
    ).fetchnumpy()
    columns = [np.ma.filled(np.ma.asarray(values, dtype=float), np.nan) for values in found.values()]
    wait = np.where(columns[0] < (last - cutoff) / timedelta(1), columns[0], np.nan)
    return np.column_stack(columns[1:]), wait


def render(found: Sequence[Graded]) -> str:
    """Both tables, Markdown."""
    lines = [
        "| business | horizon | cutoff | who came | return curve, days off | median wait | own gap | interval holds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in found:
        at = {(who, metric): v for (target, _, who, metric), v in each.values.items() if target == "next_order"}
        off = [at.get((who, "mae_days"), float("nan")) for who in (CURVE, "usual_wait", "own_gap")]
        lines.append(
            f"| {each.business} | {each.horizon_days} | {each.cutoff} | {each.n_dated:,} | "
            + " | ".join(f"{value:.2f}" for value in off)
            + f" | {at.get((CURVE, 'coverage'), float('nan')):.2f} |"
        )
    lines += [
        "",
        "| business | horizon | cutoff | no order within | said | came true | log loss | of the usual share |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in found:
        for days in sorted({window for target, window, _, _ in each.values if target == "no_order"}):
            shown = [
                each.values.get(("no_order", days, *which), float("nan"))
                for which in (
                    (CURVE, "mean_predicted"),
                    (CURVE, "observed_share"),
                    (CURVE, "log_loss"),
                    ("usual_share", "log_loss"),
                )
            ]
            lines.append(
                f"| {each.business} | {each.horizon_days} | {each.cutoff} | {days} | "
                + " | ".join(f"{value:.3f}" for value in shown)
                + " |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
