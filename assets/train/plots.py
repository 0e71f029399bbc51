"""Three pictures of a backtest: is it calibrated, does it rank, how are the scores spread?

In: outcomes and probabilities of active customers over all test cuts. Out: PNG as bytes. matplotlib without a display,
through its object interface only, so that nothing global is touched.
"""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

COLOURS = {"model": "#1b6ca8", "rule": "#d1702a"}
NAMES = {"model": "Model", "rule": "Simple rule (days since last purchase)"}
_STAYED, _LEFT, _GREY, _INK = "#5b9bc9", "#c2452d", "#8a8f98", "#24292f"


def draw_reliability(bins: dict[str, list[dict]], scored_by: str) -> bytes:
    """Observed share of churners against predicted probability, bins of equal mass with 95 % intervals, by member."""
    figure, axes = _figure("Are the probabilities right?", "Active customers at all test cuts; bins of equal size, "
                           "bars are 95 % intervals")
    rows_of_all = [row for rows in bins.values() for row in rows]
    limit = min(1.0, 1.05 * max([0.1, *(max(row["high"], row["mean_predicted"]) for row in rows_of_all)]))
    axes.plot([0, limit], [0, limit], color=_GREY, linewidth=1, linestyle=(0, (4, 3)), label="Exactly right")
    for member, rows in bins.items():
        predicted, observed, low, high = (
            np.array([row[key] for row in rows]) for key in ("mean_predicted", "observed_share", "low", "high")
        )
        axes.errorbar(
            predicted, observed, yerr=np.maximum([observed - low, high - observed], 0), color=COLOURS[member],
            label=_name(member, scored_by), marker="o", markersize=5, linewidth=1.8, elinewidth=1, capsize=2.5,
        )
    axes.set(xlim=(0, limit), ylim=(0, limit), xlabel="Predicted probability of leaving", ylabel="Share that left")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _legend(axes, "upper left")
    return _png(figure)


def draw_lift(scores: dict[str, tuple[np.ndarray, np.ndarray]], scored_by: str) -> bytes:
    """Share of all churners found against share of customers contacted, riskiest first, by member.

    scores: member → (is_churned, probability).
    """
    figure, axes = _figure(
        "How many leavers are among the riskiest?", "Active customers at all test cuts, riskiest first"
    )
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle=(0, (4, 3)), label="At random")
    for member, (y, p) in scores.items():
        contacted, found = gains(y, p)
        axes.plot(contacted, found, color=COLOURS[member], linewidth=2.2, label=_name(member, scored_by))
        tenth = float(np.interp(0.1, contacted, found))
        axes.plot([0.1], [tenth], "o", color=COLOURS[member], markersize=6)
        axes.annotate(
            f"top tenth finds {tenth:.0%}", (0.1, tenth), xytext=(12, 0), textcoords="offset points",
            color=COLOURS[member], fontsize=9.5, va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5},
        )
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="Share of customers looked at", ylabel="Share of leavers found")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _legend(axes, "lower right")
    return _png(figure)


def draw_scores(is_churned: np.ndarray, probability: np.ndarray, scored_by: str) -> bytes:
    """Distribution of the predicted probability among those who stayed and those who left."""
    figure, axes = _figure(
        "How far apart are leavers and stayers?", f"Active customers at all test cuts, scored by the {scored_by}"
    )
    edges = np.linspace(0, 1, 41)
    for chosen, colour, label in ((~is_churned, _STAYED, "Stayed"), (is_churned, _LEFT, "Left")):
        n = int(chosen.sum())
        if n:
            axes.hist(
                probability[chosen], bins=edges, weights=np.full(n, 1 / n), color=colour, alpha=0.55,
                label=f"{label} ({n:,})", edgecolor="white", linewidth=0.4,
            )
    axes.set(xlim=(0, 1), xlabel="Predicted probability of leaving", ylabel="Share of the group")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _legend(axes, "upper right")
    return _png(figure)


def gains(is_churned: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points of the cumulative gains curve from (0, 0) to (1, 1); customers of equal probability come together."""
    y = np.asarray(is_churned, dtype=float)
    _, group, counts = np.unique(-np.asarray(probability, dtype=float), return_inverse=True, return_counts=True)
    hits = np.bincount(group, weights=y)
    total = max(hits.sum(), 1.0)
    return np.r_[0, np.cumsum(counts) / len(y)], np.r_[0, np.cumsum(hits) / total]


def _name(member: str, scored_by: str) -> str:
    return NAMES[member] + (", which scores" if member == scored_by else "")


def _figure(title: str, subtitle: str):
    figure = Figure(figsize=(7.2, 5.4), dpi=120, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(subtitle, loc="left", fontsize=9.5, color=_GREY)
    figure.suptitle(title, x=0.015, ha="left", fontsize=14, fontweight="bold", color=_INK)
    axes.grid(True, color="#e6e8eb", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#c6cad0")
    axes.tick_params(colors=_INK, labelsize=10, length=0)
    axes.xaxis.label.set(size=11, color=_INK)
    axes.yaxis.label.set(size=11, color=_INK)
    return figure, axes


def _legend(axes, where: str) -> None:
    axes.legend(loc=where, frameon=True, framealpha=0.9, edgecolor="none", fontsize=10)


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()
