"""How good the churn model is, on sets with known figures: `make bench-models`.

* CDNOW (`BENCH_CDNOW`, the folder with the master and the tenth sample; horizon 90, six cutoffs), Complete Journey (the
  built-in source; horizon 30, five cutoffs), and a business from `holdfast simulate` whose true probabilities are
  known.
* At each cutoff the product trains as of that day, as `holdfast retrain --as-of` would: its model selection chooses by
  validation cutoffs
  whose labels had closed, and the model it keeps scores the day. Nothing of the days after a cutoff is seen, and no
  choice of this project was made by these cutoffs (docs/model-quality.md says what was tried, and on which validation
  cutoffs).
* BG/NBD on the tenth sample against the published estimates.

Writes docs/model-quality.md and docs/model-quality.png. In portions: with `BENCH_KEEP=FOLDER` homes and results stay
there, and names of sets (CDNOW, "Complete Journey", "Simulated business") measure theirs alone. Never run as a test.
"""

import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np

from assets.dbt import runner
from assets.model import model_store, purchase_fit
from assets.model.candidate_models import NAMES, fit_candidate_models
from assets.model.churn_features import FEATURES
from assets.model.retention_model import RetentionModel, model_on
from assets.model.snapshots import Snapshots
from assets.model.threads import one_thread
from assets.model.value_model import Value, column
from assets.shared.params import Params, load_params
from assets.shared.plots import BLUE, GREY, ORANGE, canvas
from assets.shared.settings import Settings, load_settings
from assets.train import metrics
from assets.train.cutoffs import plan_cutoffs
from assets.train.out_of_time import fittable, nothing_to_learn
from assets.train.snapshot_rows import read_histories, read_snapshots
from assets.train.training import Trained, is_contractual, train_on
from assets.train.training_data import Origin, TrainingData
from assets.train.value.cutoffs import plan_value_cutoffs
from assets.train.value.performance import rank_correlation
from assets.train.value.rows import enough_customers_on
from assets.train.value.training import ValueTask, fit_value
from benchmarks.measure import kept_or, machine, versions, workspace

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = {
    "r": 0.243,
    "alpha": 4.414,
    "a": 0.793,
    "b": 2.426,
    "log-likelihood": -9582.4,
    "hold-out correlation": 0.626,
}
SIMULATED_NAME = "Simulated business"
SIMULATED = {"lines": 600_000, "customers": 12_000, "years": 3, "seed": 11}


@dataclass(frozen=True)
class Set:
    """A set, its horizon and its test cutoffs. goals: metric → figure to reach on active customers."""

    name: str
    horizon_days: int
    cutoffs: tuple[date, ...]
    goals: dict[str, float]


def _days(text: str) -> tuple[date, ...]:
    return tuple(date.fromisoformat(day) for day in text.split())


CDNOW = Set(
    "CDNOW",
    90,
    _days("1997-11-03 1997-12-03 1998-01-02 1998-02-01 1998-03-03 1998-04-02"),
    {"auc": 0.725, "ece": 0.02},
)
JOURNEY = Set(
    "Complete Journey",
    30,
    _days("2017-08-03 2017-09-02 2017-10-02 2017-11-01 2017-12-01"),
    {"auc": 0.865, "average_precision": 0.39, "ece": 0.02},
)


@dataclass(frozen=True)
class Scored:
    """One test cutoff: what the product said, what each candidate model would have said (uncalibrated log-odds), what
    happened. truth: the true probabilities by name, for a simulated business. money: as `money_of` has it; empty for a
    part of a business."""

    cutoff: date
    is_churned: np.ndarray
    is_active: np.ndarray
    probability: np.ndarray
    candidate_models: dict[str, np.ndarray]
    chosen: str
    reason: str
    seconds: float
    truth: dict[str, np.ndarray]
    money: dict[str, float]


def main(names: Sequence[str]) -> None:
    """Prepare, train and score the sets whose names are given, or all; with all, check the published estimates and
    write the report."""
    folder = Path(os.environ.get("BENCH_CDNOW", ROOT.parent / "shared" / "data" / "cdnow"))
    results: dict[str, list[Scored]] = {}
    with workspace("models") as here:
        has_cdnow = (folder / "CDNOW_master.txt").exists()
        if not has_cdnow:
            print(f"no CDNOW in {folder}: left out")
        sources = {
            CDNOW.name: lambda: cdnow_source(folder, here),
            JOURNEY.name: lambda: None,
            SIMULATED_NAME: lambda: simulated_source(here),
        }
        homes = {CDNOW.name: here / "cdnow", JOURNEY.name: here / "journey", SIMULATED_NAME: here / "business"}
        truth = here / "simulated" / "truth" / "churn"
        sets = []
        for name, source_of in sources.items():
            if (names and name not in names) or (name == CDNOW.name and not has_cdnow):
                continue
            source = source_of()
            which = {CDNOW.name: CDNOW, JOURNEY.name: JOURNEY}.get(name) or simulated_set(here / "simulated")
            sets.append(which)

            def measured(which: Set = which, source: Path | None = source) -> list[Scored]:
                settings = prepare(which, source, homes[which.name])
                return score(which, settings, truth if which.name == SIMULATED_NAME else None)

            results[name] = kept_or(homes[name].with_suffix(".pickle"), measured)
        if names:
            return
        published = check_published(folder / "CDNOW_sample.txt") if has_cdnow else None
        report = render(sets, results, {s.name: profit_lines(homes[s.name]) for s in sets}, published)
        (ROOT / "docs" / "model-quality.md").write_text(report)
        (ROOT / "docs" / "model-quality.png").write_bytes(draw(sets, results))
    print(report)


def simulated_source(here: Path) -> Path:
    """The YAML of the simulated business, made unless it is there."""
    source = here / "simulated"
    if not (source / "source.yml").exists():
        sizes = [text for key in ("lines", "customers", "seed", "years") for text in (f"--{key}", str(SIMULATED[key]))]
        run_command(["pipelines.cli", "simulate", *sizes, "--out", str(source)], here)
    return source / "source.yml"


def simulated_set(source: Path) -> Set:
    """Its horizon, and the newest months whose outcomes and true probabilities are known."""
    truths = sorted((source / "truth" / "churn").glob("*.parquet"))
    last = date.fromisoformat((source / "last_date").read_text().strip())
    horizon = duckdb.sql(f"select min(horizon_days) from '{truths[0]}'").fetchall()[0][0]
    known = [d for path in truths if (d := date.fromisoformat(path.stem)) + timedelta(horizon) <= last]
    return Set(SIMULATED_NAME, horizon, tuple(known[-6:]), {"ece": 0.02})


def prepare(which: Set, source: Path | None, home: Path) -> Settings:
    """A home whose warehouse holds the snapshots that trainings as of the cutoffs need, and the cutoffs themselves."""
    last = max(which.cutoffs) + timedelta(which.horizon_days)
    os.environ.update(HOLDFAST_HOME=str(home), HOLDFAST_SOURCES=str(source) if source else "completejourney")
    settings = load_settings()
    if not settings.warehouse.exists():
        asked = ["pipelines.cli", "run", "--as-of", last.isoformat()]
        asked += ["--param", f"churn_horizon_days={which.horizon_days}"]
        said = run_command([*asked, *(["--source", str(source)] if source else [])], home, check=False)
        if not settings.warehouse.exists():
            sys.exit(said)
    build_snapshots(settings, which.horizon_days, which.cutoffs, last)
    return settings


def build_snapshots(settings: Settings, horizon_days: int, cutoffs: Sequence[date], last: date) -> None:
    """The snapshots of one horizon that trainings as of the cutoffs need, and the cutoffs themselves, as far as they
    are not there. last: a day when all outcomes are known."""
    params = load_params({"churn_horizon_days": horizon_days})
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        first_day = con.execute("select min(day) from features.customer_day").fetchall()[0][0]
        wanted = set(cutoffs)
        for cutoff in cutoffs:
            wanted |= set(plan_cutoffs(cutoff, first_day, params).cutoffs)
            value = plan_value_cutoffs(cutoff, enough_customers_on(con, params.train_min_customers, cutoff), params)
            wanted |= set(value.cutoffs if value else ())
        have = con.execute(
            "select distinct cutoff_date from features.training_snapshots where horizon_days = ?", [horizon_days]
        ).fetchall()
    missing = sorted(wanted - {row[0] for row in have})
    if not missing:
        return
    variables = runner.dbt_vars(params, last.isoformat(), "bench", [cutoff.isoformat() for cutoff in missing])
    done = runner.build_nodes(settings, None, ["lifecycle_nodes", "training_snapshots"], variables)
    failed = [each.message for each in done if not each.ok and not each.is_test]
    if failed:
        sys.exit(failed[0])


def score(which: Set, settings: Settings, truth: Path | None = None) -> list[Scored]:
    """Train as of each cutoff and score it."""
    return score_cutoffs(which, settings.warehouse, truth)


def score_cutoffs(which: Set, warehouse: Path, truth: Path | None = None) -> list[Scored]:
    """The same on a warehouse that holds the snapshots."""
    params, found = _params(which), []
    with duckdb.connect(str(warehouse), read_only=True) as con:
        first_day = con.execute("select min(day) from features.customer_day").fetchone()[0]
        for cutoff in which.cutoffs:
            plan = plan_cutoffs(cutoff, first_day, params)
            started = time.perf_counter()
            rows = read_snapshots(con, plan.cutoffs, which.horizon_days, params.train_max_rows, cutoff)
            origin = Origin((which.name,), datetime(2000, 1, 1), first_day, cutoff)
            histories = read_histories(con, cutoff)
            contractual = is_contractual(con, plan, params)
            trained = train_on(
                TrainingData(rows, plan, params, is_contractual=contractual, histories=histories), origin
            )
            seconds = time.perf_counter() - started
            model = model_on(cutoff, trained.card, trained.churn, trained.margin, trained.simple)
            ids, matrix, churned, active = _customers(con, cutoff, which.horizon_days)
            candidate_models = _said_alone(rows.at(plan.training), which.horizon_days, params, matrix)
            candidate_models["recency_rule"] = model.baseline_probability(matrix)
            decision = trained.card["decision"]
            found.append(
                Scored(
                    cutoff,
                    churned,
                    active,
                    model.churn_probability(matrix),
                    candidate_models,
                    decision["candidate_model"],
                    decision["reason"],
                    seconds,
                    _truth(truth, cutoff, ids, which.horizon_days) if truth else {},
                    _money(con, cutoff, trained, model, params, contractual) if _is_whole(con) else {},
                )
            )
            auc, *_, ece, _ = metrics.measure_scores(churned[active], found[-1].probability[active])
            print(
                f"{which.name} {cutoff}: {decision['candidate_model']}, AUC {auc:.4f}, ECE {ece:.4f}, {seconds:.0f} s",
                flush=True,
            )
            print(", ".join(f"{name} {number:.3f}" for name, number in found[-1].money.items()), flush=True)
    return found


def _is_whole(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether this is the warehouse of a business, not of some of its customers."""
    return bool(con.execute("select 1 from information_schema.schemata where schema_name = 'ingest'").fetchall())


def _money(
    con: duckdb.DuckDBPyConnection,
    cutoff: date,
    trained: Trained,
    model: RetentionModel,
    params: Params,
    is_contractual: bool,
) -> dict[str, float]:
    """What the value model of that day expected of the customers of the cutoff, against what they gave."""
    horizon = params.churn_horizon_days
    enough = enough_customers_on(con, params.train_min_customers, cutoff)
    cutoffs = plan_value_cutoffs(cutoff, enough, params)
    files = fit_value(con, ValueTask(cutoff, trained.judged, cutoffs, params, is_contractual))
    with tempfile.TemporaryDirectory() as store:
        folder = Path(store) / "value"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        value_model = model_store.load_value_model(Path(store), "value")
    _, matrix, _, _ = _customers(con, cutoff, horizon)
    came = con.execute(
        "select label_margin, label_margin_year from features.training_snapshots"
        " where cutoff_date = ? and horizon_days = ? order by customer_id",
        [cutoff, horizon],
    ).fetchnumpy()
    margins = [np.ma.filled(np.ma.asarray(column, dtype=float), np.nan) for column in came.values()]
    value = value_model.expect(matrix, model.churn_probability(matrix), model.margin_if_retained(matrix))
    last_period = f"net_sales_{horizon}d"
    last = params.value_margin_share * column(matrix, last_period) if last_period in FEATURES else None
    return money_of(value, column(matrix, "margin_365d"), last, *margins)


def money_of(
    value: Value, last_year: np.ndarray, last_period: np.ndarray | None, horizon: np.ndarray, year: np.ndarray
) -> dict[str, float]:
    """How expected margins compare with those that came over the horizon and the year (NaN: not known yet).

    total, year_total: predicted over realised. last_period, last_year: what the same customers gave in the period
    before over realised. coverage, year_coverage: share within the 80 % interval. rank, year_rank: Spearman's rank
    correlation, less that of last year's margin."""
    found = {"n": float(len(horizon)), "total": float(value.horizon.sum() / horizon.sum())}
    if last_period is not None:
        found["last_period"] = float(np.nansum(last_period) / horizon.sum())
    found["coverage"] = _inside_share(horizon, value.horizon_low, value.horizon_high)
    spent = np.nan_to_num(last_year)
    found["rank"] = rank_correlation(value.horizon, horizon) - rank_correlation(spent, horizon)
    if np.isfinite(year).all():
        found |= {
            "year_total": float(value.year.sum() / year.sum()),
            "last_year": float(spent.sum() / year.sum()),
            "year_coverage": _inside_share(year, value.year_low, value.year_high),
            "year_rank": rank_correlation(value.year, year) - rank_correlation(spent, year),
        }
    return found


def _inside_share(actual: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """NaN where no interval could be learned."""
    known = np.isfinite(low)
    return float(((actual >= low) & (actual <= high))[known].mean()) if known.any() else float("nan")


def _said_alone(training: Snapshots, horizon_days: int, params: Params, matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Candidate model → (n,) uncalibrated log-odds of each customer, fitted to the training rows."""
    if nothing_to_learn(training) is not None:
        return {}
    fitted = fit_candidate_models(training, horizon_days, params.train_seed, fittable(training, params))
    with one_thread():
        return {name: candidate_model.uncalibrated(matrix) for name, candidate_model in fitted.items()}


def check_published(sample: Path) -> dict[str, float]:
    """BG/NBD on the tenth sample at 39 weeks, and its hold-out correlation over the 39 weeks that follow."""
    days: dict[str, set[date]] = {}
    for line in sample.read_text().splitlines():
        fields = line.split()
        days.setdefault(fields[1], set()).add(datetime.strptime(fields[2], "%Y%m%d").date())
    end = date(1997, 9, 30)
    known = {c: sorted(d for d in when if d <= end) for c, when in days.items()}
    x = np.array([len(d) - 1 for d in known.values()], dtype=float)
    recency = np.array([(d[-1] - d[0]).days for d in known.values()], dtype=float)
    age = np.array([(end - d[0]).days for d in known.values()], dtype=float)
    later = np.array([sum(d > end for d in days[c]) for c in known], dtype=float)
    fitted = purchase_fit.fit_purchase_process("bg_nbd", x, recency, age, prior=None)
    expected = fitted.expected_orders(x, recency, age, 39 * 7)
    return {
        "r": fitted.r,
        "alpha": fitted.alpha,
        "a": fitted.a,
        "b": fitted.b,
        "log-likelihood": purchase_fit.log_likelihood(fitted, x, recency, age),
        "hold-out correlation": float(np.corrcoef(expected, later)[0, 1]),
    }


def summary(scored: Sequence[Scored], population: str) -> dict[str, tuple[float, float]]:
    """Metric → mean and standard deviation over the cutoffs, of what the product said."""
    table = np.array(
        [
            metrics.measure_scores(s.is_churned[_inside(s, population)], s.probability[_inside(s, population)])
            for s in scored
        ]
    )
    spread = table.std(axis=0, ddof=1) if len(table) > 1 else np.full(table.shape[1], np.nan)
    return {m: (float(table[:, j].mean()), float(spread[j])) for j, m in enumerate(metrics.METRICS)}


def least_ece(probability: np.ndarray, draws: int = 50) -> float:
    """Mean calibration error if these probabilities were exactly right: what chance alone leaves in ten bins of so many
    customers."""
    rng, place = np.random.default_rng(0), metrics.METRICS.index("ece")
    drawn = (rng.random(len(probability)) < probability for _ in range(draws))
    return float(np.mean([metrics.measure_scores(y, probability)[place] for y in drawn]))


def profit_lines(home: Path) -> list[str]:
    """What contacts would have earned at the cutoffs of the published model's own model selection, by who comes first:
    the mart `profit_curve` as a table. No lines where nothing was published or the rule scores."""
    database = home / "published" / "holdfast.duckdb"
    if not database.exists():
        return []
    with duckdb.connect(str(database), read_only=True) as con:
        rows = con.execute(
            """
            select
                ranking,
                max(profit) filter (where contacted_share = 0.1 and not is_stop_point),
                max(profit) filter (where contacted_share = 0.2 and not is_stop_point),
                max(profit) filter (where is_stop_point),
                max(contacted_share) filter (where is_stop_point)
            from marts.profit_curve where basis = 'out_of_time' and cutoff_date is null
            group by ranking order by 2 desc nulls last, ranking
            """
        ).fetchall()
    if not rows:
        return []
    return [
        "Money that contacts would have earned at out-of-time cutoffs (terms of `profit_*` in the parameters), by who",
        "is",
        "contacted first:",
        "",
        "| contacted first by | a tenth | a fifth | where the expected profit ends | share contacted there |",
        "|---|---|---|---|---|",
        *(
            f"| {row[0]} | "
            + " | ".join("" if v is None else f"{v:,.0f}" for v in row[1:4])
            + f" | {'' if row[4] is None else f'{row[4]:.0%}'} |"
            for row in rows
        ),
        "",
    ]


def render(
    sets: Sequence[Set],
    results: dict[str, list[Scored]],
    profits: dict[str, list[str]],
    published: dict[str, float] | None,
) -> str:
    """The report as Markdown."""
    lines = [
        "# How good the churn model is",
        "",
        "Made by `make bench-models` on "
        + machine()
        + "; "
        + versions(("scikit-learn", "numpy", "scipy", "duckdb"))
        + f". Seed of training {load_params().train_seed}, "
        f"simulated business {SIMULATED}.",
        "",
        "At each test cutoff the product trained as of that day and scored it. Model selection inside each training",
        "chose by its own validation cutoffs, whose labels had closed before the test cutoff; test cutoffs chose",
        "nothing. One exception: the test cutoffs of CDNOW were looked at once before the rule for short histories",
        "(`plan_cutoffs`: validation cutoffs may lie closer, or overlap) was written, so its figures are not wholly",
        "unseen.",
        "",
        "Recency over own gap reads the silence in own gaps and the own gap. The bare ratio ranks active customers",
        "worse than a coin on both real sets (AUC .44 to .46): ten days are five gaps to somebody who buys every other",
        "day, who nevertheless comes within the horizon.",
        "",
    ]
    for which in sets:
        scored = results[which.name]
        lines += [
            f"## {which.name}",
            "",
            f"Horizon {which.horizon_days} days; test cutoffs " + ", ".join(s.cutoff.isoformat() for s in scored) + ".",
            "",
            "| the product, on | AUC | average precision | Brier | ECE | ECE of right probabilities "
            "| lift in the top tenth |",
            "|---|---|---|---|---|---|---|",
        ]
        for population in ("active", "all"):
            found = summary(scored, population)
            cells = [
                f"{found[m][0]:.4f} ± {found[m][1]:.4f}"
                for m in ("auc", "average_precision", "brier", "ece", "lift_at_10")
            ]
            cells.insert(4, f"{np.mean([least_ece(s.probability[_inside(s, population)]) for s in scored]):.4f}")
            lines.append(f"| {population} | {' | '.join(cells)} |")
        active = summary(scored, "active")
        for metric, goal in which.goals.items():
            reached = active[metric][0] <= goal if metric == "ece" else active[metric][0] >= goal
            words = "reached" if reached else "not reached"
            lines.append(f"\n{metric}: goal {goal}, {words} ({active[metric][0]:.4f}).")
        lines += [
            "",
            "AUC on active customers by candidate_model, each fitted on the same rows; the one that scored in bold:",
            "",
            "| cutoff | " + " | ".join(NAMES) + " |",
            "|---" * (len(NAMES) + 1) + "|",
        ]
        table = []
        for s in scored:
            mask = s.is_active
            row = [metrics.measure_scores(s.is_churned[mask], s.candidate_models[m][mask])[0] for m in NAMES]
            table.append(row)
            pairs = zip(NAMES, row, strict=True)
            cells = [f"**{v:.4f}**" if m == s.chosen else f"{v:.4f}" for m, v in pairs]
            lines.append(f"| {s.cutoff} | {' | '.join(cells)} |")
        lines.append("| mean | " + " | ".join(f"{v:.4f}" for v in np.mean(table, axis=0)) + " |")
        lines += [
            "",
            "Means over the cutoffs, on active customers. Candidate models rank here before any calibration, so Brier",
            "score and ECE are given for the product alone (above).",
            "",
            "| | AUC | average precision | lift in the top tenth |",
            "|---|---|---|---|",
        ]
        for name in (*NAMES, "the product"):
            values = np.mean([_ranking(s, name) for s in scored], axis=0)
            lines.append(f"| {name} | {values[0]:.4f} | {values[1]:.4f} | {values[2]:.2f} |")
        lines += [
            "",
            *money_lines(scored),
            *profits[which.name],
            *_truth_lines(scored),
            f"Newest choice: {scored[-1].reason}.",
            "",
        ]
    if published:
        lines += [
            "## BG/NBD against the published estimates",
            "",
            "CDNOW tenth sample, 39 weeks (Fader, Hardie and Lee 2005).",
            "",
            "| | published | here |",
            "|---|---|---|",
            *(f"| {name} | {PUBLISHED[name]} | {published[name]:.4f} |" for name in PUBLISHED),
            "",
        ]
    lines += ["![AUC by set and candidate_model](model-quality.png)", ""]
    kept = ROOT / "docs" / "model-quality.md"
    notes = re.search(r"## What was tried.*", kept.read_text(), re.S) if kept.exists() else None
    if CDNOW.name not in results:
        lines += ["CDNOW is left out: its folder was not at hand (`BENCH_CDNOW`).", ""]
    return "\n".join(lines) + (("\n" + notes.group(0)) if notes else "")


#: Figures of `money_of` as the tables have them, and their headings.
MONEY = {
    "total": "expected / came",
    "last_period": "period before / came",
    "coverage": "in the interval",
    "rank": "rank, less last year's",
    "year_total": "year: expected / came",
    "last_year": "year before / came",
    "year_coverage": "in the interval",
    "year_rank": "rank, less last year's",
}


def money_lines(scored: Sequence[Scored]) -> list[str]:
    """Money expected at each cutoff against what came, as a table."""
    if not any(s.money for s in scored):
        return []
    return [
        "Money expected of all scored customers over the horizon and a year, against what came (80 % intervals; rank: "
        "Spearman's correlation with what came, less that of last year's spend):",
        "",
        f"| cutoff | customers | {' | '.join(MONEY.values())} |",
        "|---" * (len(MONEY) + 2) + "|",
        *(f"| {s.cutoff} | {money_cells(s.money)} |" for s in scored if s.money),
        "",
    ]


def money_cells(money: dict[str, float]) -> str:
    """One row of such a table, without the name of the row."""

    def cell(name: str) -> str:
        if name not in money or not np.isfinite(money[name]):
            return ""
        return f"{money[name]:+.3f}" if name.endswith("rank") else f"{money[name]:.2f}"

    return f"{money['n']:,.0f} | " + " | ".join(cell(name) for name in MONEY)


def _ranking(scored: Scored, name: str) -> list[float]:
    """AUC, average precision and lift in the top tenth on active customers, of a candidate model or of the product."""
    said = scored.probability if name == "the product" else scored.candidate_models[name]
    found = metrics.measure_scores(scored.is_churned[scored.is_active], said[scored.is_active])
    return [found[metrics.METRICS.index(m)] for m in ("auc", "average_precision", "lift_at_10")]


def _truth_lines(scored: Sequence[Scored]) -> list[str]:
    if not scored[0].truth:
        return []
    lines = ["| probabilities | population | AUC | Brier |", "|---|---|---|---|"]
    for population in ("active", "all"):
        for name in ("the product", *scored[0].truth):
            values = []
            for s in scored:
                p = s.probability if name == "the product" else s.truth[name]
                known = _inside(s, population) & np.logical_and.reduce([np.isfinite(t) for t in s.truth.values()])
                values.append(metrics.measure_scores(s.is_churned[known], p[known]))
            mean = np.mean(values, axis=0)
            lines.append(f"| {name} | {population} | {mean[0]:.4f} | {mean[metrics.METRICS.index('brier')]:.5f} |")
    return [*lines, ""]


def draw(sets: Sequence[Set], results: dict[str, list[Scored]]) -> bytes:
    """AUC on active customers by candidate model and set: a dot a cutoff, a line at the mean; the goal dashed."""
    with canvas(9, 3.2 * len(sets) + 0.6) as made:
        axes_of = np.atleast_1d(made.figure.subplots(len(sets), 1))
        for axes, which in zip(axes_of, sets, strict=True):
            scored = results[which.name]
            names = [*NAMES, "scored"]
            for place, name in enumerate(names):
                said = [s.probability if name == "scored" else s.candidate_models[name] for s in scored]
                values = [
                    metrics.measure_scores(s.is_churned[s.is_active], p[s.is_active])[0]
                    for s, p in zip(scored, said, strict=True)
                ]
                colour = BLUE if name == "scored" else GREY
                axes.plot(values, [place] * len(values), "o", color=colour, markersize=4, alpha=0.7)
                axes.plot([np.mean(values)] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=2.5)
            if "auc" in which.goals:
                axes.axvline(which.goals["auc"], color=ORANGE, linestyle=(0, (4, 3)), linewidth=1)
            axes.set_yticks(range(len(names)), names)
            axes.invert_yaxis()
            axes.set_title(f"{which.name}: AUC on active customers (dashed: goal)", loc="left", fontsize=10)
    return made.png


def _params(which: Set) -> Params:
    return load_params({"churn_horizon_days": which.horizon_days})


def _inside(scored: Scored, population: str) -> np.ndarray:
    return scored.is_active if population == "active" else np.ones(len(scored.is_churned), dtype=bool)


def _customers(con, cutoff: date, horizon_days: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    names = ", ".join(f'cast("{f}" as double) as "{f}"' for f in FEATURES)
    table = con.execute(
        f"select customer_id, label_is_churned, coalesce(is_active, false) as is_active, {names} "
        "from features.training_snapshots where cutoff_date = ? and horizon_days = ? order by customer_id",
        [cutoff, horizon_days],
    ).to_arrow_table()
    matrix = np.column_stack([table.column(f).to_numpy() for f in FEATURES]).astype(float)
    matrix[~np.isfinite(matrix)] = np.nan
    return (
        np.array(table.column("customer_id").to_pylist()),
        matrix,
        np.array(table.column("label_is_churned").to_pylist(), dtype=bool),
        np.array(table.column("is_active").to_pylist(), dtype=bool),
    )


def _truth(folder: Path, cutoff: date, ids: np.ndarray, horizon_days: int) -> dict[str, np.ndarray]:
    rows = duckdb.sql(
        f"select customer_id, p_no_purchase_knowable, p_no_purchase from '{folder / f'{cutoff}.parquet'}' "
        f"where horizon_days = {int(horizon_days)}"
    ).fetchall()
    nan = float("nan")
    known = {r[0]: (nan if r[1] is None else r[1], nan if r[2] is None else r[2]) for r in rows}
    found = np.array([known.get(i, (nan, nan)) for i in ids], dtype=float)
    return {"best possible from what is recorded": found[:, 0], "the customer's own true": found[:, 1]}


def cdnow_source(folder: Path, here: Path) -> Path:
    """The master file as a source: a CSV and the YAML that describes it."""
    source = here / "cdnow-source"
    source.mkdir(exist_ok=True)
    with (source / "cdnow.csv").open("w", newline="") as target:
        rows = csv.writer(target)
        rows.writerow(["customer", "day", "units", "dollars", "line"])
        for number, line in enumerate((folder / "CDNOW_master.txt").read_text().splitlines()):
            fields = line.split()
            if len(fields) == 4 and fields[1].isdigit():
                day = datetime.strptime(fields[1], "%Y%m%d").date()
                rows.writerow([fields[0], day, fields[2], fields[3], number])
    (source / "cdnow.yml").write_text(
        "name: cdnow\nfolder: .\ntime_zone: UTC\ncurrency: USD\n"
        "complete_through: 1998-06-30\ntables:\n  transactions:\n"
        '    files: cdnow.csv\n    date_format: "%Y-%m-%d"\n    columns: {customer_id: customer, order_id: line, '
        "line_id: line, occurred_at: day, amount: dollars, quantity: units}\n"
    )
    return source / "cdnow.yml"


def run_command(arguments: list[str], home: Path, check: bool = True) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "HOLDFAST_HOME": str(home)},
    )
    if check and done.returncode:
        sys.exit(done.stderr)
    return done.stderr


if __name__ == "__main__":
    main(sys.argv[1:])
