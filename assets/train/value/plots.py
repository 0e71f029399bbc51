"""Two pictures of money: from whom does it come and was that known, and what does contacting more customers earn?

In: what was said and what came at the test cutoffs; rows of the profit curve. Out: PNG as bytes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assets.shared.plots import BLUE, GREY, ORANGE, RED, canvas
from assets.train.metrics import gains
from assets.train.plots import headed_axes, in_per_cent

_SIZE = {"width": 7.2, "height": 5.4}
_CANDIDATE_MODELS = {
    "two_part": ("Any purchase × how much", BLUE, "-"),
    "gamma_gamma": ("Gamma-gamma × pace", ORANGE, "-"),
    # Dashed: often it ranks as gamma-gamma does, and would hide it.
    "average_spend": ("Average order × pace", RED, (0, (4, 4))),
}
_RANKINGS = {
    "expected_profit": ("Expected profit", BLUE),
    "value_at_risk": ("Value at risk", ORANGE),
    "risk_only": ("Risk alone", RED),
    "random": ("At random", GREY),
}


def draw_captured(said: Mapping[str, np.ndarray], actual: np.ndarray, days: int) -> bytes:
    """Share of all margin against share of customers, highest expectation first, by candidate model and by the outcome
    itself.

    said: expected margin of each customer by candidate model, (n,); actual: margin that came, (n,).
    """
    gained = np.maximum(actual, 0.0)
    with canvas(**_SIZE) as made:
        axes = headed_axes(
            made.figure,
            "Who will bring the money?",
            f"All customers at all test cutoffs, margin over {days} days",
            xlabel="Share of customers, best first",
            ylabel="Share of the margin",
            xlim=(0, 1),
            ylim=(0, 1.01),
        )
        in_per_cent(axes.xaxis, axes.yaxis)
        axes.plot(*gains(gained, gained), color=GREY, linewidth=1, linestyle=(0, (4, 3)), label="Had it been known")
        for candidate_model, expected in said.items():
            name, colour, style = _CANDIDATE_MODELS[candidate_model]
            x, y = gains(gained, expected)
            words = f"{name}: {np.interp(0.1, x, y):.0%} in the top tenth"
            axes.plot(x, y, color=colour, linewidth=2, linestyle=style, label=words)
        axes.legend(loc="lower right", framealpha=0.9, edgecolor="none")
    return made.png


def draw_profit(rows: Sequence[Mapping[str, Any]], contact_cost: float, offer_cost: float, currency: str) -> bytes:
    """Profit over all test cutoffs against share contacted, by ranking, with the stop point."""
    totals = [row for row in rows if row["cutoff_date"] is None]
    with canvas(**_SIZE) as made:
        axes = headed_axes(
            made.figure,
            "What does contacting more customers earn?",
            f"Active customers, all test cutoffs; a contact costs {contact_cost:g}, an offer taken {offer_cost:g}",
            xlabel="Share of customers contacted",
            ylabel=f"Profit, {currency}",
            xlim=(0, 1),
        )
        in_per_cent(axes.xaxis)
        axes.axhline(0, color=GREY, linewidth=1)
        for ranking, (name, colour) in _RANKINGS.items():
            points = sorted(
                (row["contacted_share"], row["profit"])
                for row in totals
                if row["ranking"] == ranking and not row["is_stop_point"]
            )
            x, y = zip((0.0, 0.0), *points, strict=True)
            axes.plot(x, y, color=colour, linewidth=2, label=name)
        for row in totals:
            if row["is_stop_point"]:
                axes.plot(
                    [row["contacted_share"]],
                    [row["profit"]],
                    "o",
                    color=BLUE,
                    markersize=8,
                    label=f"Stop: {row['contacted_share']:.0%} contacted, {row['profit']:,.0f} earned",
                )
        # Outside: the curves may be anywhere inside.
        made.figure.legend(loc="outside lower center", ncols=3, edgecolor="none")
    return made.png
