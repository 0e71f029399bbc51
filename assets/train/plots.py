"""Three pictures of a backtest: is it calibrated, does it rank, how are the scores spread?

In: outcomes and probabilities of active customers over all test cutoffs. Out: PNG as bytes.
"""

from typing import Any

import numpy as np

from assets.shared.plots import BLUE, GREY, ORANGE, RED, canvas
from assets.train.metrics import gains

COLOURS = {"model": BLUE, "rule": ORANGE}
NAMES = {"model": "Model", "rule": "Simple rule"}
_SIZE = {"width": 7.2, "height": 5.4}


def draw_reliability(bins: dict[str, list[dict]], scored_by: str) -> bytes:
    """Observed share of churners against predicted probability, bins of equal mass with 95 % intervals, by candidate
    model."""
    rows_of_all = [row for rows in bins.values() for row in rows]
    limit = min(1.0, 1.05 * max([0.1, *(max(row["high"], row["mean_predicted"]) for row in rows_of_all)]))
    with canvas(**_SIZE) as made:
        axes = headed_axes(
            made.figure,
            "Are the probabilities right?",
            "Active customers at all test cutoffs; bins of equal size, bars are 95 % intervals",
            xlim=(0, limit),
            ylim=(0, limit),
            xlabel="Predicted probability of leaving",
            ylabel="Share that left",
        )
        in_per_cent(axes.xaxis, axes.yaxis)
        axes.plot([0, limit], [0, limit], color=GREY, linewidth=1, linestyle=(0, (4, 3)), label="Exactly right")
        for candidate_model, rows in bins.items():
            predicted, observed, low, high = (
                np.array([row[key] for row in rows]) for key in ("mean_predicted", "observed_share", "low", "high")
            )
            axes.errorbar(
                predicted,
                observed,
                yerr=np.maximum([observed - low, high - observed], 0),
                color=COLOURS[candidate_model],
                label=_name(candidate_model, scored_by),
                marker="o",
                markersize=5,
                linewidth=1.8,
                elinewidth=1,
                capsize=2.5,
            )
        _legend(axes, "upper left")
    return made.png


def draw_lift(scores: dict[str, tuple[np.ndarray, np.ndarray]], scored_by: str) -> bytes:
    """Share of all churners found against share of customers looked at, riskiest first, by candidate model.

    scores: candidate model → (is_churned, probability).
    """
    with canvas(**_SIZE) as made:
        axes = headed_axes(
            made.figure,
            "How many churners are among the riskiest?",
            "Active customers at all test cutoffs, riskiest first",
            xlim=(0, 1),
            ylim=(0, 1.01),
            xlabel="Share of customers looked at",
            ylabel="Share of churners found",
        )
        in_per_cent(axes.xaxis, axes.yaxis)
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)), label="At random")
        for candidate_model, (y, p) in scores.items():
            looked_at, found = gains(y, p)
            tenth = float(np.interp(0.1, looked_at, found))
            # In the legend, where it covers no curve.
            label = f"{_name(candidate_model, scored_by)}: {tenth:.0%} in the top tenth"
            axes.plot(looked_at, found, color=COLOURS[candidate_model], linewidth=2.2, label=label)
            axes.plot([0.1], [tenth], "o", color=COLOURS[candidate_model], markersize=6)
        _legend(axes, "lower right")
    return made.png


def draw_scores(is_churned: np.ndarray, probability: np.ndarray, scored_by: str) -> bytes:
    """Distribution of the predicted probability among those who stayed and those who left."""
    with canvas(**_SIZE) as made:
        axes = headed_axes(
            made.figure,
            "How far apart are churners and stayers?",
            f"Active customers at all test cutoffs, scored by the {scored_by}",
            xlim=(0, 1),
            xlabel="Predicted probability of leaving",
            ylabel="Share of the group",
        )
        in_per_cent(axes.xaxis, axes.yaxis)
        for chosen, colour, label in ((~is_churned, BLUE, "Stayed"), (is_churned, RED, "Left")):
            n = int(chosen.sum())
            if n:
                axes.hist(
                    probability[chosen],
                    bins=np.linspace(0, 1, 41),
                    weights=np.full(n, 1 / n),
                    color=colour,
                    alpha=0.55,
                    label=f"{label} ({n:,})",
                    edgecolor="white",
                    linewidth=0.4,
                )
        if len(probability):
            _legend(axes, "upper right")
    return made.png


def draw_model_selection(rows: list[dict], chosen: str) -> bytes:
    """AUC on active customers by candidate_model: a dot a cutoff (hollow: validation, filled: test) and their means."""
    candidate_models = list(dict.fromkeys(row["candidate_model"] for row in rows))
    shown = [r for r in rows if r["metric"] == "auc" and r["population"] == "active" and r["value"] is not None]
    with canvas(width=7.2, height=0.55 * len(candidate_models) + 2.0) as made:
        axes = made.figure.subplots()
        made.figure.suptitle("Who ranks best on unseen days?", x=0.015, ha="left", fontsize=14, fontweight="bold")
        axes.set_title(
            "AUC on active customers; hollow: validation cutoffs, which choose; filled: test; line: mean",
            loc="left",
            fontsize=8.5,
            color=GREY,
        )
        for place, candidate_model in enumerate(candidate_models):
            colour = BLUE if candidate_model == chosen else GREY
            for role, filled, offset in (("validation", False, -0.15), ("test", True, 0.15)):
                here = [r for r in shown if r["candidate_model"] == candidate_model and r["cutoff_role"] == role]
                values = [r["value"] for r in here if r["cutoff_date"]]
                means = [r["value"] for r in here if not r["cutoff_date"]]
                axes.plot(
                    values,
                    [place + offset] * len(values),
                    "o",
                    color=colour,
                    markersize=5,
                    markerfacecolor=colour if filled else "white",
                )
                for mean in means:
                    axes.plot([mean, mean], [place + offset - 0.13, place + offset + 0.13], color=colour, linewidth=2.4)
        axes.set_yticks(
            range(len(candidate_models)), [m + (" (scores)" if m == chosen else "") for m in candidate_models]
        )
        axes.invert_yaxis()
        axes.grid(True, axis="x", color="#e6e8eb", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.set(xlabel="AUC")
    return made.png


def draw_slices(rows: list[dict]) -> bytes:
    """Observed share with its 95 % interval and the predicted share, by value class, tenure and region."""
    shown = rows[:24]
    with canvas(width=7.2, height=0.34 * max(len(shown), 3) + 1.6) as made:
        axes = made.figure.subplots()
        made.figure.suptitle(
            "About whom are the probabilities right?", x=0.015, ha="left", fontsize=14, fontweight="bold"
        )
        axes.set_title(
            "Active customers at the test cutoffs; bars are 95 % intervals", loc="left", fontsize=9.5, color=GREY
        )
        for place, row in enumerate(shown):
            axes.plot([row["low"], row["high"]], [place, place], color=BLUE, linewidth=2)
            axes.plot([row["observed_share"]], [place], "o", color=BLUE, label="Left" if place == 0 else None)
            axes.plot(
                [row["mean_predicted"]],
                [place],
                "D",
                color=ORANGE,
                markersize=5,
                label="Predicted" if place == 0 else None,
            )
        axes.set_yticks(range(len(shown)), [f"{r['slice_kind']}: {r['slice_value']} ({r['n']:,})" for r in shown])
        axes.invert_yaxis()
        axes.grid(True, axis="x", color="#e6e8eb", linewidth=0.8)
        axes.set_axisbelow(True)
        in_per_cent(axes.xaxis)
        if shown:
            _legend(axes, "best")
    return made.png


def _name(candidate_model: str, scored_by: str) -> str:
    return NAMES[candidate_model] + (", which scores" if candidate_model == scored_by else "")


def headed_axes(figure: Any, title: str, subtitle: str, **settings: Any) -> Any:
    """Axes with a headline; `settings` are those of matplotlib's `Axes.set`."""
    axes = figure.subplots()
    axes.set_title(subtitle, loc="left", fontsize=9.5, color=GREY)
    figure.suptitle(title, x=0.015, ha="left", fontsize=14, fontweight="bold")
    axes.grid(True, color="#e6e8eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set(**settings)
    return axes


def in_per_cent(*axes: Any) -> None:
    """Tick labels of these axes (`axes.xaxis`, `axes.yaxis`) in per cent."""
    from matplotlib.ticker import PercentFormatter

    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1, decimals=0))


def _legend(axes, where: str) -> None:
    axes.legend(loc=where, framealpha=0.9, edgecolor="none")
