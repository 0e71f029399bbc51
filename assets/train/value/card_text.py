"""The part of the model's card that speaks of money, for people.

In: the card of the value model, rows of the profit curve, the economics. Out: Markdown. Computes nothing but wording.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from assets.train.value.profit import Economics

_CANDIDATE_MODELS = {
    "average_spend": "average order × pace",
    "gamma_gamma": "gamma-gamma × pace",
    "two_part": "any purchase × how much",
}
_RANKINGS = {
    "expected_profit": "expected profit",
    "value_at_risk": "value at risk",
    "risk_only": "risk alone",
    "random": "chance",
}


def write_out(card: Mapping[str, Any], curve: Sequence[Mapping[str, Any]], terms: Economics) -> str:
    """Markdown of what the value model knows and how good it was, to follow the churn model's card."""
    days, year = card["label_days"], card["value_horizon_days"]
    basis = (
        f"A year ({year} days) is learned from outcomes of whole years."
        if card["basis"] == "labels"
        else f"No outcome of a whole year ({year} days) could be both learned from and judged: the year is that of "
        f"{days} days times {card['extrapolation_factor']:.2f}, as the margin of earlier customers "
        "went on. It is an extrapolation."
    )
    if not card["performance"]:
        basis = (
            f"No outcome is known yet, so nothing here has been checked: the year ({year} days) is that of {days} days "
            f"times {card['extrapolation_factor']:.2f}, by convention."
        )
        return "\n".join(["", "## What the money is worth", basis, "", *_profit_lines(curve, terms), ""])
    lines = ["", "## What the money is worth", basis, ""]
    means = {
        (r["target"], r["candidate_model"], r["metric"]): r["value"]
        for r in card["performance"]
        if r["cutoff_date"] is None
    }
    lines += [
        "| margin over | estimated by | rank correlation | top tenth gave (most possible) | actual / expected "
        "| mean error |",
        "|---|---|---|---|---|---|",
    ]
    for target, over in (("horizon", card["horizon_days"]), ("window", days)):
        for candidate_model, words in _CANDIDATE_MODELS.items():
            if (target, candidate_model, "mae") not in means:
                continue
            found = {
                name: means.get((target, candidate_model, name))
                for name in ("spearman", "captured_by_top_tenth", "oracle_by_top_tenth", "actual_over_expected", "mae")
            }
            lines.append(
                f"| {over} days | {words} | {_number(found['spearman'])} | {_percent(found['captured_by_top_tenth'])} "
                f"({_percent(found['oracle_by_top_tenth'])}) | {_number(found['actual_over_expected'])} | "
                f"{_number(found['mae'])} |"
            )
    for target, over in (("horizon", card["horizon_days"]), ("window", days)):
        share = next((v for (t, _, metric), v in means.items() if t == target and metric == "coverage"), None)
        if share is not None:
            lines.append(
                f"* Intervals over {over} days: {_percent(share)} of later outcomes lay within "
                f"({_percent(card['coverage'])} wanted)."
            )
    lines += _next_order_lines(means)
    return "\n".join([*lines, "", *_profit_lines(curve, terms), ""])


def _next_order_lines(means: Mapping[tuple[str, str, str], float | None]) -> list[str]:
    def of(name: str, metric: str) -> float | None:
        return means.get(("next_order", name, metric))

    wrong = [of(name, "mae_days") for name in ("return_curve", "usual_wait", "own_gap")]
    if any(each is None for each in wrong):
        return []
    by_curve, usual, own = (float(each or 0) for each in wrong)
    inside = of("return_curve", "coverage")
    interval = "" if inside is None else f" Its interval held {_percent(inside)}."
    return [
        f"* Day of the next order, of those for whom one was expected and who came within the horizon: wrong by "
        f"{by_curve:.1f} days on average (the median wait of earlier customers: {usual:.1f}, the own mean gap: "
        f"{own:.1f}).{interval}"
    ]


def _profit_lines(curve: Sequence[Mapping[str, Any]], terms: Economics) -> list[str]:
    totals = [row for row in curve if row["cutoff_date"] is None]
    if not totals:
        return ["No campaign can be counted back yet: there is no test cutoff with known outcomes."]
    lines = [
        f"A campaign at the test cutoffs (a contact costs {terms.contact_cost:g}, an offer taken {terms.offer_cost:g}, "
        f"{_percent(terms.accepted)} of churners take it) would have earned, contacting a tenth of the "
        "active customers:"
    ]
    for row in totals:
        if row["contacted_share"] == 0.1 and row["ranking"] in _RANKINGS and not row["is_stop_point"]:
            lines.append(f"* by {_RANKINGS[row['ranking']]}: {row['profit']:,.0f}")
    stop = next((row for row in totals if row["is_stop_point"]), None)
    if stop is not None:
        lines.append(
            f"* stopping where the next customer is expected to lose ({_percent(stop['contacted_share'])}): "
            f"{stop['profit']:,.0f}"
        )
    return lines


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "not defined" if value is None else f"{100 * value:.0f} %"
