"""How much the model gives away against the best single candidate model in hindsight: part of `make bench-models`.

* Real purchases (CDNOW, Complete Journey) and simulated businesses; samples of their customers; short histories; short
  and long horizons. Parameters are the default ones but for the horizon.
* At each cutoff the product trains as of that day and scores it. Each candidate model, fitted to the same rows, scores
  it too. Regret: the best AUC of a single candidate model on active customers, less the product's. Nobody knows the
  best one on the day, so this is what a perfect choice would have gained.

Prints a row a case, and writes docs/model-regret.md; with names of businesses, prints theirs alone. With
`BENCH_KEEP=FOLDER` homes and cases stay there, for a run in portions. Never run as a test.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from assets.model.candidate_models import AVERAGE
from assets.model.stacking import FLEXIBLE_PARTS
from assets.shared.settings import Settings, load_settings
from assets.train import metrics
from benchmarks.measure import kept_or, machine, versions, workspace
from benchmarks.models import (
    MONEY,
    ROOT,
    Scored,
    Set,
    build_snapshots,
    cdnow_source,
    least_ece,
    money_cells,
    run_command,
    score_cutoffs,
)
from simulation.business import Request, simulate
from simulation.population import Variant, for_size
from tests.integration import club

LADDER = """
Who scores, from much data to none (decision 24); the reason published with each model names its rung:

1. The average of RFM logit, MBG/NBD, logit and trees, with weights learned from earlier out-of-time cutoffs.
2. The same with prior weights, which rest on RFM logit and MBG/NBD: no out-of-time cutoff has closed yet.
3. RFM logit and MBG/NBD: fewer churners or stayers than `train_min_events`.
4. MBG/NBD on purchase histories alone, drawn to the processes of known businesses: no outcome is known yet. From the
   second week on.
5. The recency rule: nobody ever bought twice.

On rungs 1 to 3 a simple candidate model (RFM logit, MBG/NBD, the rule) takes over where it was better beyond doubt on
the newest outcomes. Where leaving is the end of a contract, the rule reads the days that the contract still covers.

Where rung 4 scores, no other candidate model could be fitted, and the best single one is the rule.
""".strip()

#: Customers from whom on totals of money are judged.
LARGE = 2000
#: Regret that a business may have, by active customers at the cutoff: (at least, AUC).
GOALS = ((1000, 0.003), (80, 0.02))


@dataclass(frozen=True)
class Business:
    """name; size: lines and customers of a simulated business, or None for others. cases: horizon → cutoffs. samples:
    customers in a random part, for the cutoffs of the first horizon. variant: as `holdfast simulate` has it.
    population: what of the simulated population is unusual. members: of a club with contracts of a quarter."""

    name: str
    cases: dict[int, tuple[date, ...]]
    samples: tuple[int, ...] = ()
    size: tuple[int, int] | None = None
    variant: Variant = "shop"
    population: Mapping[str, Any] = field(default_factory=dict)
    members: int = 0


@dataclass(frozen=True)
class Case:
    """One cutoff of one business: AUC on active customers of the product and of each candidate model, calibration error
    of the product and what chance alone leaves of it, money as `models.money_of` has it."""

    business: str
    horizon_days: int
    cutoff: date
    n_active: int
    chosen: str
    reason: str
    auc: float
    auc_of: dict[str, float]
    ece: float
    least_ece: float
    money: dict[str, float]

    @property
    def rung(self) -> str:
        """Of the ladder, as the published reason has it (3 also where logit and trees got no weight); "single" where
        one candidate model scores in the average's place."""
        if self.chosen == "mbg_nbd" and "needs no outcomes" in self.reason:
            return "4"
        if self.chosen != AVERAGE:
            return "5" if "nobody bought twice" in self.reason else "single"
        weights = self.reason.rpartition("weights of the average, ")[2]
        if not any(f"{name} " in weights.replace("rfm_logit ", "") for name in FLEXIBLE_PARTS):
            return "3"
        return "1" if weights.startswith("learned") else "2"

    @property
    def best(self) -> str:
        return max(self.auc_of, key=lambda name: self.auc_of[name])

    @property
    def regret(self) -> float:
        return self.auc_of[self.best] - self.auc


def days(*texts: str) -> tuple[date, ...]:
    return tuple(date.fromisoformat(text) for text in texts)


SIMULATED_END = date(2024, 1, 1)
_SIMULATED = days("2021-06-01", "2022-01-01", "2023-01-01", "2023-09-01")
BUSINESSES = (
    Business(
        "CDNOW",
        {
            90: days("1997-07-01", "1997-10-01", "1998-01-01", "1998-04-01"),
            30: days("1997-04-01", "1997-07-01", "1997-10-01", "1998-05-01"),
        },
        (200, 600, 2000),
    ),
    Business(
        "Complete Journey",
        {
            30: days("2017-03-01", "2017-05-01", "2017-09-01", "2017-12-01"),
            14: days("2017-03-01", "2017-05-01", "2017-12-01"),
            90: days("2017-07-01", "2017-10-01"),
        },
        (200, 600),
    ),
    Business("rare buyers", {90: _SIMULATED, 365: days("2023-01-01")}, (600,), (60_000, 10_000)),
    Business("frequent buyers", {30: _SIMULATED}, (), (300_000, 1_500)),
    Business("club of 300", {30: _SIMULATED, 90: _SIMULATED}, (), (15_000, 300)),
    Business("bank", {30: _SIMULATED}, (), (150_000, 3_000), "bank"),
    # Sales of December are five times those of January.
    Business(
        "seasonal",
        {30: days("2021-12-01", "2022-12-01", "2023-01-01", "2023-09-01")},
        (),
        (80_000, 3_000),
        population={"month": (0.45, 0.5, 0.7, 0.85, 0.95, 1.0, 0.8, 0.75, 1.0, 1.2, 1.6, 2.2)},
    ),
    # A tenth of the customers is there at the start, the others come over three years, and buy more each year.
    Business(
        "growing",
        {30: _SIMULATED},
        (),
        (80_000, 3_000),
        population={"initial_share": 0.1, "trend_a_year": 0.3},
    ),
    Business("contractual", {30: days("2022-07-01", "2023-01-01", "2023-09-01", "2024-03-01")}, members=1_500),
)


def main(names: Sequence[str]) -> None:
    """Measure the businesses whose names are given, or all."""
    folder = Path(os.environ.get("BENCH_CDNOW", ROOT.parent / "shared" / "data" / "cdnow"))
    found: list[Case] = []
    with workspace("regret") as work:
        for business in BUSINESSES:
            if names and business.name not in names:
                continue
            here = work / business.name.replace(" ", "-")
            here.mkdir(exist_ok=True)
            source = source_of(business, folder, here)
            if business.name == "CDNOW" and source is None:
                print(f"no CDNOW in {folder}: left out")
                continue
            found += kept_or(here / "cases.pickle", lambda b=business, s=source, h=here: measure(b, s, h / "home"))
    report = render(found)
    if not names:
        (ROOT / "docs" / "model-regret.md").write_text(report, encoding="utf-8")
    print(report)


def source_of(business: Business, cdnow: Path, here: Path) -> Path | None:
    """The YAML of the business's source; None for the built-in one, or where it is not there."""
    if business.size is not None:
        if (here / "in" / "source.yml").exists():
            return here / "in" / "source.yml"
        lines, customers = business.size
        population = replace(for_size(business.variant, lines, customers), **business.population)
        simulate(Request(lines, customers, 5, 0, here / "in", business.variant, cutoffs=0), population=population)
        return here / "in" / "source.yml"
    if business.members:
        return club.write(here / "in", club.terms(business.members), last_day(business))
    if business.name == "CDNOW" and (cdnow / "CDNOW_master.txt").exists():
        return cdnow_source(cdnow, here)
    return None


def measure(business: Business, source: Path | None, home: Path) -> list[Case]:
    """Every case of a business."""
    cases: list[Case] = []
    settings, last = prepare(business, source, home)
    for number, (horizon, cutoffs) in enumerate(business.cases.items()):
        build_snapshots(settings, horizon, cutoffs, last)
        cases += cases_of(Set(business.name, horizon, cutoffs, {}), settings.warehouse)
        for n_customers in business.samples if number == 0 else ():
            part = sample(settings.warehouse, n_customers, home.parent / f"sample-{n_customers}.duckdb")
            cases += cases_of(Set(f"{business.name}, {n_customers} customers", horizon, cutoffs, {}), part)
    return cases


def prepare(business: Business, source: Path | None, home: Path) -> tuple[Settings, date]:
    """A home after one night as of the day when all outcomes are known, and that day."""
    last = last_day(business)
    os.environ.update(HOLDFAST_HOME=str(home), HOLDFAST_SOURCES=str(source) if source else "completejourney")
    settings = load_settings()
    if not settings.warehouse.exists():
        given = ["--source", str(source)] if source else []
        said = run_command(["pipelines.cli", "run", "--as-of", last.isoformat(), *given], home, check=False)
        if not settings.warehouse.exists():
            sys.exit(said)
    return settings, last


def last_day(business: Business) -> date:
    """When all outcomes are known: of a simulated business the end of its three years."""
    last = max(cutoff + timedelta(h) for h, cutoffs in business.cases.items() for cutoff in cutoffs)
    return last if business.size is None else SIMULATED_END


def sample(warehouse: Path, n_customers: int, target: Path) -> Path:
    """A warehouse with the histories of so many customers, drawn by a hash of their ids."""
    target.unlink(missing_ok=True)
    with duckdb.connect(str(target)) as con:
        con.execute(f"attach '{warehouse}' as whole (read_only); create schema features; create schema staging")
        con.execute(
            "create temp table drawn as select customer_id from (select distinct customer_id from"
            " whole.features.customer_day) order by md5(customer_id) limit ?",
            [n_customers],
        )
        for table in ("features.customer_day", "features.training_snapshots", "staging.stg_contracts"):
            con.execute(
                f"create table {table} as select * from whole.{table}"
                " where customer_id in (select customer_id from drawn)"
            )
    return target


def cases_of(which: Set, warehouse: Path) -> list[Case]:
    """Train and score at each cutoff of a set."""
    return [case for scored in score_cutoffs(which, warehouse) if (case := case_of(which, scored)) is not None]


def case_of(which: Set, scored: Scored) -> Case | None:
    """None where too few outcomes distinguish rankings."""
    y = scored.is_churned[scored.is_active]
    if min(y.sum(), (~y).sum()) < 5:
        return None
    auc = metrics.METRICS.index("auc")

    def auc_by(values: np.ndarray) -> float:
        return float(metrics.measure_scores(y, values[scored.is_active])[auc])

    active = scored.probability[scored.is_active]
    singles = {name: z for name, z in scored.candidate_models.items() if name != AVERAGE}
    case = Case(
        which.name,
        which.horizon_days,
        scored.cutoff,
        len(y),
        scored.chosen,
        scored.reason,
        auc_by(scored.probability),
        {name: auc_by(1 / (1 + np.exp(-z)) if name != "recency_rule" else z) for name, z in singles.items()},
        float(metrics.measure_scores(y, active)[metrics.METRICS.index("ece")]),
        least_ece(active),
        scored.money,
    )
    print(line_of(case), flush=True)
    return case


def line_of(case: Case) -> str:
    behind = " | ".join(
        f"{case.auc_of[name] - case.auc:+.4f}" if name in case.auc_of else "" for name in ("rfm_logit", "mbg_nbd")
    )
    return (
        f"| {case.business} | {case.horizon_days} | {case.cutoff} | {case.n_active:,} | {case.chosen} | {case.rung} "
        f"| {case.auc:.4f} "
        f"| {case.best} {case.auc_of[case.best]:.4f} | {case.regret:+.4f} | {behind} "
        f"| {case.auc_of['recency_rule']:.4f} | {case.ece:.3f} | {case.least_ece:.3f} |"
    )


def render(cases: Sequence[Case]) -> str:
    """The report as Markdown."""
    lines = [
        "# What the choice of the model gives away",
        "",
        f"Made by `make bench-models` on {machine()}; {versions(('scikit-learn', 'numpy', 'scipy', 'duckdb'))}.",
        "",
        (__doc__ or "").split("\n\n")[1],
        "",
        *LADDER.splitlines(),
        "",
        "| goal, active customers | cases | mean regret | largest | above it | behind RFM logit by more "
        "| behind MBG/NBD by more |",
        "|---|---|---|---|---|---|---|",
    ]
    upper = np.inf
    for least, goal in GOALS:
        here = [case for case in cases if least <= case.n_active < upper]
        upper = least
        if here:
            regrets = np.array([case.regret for case in here])
            behind = [sum(c.auc_of.get(m, 0) - c.auc > goal for c in here) for m in ("rfm_logit", "mbg_nbd")]
            lines.append(
                f"| {goal} with {least:,} or more | {len(here)} | {regrets.mean():.4f} | {regrets.max():.4f} "
                f"| {int((regrets > goal).sum())} | {behind[0]} | {behind[1]} |"
            )
    lines += [
        "",
        "| business | horizon | cutoff | active | scored by | rung | AUC | best single in hindsight | regret "
        "| behind RFM logit | behind MBG/NBD | recency rule | ECE | ECE of right probabilities |",
        "|---" * 14 + "|",
        *(line_of(case) for case in cases),
        "",
        *money_table(cases),
        "Who scored and why, by business, at the newest cutoff:",
        "",
    ]
    newest = {(case.business, case.horizon_days): case for case in cases}
    lines += [f"* {name}, {horizon} days: {case.reason}" for (name, horizon), case in newest.items()]
    return "\n".join(lines) + "\n"


def money_table(cases: Sequence[Case]) -> list[str]:
    """Money expected in each case against what came, and how often it was near; of whole businesses."""
    known = [case for case in cases if case.money]
    if not known:
        return []
    large = [case for case in known if case.money["n"] >= LARGE]

    def among(name: str, low: float, high: float) -> str:
        values = [case.money[name] for case in large if np.isfinite(case.money.get(name, np.nan))]
        return f"{sum(low <= value <= high for value in values)} of {len(values)}"

    n_before = sum("last_period" in c.money for c in large)
    nearer = [c for c in large if "last_period" in c.money and _off(c, "total") <= _off(c, "last_period")]
    return [
        "## Money",
        "",
        "Margin expected of all scored customers over the horizon and a year, against what came. Interval: share of "
        "customers within theirs of 80 %. Rank: Spearman's correlation with what came, less that of last year's spend. "
        "Empty: a year was not known yet, or the features hold no such period.",
        "",
        f"Of cases with {LARGE:,} customers or more, over the horizon: expected over realised within .9 to 1.1 in "
        f"{among('total', 0.9, 1.1)}, no further off than the period before in {len(nearer)} of {n_before}, "
        f"interval holds 77 to 83 % in {among('coverage', 0.77, 0.83)}, ranked no worse than by last year's spend in "
        f"{among('rank', 0.0, 2.0)}. Over a year: within .9 to 1.1 in {among('year_total', 0.9, 1.1)}, interval "
        f"{among('year_coverage', 0.77, 0.83)}, ranked no worse {among('year_rank', 0.0, 2.0)}.",
        "",
        f"| business | horizon | cutoff | customers | {' | '.join(MONEY.values())} |",
        "|---" * (len(MONEY) + 4) + "|",
        *(f"| {c.business} | {c.horizon_days} | {c.cutoff} | {money_cells(c.money)} |" for c in known),
        "",
    ]


def _off(case: Case, name: str) -> float:
    """How far a total lies off what came, either way."""
    return abs(float(np.log(max(case.money[name], 1e-9))))


if __name__ == "__main__":
    main(sys.argv[1:])
