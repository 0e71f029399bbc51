"""The benchmark's results as Markdown and as one picture."""

import statistics

from assets.shared.plots import BLUE, GREY, ORANGE, canvas
from benchmarks.measure import Measured, machine, versions
from benchmarks.scale import LIBRARIES, PEERS, Result, median, steps, table_seconds

TABLES = ("customer_day", "customer_features")


def spread(measured: list[Measured], of: str = "seconds", digits: int = 1) -> str:
    """`median (least to most)`; the median alone when there is one."""
    values = [getattr(m, of) for m in measured]
    text = f"{statistics.median(values):.{digits}f}"
    return text if len(values) < 2 else f"{text} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def render(results: list[Result]) -> str:
    """The whole report."""
    empty, sizes = results[0], results[1:]
    return "\n".join(
        [
            "# What a night costs",
            "",
            'Made by `make bench` (sizes S and M; `make bench ARGS="--sizes S M L"` adds L) on simulated businesses of',
            "`holdfast simulate`. Every figure is of a process of its own, from start to exit; memory is the peak of its",
            "whole process tree. Where something ran more than once: median (least to most).",
            "",
            f"Machine: {machine()}. {versions(LIBRARIES)}.",
            "",
            *_job(empty, sizes),
            *_where(empty, sizes),
            *_nights(empty, sizes),
            *_training(sizes),
            *_peers(sizes),
            *_goals(empty, sizes),
        ]
    )


def _job(empty: Result, sizes: list[Result]) -> list[str]:
    fixed = empty.cold.seconds
    lines = [
        "## The whole job and its floor",
        "",
        "The floor is `benchmarks/floor.py`: a hand-written DuckDB script from the same landed Parquet to the same features,",
        "segments and scores (by the model that the job trained), without Dagster, dbt, deduplication, quarantine, training,",
        "plan, KPIs, validation, history or publishing. What a run with almost no data takes "
        f"({fixed:.1f} s at {empty.size.lines:,} lines) is",
        "the fixed cost of the stack.",
        "",
        "| size | lines | customers | landed MB | limit | simulate s | cold job s | of it training | peak MB | lines/s "
        "| floor s | floor peak MB | (job − fixed) / floor | same without training |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in sizes:
        floor, training = median(r.floor), steps(r.cold).get("train", 0.0)
        lines.append(
            f"| {r.size.name} | {r.size.lines:,} | {r.size.customers:,} | {r.landed_mb:,.0f} "
            f"| {r.size.memory_limit or 'default'} | {r.simulate.seconds:.1f} | {r.cold.seconds:.1f} | {training:.1f} "
            f"| {r.cold.peak_mb:,.0f} | {r.size.lines / r.cold.seconds:,.0f} | {spread(r.floor)} "
            f"| {median(r.floor, 'peak_mb'):,.0f} | {(r.cold.seconds - fixed) / floor:.2f} "
            f"| {(r.cold.seconds - training - (fixed - steps(empty.cold).get('train', 0.0))) / floor:.2f} |"
        )
    for r in sizes:
        lines += _equality(r, "floor")
    return [*lines, ""]


def _where(empty: Result, sizes: list[Result]) -> list[str]:
    names = list(dict.fromkeys(name for r in [empty, *sizes] for name in steps(r.cold)))
    lines = [
        "## Where the time goes",
        "",
        "Seconds by step, cold / night (median). A step is one Dagster step; `features_and_segments`, `candidates` and",
        "`measures_and_marts` are dbt.",
        "",
        "| step | " + " | ".join(f"{r.size.name} ({r.size.lines:,})" for r in [empty, *sizes]) + " |",
        "|---" * (len(sizes) + 2) + "|",
    ]
    for name in names:
        cells = [f"{steps(r.cold).get(name, 0):.1f} / {_night_step(r, name):.1f}" for r in [empty, *sizes]]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    outside = [f"{_outside(r.cold):.1f} / {statistics.median(map(_outside, r.nights)):.1f}" for r in [empty, *sizes]]
    return [
        *lines,
        "| imports, dbt parse, run record, summary | " + " | ".join(outside) + " |",
        "",
        "![Cost against size](benchmarks.png)",
        "",
    ]


def _night_step(result: Result, name: str) -> float:
    return statistics.median(steps(night).get(name, 0.0) for night in result.nights)


def _outside(measured: Measured) -> float:
    return measured.seconds - sum(steps(measured).values())


def _nights(empty: Result, sizes: list[Result]) -> list[str]:
    lines = [
        "## One more day",
        "",
        "The file of one day arrives, the job runs as of the next date. Only that day is read line by line; what moves for",
        "everybody with the date is computed from customer_day.",
        "",
        "| size | whole job s | peak MB | ingest s | features and segments s | (job − fixed) / floor of the cold job | seconds beyond the fixed cost, a million customers |",
        "|---|---|---|---|---|---|---|",
    ]
    fixed = median(empty.nights)
    for r in [empty, *sizes]:
        beyond = median(r.nights) - fixed
        ratios = (
            "| | |" if r is empty else f"| {beyond / median(r.floor):.2f} | {beyond / (r.size.customers / 1e6):.0f} |"
        )
        lines.append(
            f"| {r.size.name} | {spread(r.nights)} | {median(r.nights, 'peak_mb'):,.0f} | {_night_step(r, 'ingest'):.1f} "
            f"| {_night_step(r, 'features_and_segments'):.1f} {ratios}"
        )
    return [*lines, ""]


def _training(sizes: list[Result]) -> list[str]:
    trained = [r for r in sizes if r.retrain is not None]
    if not trained:
        return []
    lines = [
        "## A fresh model",
        "",
        "`holdfast retrain` after the last of these nights. Its step train is the whole model selection, calibration, value and card. It",
        "reads at most `train_max_rows` (1,000,000) snapshot rows of all cutoffs, beyond which customers are sampled in the engine;",
        "the rows of the training cutoffs among them, on which the model that is kept is fitted, are given here.",
        "",
        "| size | rows of the training cutoffs | limit | step train s | whole job s | peak MB |",
        "|---|---|---|---|---|---|",
    ]
    for r in trained:
        seconds = steps(r.retrain).get("train", 0.0)
        lines.append(
            f"| {r.size.name} | {r.training_rows:,} | {r.size.retrain_limit} | {seconds:.1f} "
            f"| {r.retrain.seconds:.1f} | {r.retrain.peak_mb:,.0f} |"
        )
    return [*lines, ""]


def _peers(sizes: list[Result]) -> list[str]:
    lines = [
        "## The feature tables and what a user would pick instead",
        "",
        "Two tables, `customer_day` and `customer_features` (40 features), from the same landed files by the same definitions,",
        "compared cell by cell. Ours goes through dbt, reads its raw batches, and deduplicates and types lines, which none of",
        "the others does; its seconds are of the two dbt models, its start (importing and parsing dbt) is given with them.",
        "",
        "| size | tool | customer_day s | customer_features s | both s | ratio to ours | whole process s | peak MB | equal to ours |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in sizes:
        ours = _seconds(r.build)
        total = sum(ours.values())
        start = statistics.median(table_seconds(m)["start"] for m in r.build)
        lines.append(
            f"| {r.size.name} | Holdfast through dbt | {ours['customer_day']:.2f} | {ours['customer_features']:.2f} "
            f"| {total:.2f} | 1 | {spread(r.build)}, {start:.1f} of it start | {median(r.build, 'peak_mb'):,.0f} | |"
        )
        for name, measured in [("floor", r.floor), *r.peers.items()]:
            seconds = _seconds(measured)
            both = sum(seconds.values())
            same = "yes" if not r.unequal.get(name) else "no"
            lines.append(
                f"| {r.size.name} | {name} | {seconds['customer_day']:.2f} | {seconds['customer_features']:.2f} "
                f"| {both:.2f} | {both / total:.2f} | {spread(measured)} | {median(measured, 'peak_mb'):,.0f} | {same} |"
            )
        for name, why in r.failed.items():
            lines.append(f"| {r.size.name} | {name} | | | | | did not finish | | {why} |")
    for r in sizes:
        for name in PEERS:
            lines += _equality(r, name)
    return [*lines, ""]


#: What the steps of a night do that the floor does not.
BUYS = {
    "ingest": "typing every value, quarantine with reason and line, duplicates, a ledger that adds up, batches sorted by time",
    "features_and_segments": "late and corrected lines, months of history (value classes, transitions), snapshots to train on, tests of every model",
    "movements": "silence and drift of everybody against the own usual, under a stated rate of false alarms",
    "train": "model selection on identical cutoffs, calibration, value, profit, the card",
    "score": "margins with intervals, drift",
    "ledgers": "the permanent control group, what earlier nights planned",
    "candidates": "consent, caps, cooldowns and due dates of everybody who could be contacted, tests of every model",
    "actions": "the contact plan under budget and capacity, the holdout",
    "explain": "exact reasons, what changed since the last score",
    "measures_and_marts": "KPIs by cell and day, cohorts, effects, contracted public tables",
    "validate": "every check and reconciliation, the release gate",
    "publish": "one atomic swap, history, older sets to go back to",
}


def _goals(empty: Result, sizes: list[Result]) -> list[str]:
    """What was aimed at and what was reached, and what the seconds beyond the floor are spent on."""
    lines = ["## Goals", "", "| goal | size | measured | |", "|---|---|---|---|"]

    def row(goal: str, result: Result, measured: str, is_reached: bool) -> None:
        lines.append(f"| {goal} | {result.size.name} | {measured} | {'reached' if is_reached else 'not reached'} |")

    fixed, fixed_night = empty.cold.seconds, median(empty.nights)
    for name, seconds in (("night", fixed_night), ("cold job", fixed)):
        row(f"{name} with almost no data within 20 s", empty, f"{seconds:.1f} s", seconds <= 20)
    for r in sizes:
        floor = median(r.floor)
        for name, seconds, start in (("cold job", r.cold.seconds, fixed), ("night", median(r.nights), fixed_night)):
            ratio = (seconds - start) / floor
            row(f"{name} at most 1.5 × floor without the fixed cost", r, f"{ratio:.2f} × floor", ratio <= 1.5)
    for r in sizes:
        ours, memory = sum(_seconds(r.build).values()), median(r.build, "peak_mb")
        for peer, factor in (("polars", 1), ("pandas", 5), ("spark", 10)):
            if r.peers.get(peer):
                times, held = sum(_seconds(r.peers[peer]).values()) / ours, median(r.peers[peer], "peak_mb")
                row(f"feature tables {factor} × as fast as {peer}", r, f"{times:.2f} ×", times >= factor)
                if peer == "polars":
                    row("with less memory than polars", r, f"{memory:,.0f} MB against {held:,.0f} MB", memory < held)
            elif peer in r.failed:
                # Why it failed may be no merit of ours (no Java, a time limit): no goal is reached by it.
                lines.append(f"| feature tables against {peer} | {r.size.name} | {r.failed[peer]} | not compared |")
        if r.retrain is not None:
            seconds, held = steps(r.retrain).get("train", 0.0), r.retrain.peak_mb
            row(
                "trained on what `train_max_rows` allows (a million snapshot rows, test cutoffs included) within 60 s and 4 GiB",
                r,
                f"{seconds:.1f} s, {held:,.0f} MB",
                seconds <= 60 and held * 1e6 <= 4 * 2**30,
            )
    lines += [
        "",
        "Seconds of the cold job, by step, and what they buy that the floor does not have:",
        "",
        "| step | " + " | ".join(r.size.name for r in sizes) + " | buys |",
        "|---" * (len(sizes) + 2) + "|",
    ]
    for step, words in BUYS.items():
        cells = " | ".join(f"{steps(r.cold).get(step, 0):.1f}" for r in sizes)
        lines.append(f"| {step} | {cells} | {words} |")
    return [*lines, ""]


def _seconds(measured: list[Measured]) -> dict[str, float]:
    """Median seconds by table."""
    return {t: statistics.median(table_seconds(m)[t] for m in measured) for t in TABLES}


def _equality(result: Result, name: str) -> list[str]:
    cells = result.unequal.get(name)
    if not cells:
        return []
    words = ", ".join(f"{column}: {n:,}" for column, n in sorted(cells.items())[:12])
    return ["", f"Size {result.size.name}, {name} differs from ours in rows by column: {words}."]


def draw(results: list[Result]) -> bytes:
    """PNG: seconds of the cold job, a night, the floor and the feature tables against lines, on logarithmic scales."""
    sizes = results[1:]
    with canvas(10, 4) as made:
        left, right = made.figure.subplots(1, 2)
        lines = [r.size.lines for r in sizes]
        left.plot(lines, [r.cold.seconds for r in sizes], "o-", color=ORANGE, label="cold job")
        left.plot(lines, [median(r.nights) for r in sizes], "o-", color=BLUE, label="one more day")
        left.plot(lines, [median(r.floor) for r in sizes], "o--", color=GREY, label="floor of the cold job")
        left.set_title("The whole job", fontsize=10)
        right.plot(
            lines, [sum(_seconds(r.build).values()) for r in sizes], "o-", color=BLUE, label="Holdfast through dbt"
        )
        right.plot(lines, [sum(_seconds(r.floor).values()) for r in sizes], "o--", color=GREY, label="floor")
        for peer, mark in zip(PEERS, ("s", "^", "D"), strict=True):
            there = [r for r in sizes if r.peers.get(peer)]
            right.plot(
                [r.size.lines for r in there],
                [sum(_seconds(r.peers[peer]).values()) for r in there],
                f"{mark}:",
                label=peer,
            )
        right.set_title("The two feature tables", fontsize=10)
        for axes in (left, right):
            axes.set(xscale="log", yscale="log", xlabel="lines", ylabel="seconds")
            axes.legend(frameon=False, fontsize=8)
    return made.png
