"""How real the simulated business looks, and how near the published scores come to the best possible ones.

    make bench-simulation, or python -m benchmarks.simulation [--cdnow FOLDER] [--lines N --customers K --seed S]

Simulates a twin of each real business and one of the asked size, runs `holdfast run` on that one as a user does, and
writes `docs/simulation.md` with its pictures. CDNOW is not shipped: its folder comes from --cdnow, else from the
environment (HOLDFAST_CDNOW), else ../shared/data/cdnow; without it that part says so. Never run as a test.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np

from assets.shared.plots import BLUE, GREEN, GREY, ORANGE, RED, canvas
from assets.shared.quoting import literal
from benchmarks import realism
from benchmarks.realism import Margins
from simulation.business import Request, announce_simulation, simulate
from simulation.population import for_size

ROOT = Path(__file__).resolve().parents[1]
HORIZON = 30
#: The profit that is compared: a contact saves this share of the value at risk and costs so much.
SAVED_SHARE, CONTACT_COST = 0.3, 0.25
MEMBERS = {
    "own": "true probability, own parameters known",
    "knowable": "best possible from the records",
    "published": "Holdfast, published",
    "rule": "rule, published with it",
}
#: What is compared, and the field of `Margins` that holds it.
MARGINS = (("orders a customer", "orders"), ("days between purchases", "gaps"), ("items an order", "baskets"))
COLOURS = {"own": GREY, "knowable": GREEN, "published": BLUE, "rule": ORANGE}


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as work:
        pairs = [pair for pair in (_journey_pair(Path(work)), _cdnow_pair(arguments.cdnow, Path(work))) if pair]
        business, home = arguments.business or Path(work) / "business", arguments.home or Path(work) / "home"
        request = Request(
            arguments.lines,
            arguments.customers,
            arguments.seed,
            0,
            business,
            cutoffs=0,
            knowable_customers=arguments.customers,
        )
        if not arguments.business:
            simulate(request, say=announce_simulation)
        if not arguments.home:
            _run(business, home)
        scored = read_scores(business, home)
    docs = ROOT / "docs"
    (docs / "simulation-realism.png").write_bytes(draw_realism(pairs))
    (docs / "simulation-best-possible.png").write_bytes(draw_best_possible(scored))
    text = render(arguments, pairs, scored)
    (docs / "simulation.md").write_text(text)
    print(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = Path(os.environ.get("HOLDFAST_CDNOW") or ROOT.parent / "shared" / "data" / "cdnow")
    parser.add_argument("--cdnow", type=Path, default=beside, help="folder of CDNOW_master.txt")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--business", type=Path, help="a folder of `holdfast simulate`, instead of making one")
    parser.add_argument("--home", type=Path, help="a home in which it has been run, instead of running it")
    return parser.parse_args()


def _journey_pair(work: Path) -> tuple[Margins, Margins]:
    real = realism.complete_journey()
    return real, _twin(work / "grocer", 1_469_307, 2_469, 1.0, date(2017, 1, 1), 60)


def _cdnow_pair(folder: Path, work: Path) -> tuple[Margins, Margins] | None:
    if not (folder / "CDNOW_master.txt").is_file():
        print(f"CDNOW is left out: {folder / 'CDNOW_master.txt'} is not there (--cdnow FOLDER)", file=sys.stderr)
        return None
    return realism.cdnow(folder), _twin(work / "cds", 165_000, 23_570, 1.5, date(1997, 1, 1), 84)


def _twin(out: Path, lines: int, customers: int, years: float, start: date, initial_days: int) -> Margins:
    """Margins of a simulation of a real business's size whose customers all come in the first days, as the real data
    were drawn. Nothing else is set."""
    population = replace(for_size("shop", lines, customers), initial_share=1.0, initial_days=initial_days)
    simulate(
        Request(lines, customers, 1, 0, out, years=years, start=start, cutoffs=0, knowable_customers=0),
        population=population,
    )
    return realism.simulated("simulated", out)


def _run(business: Path, home: Path) -> None:
    day = (business / "last_date").read_text().strip()
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "run",
        "--source",
        str(business / "source.yml"),
        "--as-of",
        day,
        "--param",
        f"churn_horizon_days={HORIZON}",
    ]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "HOLDFAST_HOME": str(home)}, stdout=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(done.returncode)


@dataclass(frozen=True)
class Scored:
    """One row a scored customer of whom the best possible prediction is known. probability and value: by member, the
    chance to leave and the value at risk (chance × expected margin). true_value: value at risk by the truth."""

    as_of: str
    left: np.ndarray
    is_active: np.ndarray
    probability: dict[str, np.ndarray]
    value: dict[str, np.ndarray]


def read_scores(business: Path, home: Path) -> Scored:
    """Published scores and the truth of the same customers, as of the last date."""
    as_of = (business / "last_date").read_text().strip()
    with duckdb.connect() as con:
        con.execute(f"attach {literal(home / 'published' / 'holdfast.duckdb')} as published (read_only)")
        rows = con.execute(f"""
            with orders as (
                select customer_id::varchar as customer_id, sum(amount)::double as net,
                    count(distinct order_id) as n
                from {literal(business / "landing" / "transactions_*.parquet")} group by customer_id
            ),
            usual as (select sum(net) / sum(n) as order_value from orders)
            select
                s.is_active,
                not t.has_purchased as has_left,
                t.p_no_purchase as own,
                t.p_no_purchase_knowable as knowable,
                s.churn_probability as published,
                s.baseline_probability as rule,
                t.expected_margin as margin_own,
                -- what a few orders show of somebody's usual one, shrunk to everybody's by three orders
                t.expected_orders_knowable * 0.25 * (o.net + 3 * u.order_value) / (o.n + 3) as margin_knowable,
                s.predicted_margin as margin_published,
                s.margin_if_retained * (1 - s.baseline_probability) as margin_rule
            from published.marts.churn_scores as s
            inner join {literal(business / "truth" / "churn" / f"{as_of}.parquet")} as t
                on s.customer_id = t.customer_id and t.horizon_days = s.horizon_days
            inner join orders as o on s.customer_id = o.customer_id
            cross join usual as u
            where s.as_of_date = '{as_of}' and s.is_eligible and t.p_no_purchase_knowable is not null
            order by s.customer_id
        """).fetchnumpy()
    probability = {m: np.asarray(rows[m], dtype=float) for m in MEMBERS}
    return Scored(
        as_of,
        np.asarray(rows["has_left"], dtype=bool),
        np.asarray(rows["is_active"], dtype=bool),
        probability,
        {m: probability[m] * np.asarray(rows[f"margin_{m}"], dtype=float) for m in MEMBERS},
    )


def profit_curve(scored: Scored, member: str) -> np.ndarray:
    """Expected profit by the truth of contacting the first n customers by a member's value at risk, for n = 1, 2, …"""
    order = np.argsort(-scored.value[member], kind="stable")
    return np.cumsum(SAVED_SHARE * scored.value["own"][order] - CONTACT_COST)


def figures(scored: Scored, inside: np.ndarray) -> list[tuple[str, float, float, float, float, float]]:
    """By member: AUC, Brier score, calibration error (ten bins of equal size), profit at a tenth, most profit."""
    from sklearn.metrics import roc_auc_score

    part = Scored(
        scored.as_of,
        scored.left[inside],
        scored.is_active[inside],
        {m: p[inside] for m, p in scored.probability.items()},
        {m: v[inside] for m, v in scored.value.items()},
    )
    rows = []
    for member in MEMBERS:
        p, curve = part.probability[member], profit_curve(part, member)
        bins = np.array_split(np.argsort(p, kind="stable"), 10)
        ece = sum(abs(part.left[b].mean() - p[b].mean()) * len(b) for b in bins) / len(p)
        # whom a member's own value at risk says to contact: where it expects a profit
        own_stop = int((SAVED_SHARE * part.value[member] > CONTACT_COST).sum())
        rows.append(
            (
                member,
                roc_auc_score(part.left, p),
                float(((p - part.left) ** 2).mean()),
                ece,
                float(curve[max(len(curve) // 10, 1) - 1]),
                float(curve[own_stop - 1]) if own_stop else 0.0,
            )
        )
    return rows


def paired_interval(scored: Scored, inside: np.ndarray, n: int = 200) -> dict[str, tuple[float, float]]:
    """95 % intervals (bootstrap over customers) of published less best possible: AUC, and Brier as a share."""
    from sklearn.metrics import roc_auc_score

    rng, rows = np.random.default_rng(1), np.flatnonzero(inside)
    found = []
    for _ in range(n):
        drawn = rng.choice(rows, len(rows))
        y, a, b = scored.left[drawn], scored.probability["published"][drawn], scored.probability["knowable"][drawn]
        brier_a, brier_b = ((a - y) ** 2).mean(), ((b - y) ** 2).mean()
        found.append((roc_auc_score(y, a) - roc_auc_score(y, b), brier_a / brier_b - 1))
    low, high = np.quantile(np.array(found), [0.025, 0.975], axis=0)
    return {"auc": (low[0], high[0]), "brier": (low[1], high[1])}


def draw_realism(pairs: list[tuple[Margins, Margins]]) -> bytes:
    """A row of four margins for each real business and its twin."""
    from matplotlib.ticker import MaxNLocator

    with canvas(12.5, 2.9 * len(pairs)) as made:
        axes = made.figure.subplots(len(pairs), 4, squeeze=False)
        for row, (real, twin) in zip(axes, pairs, strict=True):
            for ax, (title, name) in zip(row, MARGINS, strict=False):
                for margins, colour, style in ((real, BLUE, "-"), (twin, ORANGE, "--")):
                    values = np.sort(getattr(margins, name))
                    share = 1 - np.arange(len(values)) / len(values)
                    ax.step(values, share, where="post", color=colour, linestyle=style, label=margins.name)
                ax.set(xscale="log", yscale="log", ylim=(1e-3, 1.1), xlabel=title)
            row[0].set_ylabel(f"{real.name}\nshare with at least so many")
            for margins, colour, style in ((real, BLUE, "-"), (twin, ORANGE, "--")):
                steps = np.arange(1, len(margins.retention) + 1)
                row[3].plot(steps, margins.retention, color=colour, linestyle=style, label=margins.name)
            row[3].set(
                ylim=(0, 1.05 if real.retention.max() > 0.5 else 0.3),
                ylabel="share who bought",
                xlabel="30-day months since the first",
            )
            row[3].xaxis.set_major_locator(MaxNLocator(integer=True))
            row[3].legend(frameon=False)
    return made.png


def draw_best_possible(scored: Scored) -> bytes:
    """Lift over base, reliability of active customers, and expected profit against the number of contacts."""
    active = scored.is_active
    with canvas(12.5, 3.8) as made:
        scatter, reliability, profit = made.figure.subplots(1, 3)
        best, published = scored.probability["knowable"][active], scored.probability["published"][active]
        shown = np.random.default_rng(1).permutation(len(best))[:3000]
        scatter.plot(best[shown], published[shown], ".", markersize=2, color=BLUE, alpha=0.4)
        scatter.plot([0, 1], [0, 1], color=GREY, linewidth=1)
        scatter.set(xlabel="best possible probability", ylabel="published probability", title="active customers")
        for member in ("knowable", "published", "rule"):
            p, y = scored.probability[member][active], scored.left[active]
            bins = np.array_split(np.argsort(p, kind="stable"), 10)
            reliability.plot(
                [p[b].mean() for b in bins],
                [y[b].mean() for b in bins],
                "o-",
                markersize=4,
                color=COLOURS[member],
                label=MEMBERS[member],
            )
        reliability.plot([0, 1], [0, 1], color=GREY, linewidth=1)
        reliability.set(xlabel="predicted", ylabel="left", title="active customers, tenths")
        reliability.legend(frameon=False, fontsize=8)
        for member in MEMBERS:
            curve = profit_curve(scored, member)
            profit.plot(np.arange(1, len(curve) + 1) / len(curve), curve, color=COLOURS[member], label=MEMBERS[member])
        profit.axhline(0, color=RED, linewidth=0.6)
        profit.set(xlabel="share contacted, by value at risk", ylabel="expected profit by the truth", xlim=(0, 0.6))
        best_profit = max(profit_curve(scored, "own").max(), 1.0)
        profit.set_ylim(-0.05 * best_profit, 1.1 * best_profit)
        profit.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 0.06))
    return made.png


def heaviest(pairs: list[tuple[Margins, Margins]]) -> str:
    """In words: how many times the orders of the simulated one the real customer makes whom one in a thousand beats."""
    return ", ".join(
        f"{np.quantile(real.orders, 0.999) / np.quantile(twin.orders, 0.999):.1f} times at {real.name}"
        for real, twin in pairs
    )


def render(arguments: argparse.Namespace, pairs: list[tuple[Margins, Margins]], scored: Scored) -> str:
    """The report as Markdown."""
    lines = [
        "# The simulated business: how real, and how near to the best possible",
        "",
        "Made by `make bench-simulation`. How it works and why: [decision 0009](decisions/0009-simulated-truth.md).",
        "",
        "## How real it looks",
        "",
        "For each real business a twin of its size (lines, customers, years; all customers come in the first weeks, as",
        "the real data were drawn); nothing else is set. Distance: Kolmogorov and Smirnov's, for the retention curve",
        "the largest difference; 0 is alike, 1 is nothing in common.",
        "",
        "| | " + " | ".join(f"{real.name}" for real, _ in pairs) + " |",
        "|---|" + "---|" * len(pairs),
    ]
    found = [realism.distances(real, twin) for real, twin in pairs]
    lines += [f"| distance: {name} | " + " | ".join(f"{d[name]:.3f}" for d in found) + " |" for name in found[0]]
    for title, name in MARGINS:
        for q in (0.1, 0.5, 0.9, 0.99):
            cells = [
                f"{np.quantile(getattr(real, name), q):.0f} / {np.quantile(getattr(twin, name), q):.0f}"
                for real, twin in pairs
            ]
            lines.append(f"| {title}, {q:.0%} point, real / simulated | " + " | ".join(cells) + " |")
    if len(pairs) < 2:
        lines += ["", "CDNOW was not at hand and is left out (`--cdnow FOLDER`)."]
    lines += [
        "",
        "![Margins of real and simulated businesses](simulation-realism.png)",
        "",
        "Where it does not look real: of a thousand customers the one who buys most makes more orders than the same",
        f"one of the simulation: {heaviest(pairs)}.",
        "CDNOW's new customers stop within the first two months more often, and then hold better.",
        "The households of Complete Journey were chosen because they buy all year, so their retention rises",
        "towards its end; the simulated ones fade or leave. Single-line baskets are rarer at the simulated grocer.",
        "Beyond these margins: articles are drawn one by one, so no two go together, and prices do not move.",
        "",
        "## How near the model comes to the best possible",
        "",
        f"Business of {arguments.lines:,} lines and {arguments.customers:,} customers, seed {arguments.seed}; scores",
        f"published as of {scored.as_of} for {HORIZON} days; {len(scored.left):,} scored customers, of whom "
        f"{int(scored.is_active.sum()):,} are active.",
        "The *best possible* knows how the business works and what is on record of a customer, not the customer's own",
        "parameters: no model can be better but by luck. *Own parameters known* is beyond reach of any model.",
        "A history that ends with December ends after the year's peak: the best possible knows that January is quiet,",
        "the model knows a part of it, from last year's change, which shows in Brier score and ECE more than in AUC.",
        f"Profit: a contact saves {SAVED_SHARE:.0%} of the value at risk and costs {CONTACT_COST}; ranked by the",
        "member's own value at risk, judged by the true one.",
        "",
    ]
    everybody = np.ones(len(scored.left), dtype=bool)
    for title, inside in (("Active customers", scored.is_active), ("All scored customers", everybody)):
        lines += [
            f"### {title}",
            "",
            f"{int(inside.sum()):,} customers, {scored.left[inside].mean():.1%} left.",
            "",
            "| | AUC | Brier | ECE | profit of the first tenth | profit where it would stop |",
            "|---|---|---|---|---|---|",
        ]
        rows = figures(scored, inside)
        lines += [
            f"| {MEMBERS[m]} | {auc:.4f} | {brier:.4f} | {ece:.4f} | {tenth:,.0f} | {stop:,.0f} |"
            for m, auc, brier, ece, tenth, stop in rows
        ]
        by = {row[0]: row for row in rows}
        interval = paired_interval(scored, inside)
        lines += [
            "",
            f"Published less best possible: AUC {by['published'][1] - by['knowable'][1]:+.4f} "
            f"({interval['auc'][0]:+.4f} to {interval['auc'][1]:+.4f}), Brier "
            f"{by['published'][2] / by['knowable'][2] - 1:+.1%} "
            f"({interval['brier'][0]:+.1%} to {interval['brier'][1]:+.1%}).",
            "",
        ]
    lines += ["![Published scores and the best possible](simulation-best-possible.png)", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
