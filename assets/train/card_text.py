"""The model's card as a page that a person reads in two minutes (`card.md`).

In: the card as data (`card`). Out: Markdown. Computes nothing but wording.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assets.model.churn_features import FAMILIES
from assets.model.drift import DRIFTED, SHIFTED
from assets.model.feature_words import FEATURE_WORDS
from assets.model.rule_words import describe_rule
from assets.model.simple_rules import rule_from_dict

NOT_FOR = (
    "Granting or refusing credit, insurance, employment, housing or any service: it knows purchases, nothing else.",
    "Setting the price of a single person, or treating anybody worse: it ranks whom to care for.",
    "Deciding alone whom to contact: risk of leaving is not the effect of a contact. The contact plan weighs value, "
    "consent, cost and measured effect, and keeps a holdout.",
    "Customers of another business, another horizon, or without enough history (is_eligible = false).",
    "Finding out why somebody leaves: reasons say what moved the score, not what caused the silence.",
)

LIMITS = (
    "It knows what the source holds: purchases, and contracts, complaints and contacts where there are any. Reasons "
    "outside it (a move, a rival, an illness) it cannot see.",
    "It learns from this business alone and carries the past forward: after a change of range, prices or policy it is "
    "wrong until new outcomes are known, which takes one horizon.",
    "Contributions are exact for the score. Features that move together share what they bring, and none is a cause.",
    "It uses neither name, sex, birthday, address nor origin. Regions serve to judge it (above), never to score. "
    "Features that it does use may still go along with such attributes.",
)

WHO_DECIDES = (
    "Model selection chooses among models by a written rule, nobody by hand; the table above is all that it went by.",
    "The gate releases a night, or a person does, by name and with a reason that is kept.",
    "People decide what is done: whoever owns the contact plan sets budget, consent and playbook, and may leave out "
    "anybody. No customer is refused anything by this score.",
)

LABELS = {
    "auc": "AUC",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "log_loss": "Log loss",
    "ece": "Calibration error",
    "lift_at_10": "Lift in the top tenth",
}


def write_out(card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    sections = {
        "What it has seen": _seen_lines(card),
        "Model selection": _model_selection_lines(card["model_selection"]),
        "How good it is": _quality_lines(card),
        "Is it right about everybody": _slice_lines(card),
        "The simple rule": _bullets(describe_rule(rule_from_dict(card["rule"])).splitlines()),
        "How it is made": _made_lines(card),
        "What it reads": _feature_lines(card),
        "Limits": _bullets(LIMITS),
        "How it is watched": _watch_lines(card),
        "Who decides": _bullets(WHO_DECIDES),
        "What it must not be used for": _bullets(NOT_FOR),
        "Parameters and versions": _version_lines(card),
    }
    lines = _opening_lines(card)
    for title, section in sections.items():
        lines += ["", f"## {title}", *section]
    return "\n".join(lines) + "\n"


def _bullets(lines: Iterable[str]) -> list[str]:
    return [f"* {line}" for line in lines]


def _is_contractual(card: Mapping[str, Any]) -> bool:
    return bool(card["rule"].get("is_contractual", False))


def _opening_lines(card: Mapping[str, Any]) -> list[str]:
    decision, days = card["decision"], card["horizon_days"]
    predicted = (
        f"**no contract left in {days} days**, and the margin to expect of who still has one."
        if _is_contractual(card)
        else f"**no purchase in the next {days} days**, and the margin to expect if there is one."
    )
    return [
        f"# Churn model {card['model_id']}",
        "",
        "Purpose: to find the customers who are worth caring for before they are lost, and to say why.",
        "",
        f"Predicts for each eligible customer the probability of {predicted}",
        "",
        f"**Scored by the {decision['scored_by']}.** {_sentence(decision['reason'])}",
    ]


def _seen_lines(card: Mapping[str, Any]) -> list[str]:
    data, cutoffs = card["data"], card["cutoffs"]
    lines = [
        f"Sources: {', '.join(card['sources'])}",
        f"Data: {data['first_day'] or 'none'} to {data['last_day'] or 'none'}; "
        f"trained as of {card['trained_as_of']} (nothing on or after that day was seen)",
        f"{data['n_training_rows']:,} rows, of which {data['n_churned']:,} ended in churn",
        f"Training cutoffs: {', '.join(cutoffs['training']) or 'none'}",
        f"Validation cutoffs, which choose: {', '.join(cutoffs['validation']) or 'none'}",
        "Test cutoffs, which report; the newest may also keep the incumbent, or let a simple candidate model score "
        f"that is better beyond doubt: {', '.join(cutoffs['test']) or 'none'}",
    ]
    if cutoffs["overlap"]:
        lines.append(
            "The history is short: outcomes at validation cutoffs overlap those of the test cutoff, and "
            "its numbers are a little too good"
        )
    return _bullets(lines)


def _quality_lines(card: Mapping[str, Any]) -> list[str]:
    active = (
        "a contract on the day of the cutoff."
        if _is_contractual(card)
        else f"a purchase within the last {card['horizon_days']} days."
    )
    return [
        "Each test cutoff was predicted by a model and a rule that had seen only outcomes closed before it. "
        f"Mean over the test cutoffs with 95 % interval; *active* means {active}",
        "",
        *_metric_table(card["metrics"]),
        "",
        *_margin_lines(card["margin"]),
    ]


def _version_lines(card: Mapping[str, Any]) -> list[str]:
    return _bullets(
        [
            *(f"{name} = {value}" for name, value in card["parameters"].items()),
            ", ".join(f"{name} {number}" for name, number in card["versions"].items()),
            f"trained at {card['trained_at']}",
        ]
    )


#: Candidate models that are offered every feature: what one of these does not read could not be learned from.
READS_ALL = ("blend", "average")

WHO = {
    "recency_rule": "the simple rule",
    "recency_over_gap": "days since the last purchase in own gaps, and the own gap",
    "rfm_logit": "logistic regression on recency, frequency, money, tenure",
    "bg_nbd": "BG/NBD, closed form",
    "mbg_nbd": "MBG/NBD, closed form",
    "blend": "blend: logistic regression and boosted trees on all features",
    "average": "weighted average of RFM logit, MBG/NBD, logit and trees",
    "incumbent": "the incumbent on the day",
}


def _model_selection_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    means = {
        (r["candidate_model"], r["cutoff_role"], r["population"], r["metric"]): r
        for r in rows
        if r["cutoff_date"] is None
    }
    candidate_models = list(dict.fromkeys(r["candidate_model"] for r in rows))
    if not candidate_models:
        return ["No cutoff could be judged yet."]
    lines = [
        "Every candidate model learned from the same outcomes and was judged on the same customers. The validation "
        "cutoffs chose, by "
        "log loss on active customers; the test cutoffs only report.",
        "",
        "| candidate_model | validation log loss | validation AUC | test log loss | test AUC | test AUC, all |",
        "|---|---|---|---|---|---|",
    ]
    for candidate_model in candidate_models:
        cells = [
            _interval(means.get((candidate_model, role, population, metric)))
            for role, population, metric in (
                ("validation", "active", "log_loss"),
                ("validation", "active", "auc"),
                ("test", "active", "log_loss"),
                ("test", "active", "auc"),
                ("test", "all", "auc"),
            )
        ]
        chosen = any(r["is_chosen"] for r in rows if r["candidate_model"] == candidate_model)
        name = f"**{WHO[candidate_model]}**" if chosen else WHO[candidate_model]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _made_lines(card: Mapping[str, Any]) -> list[str]:
    if not card["kept_features"]:
        return ["* Nothing was fitted; only the rule scores."]
    leak = card["leak_check"]
    families = [
        name for name, candidate_models in FAMILIES.items() if set(candidate_models) & set(card["kept_features"])
    ]
    lines = [
        f"* {WHO[card['fitted_candidate_model']]}"
        + (f", kept from {card['decision']['kept_from']}" if card["decision"]["kept_from"] else ""),
        f"* {len(card['kept_features'])} features of the families {', '.join(families)}",
        f"* Left out (no data, or the same for all): {', '.join(card['dropped_features']) or 'none'}"
        if card["fitted_candidate_model"] in READS_ALL
        else "* By its definition it reads no other feature",
        f"* Calibration on {card['calibration']['n_rows']:,} out-of-time predictions of active customers at "
        f"{card['calibration']['n_cutoffs']} cutoff(s): level {card['calibration']['intercept']:+.3f}, slope "
        f"{card['calibration']['slope']:.3f}",
        _season_line(card.get("season")),
    ]
    if leak["feature"]:
        lines.append(f"* Strongest single feature on active customers: {leak['feature']}, AUC {leak['auc']:.3f}")
    return lines


def _feature_lines(card: Mapping[str, Any]) -> list[str]:
    """What the model reads, by family, with the median of active customers at the newest cutoff."""
    kept = set(card["kept_features"])
    if not kept:
        return ["* Only what the simple rule reads (above)."]
    lines = [
        "Fixed with the model: a feature that is missing or of another type ends the scoring. Usual is the median of "
        "active customers at the newest cutoff.",
        "",
        "| family | feature | meaning | usual |",
        "|---|---|---|---|",
    ]
    for family, candidate_models in FAMILIES.items():
        for name in candidate_models:
            if name in kept:
                usual = "unknown" if card["typical"][name] is None else f"{card['typical'][name]:.4g}"
                lines.append(f"| {family} | {name} | {FEATURE_WORDS[name].en} | {usual} |")
    return lines


def _slice_lines(card: Mapping[str, Any]) -> list[str]:
    """Observed and predicted for each group of active customers over the test cutoffs, whoever scores."""
    rows = card["reliability_by_slice"].get(card["decision"]["scored_by"]) or []
    if not rows:
        return ["No group could be judged yet."]
    lines = [
        "Active customers over the test cutoffs. A group is marked where the prediction lies outside the 95 % "
        "interval of what happened; of twenty groups about one does so by chance.",
        "",
        "| by | group | customers | predicted | observed |  |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        is_off = not r["low"] <= r["mean_predicted"] <= r["high"]
        observed = f"{100 * r['observed_share']:.1f} % ({100 * r['low']:.1f} to {100 * r['high']:.1f})"
        lines.append(
            f"| {r['slice_kind'].replace('_', ' ')} | {r['slice_value']} | {r['n']:,} "
            f"| {100 * r['mean_predicted']:.1f} % | {observed} | {'off' if is_off else ''} |"
        )
    return lines


def _watch_lines(card: Mapping[str, Any]) -> list[str]:
    reference = card.get("reference") or {}
    n = max((sum(r["counts"]) + r["n_missing"] for r in reference.values()), default=0)
    drift = (
        f"Drift: each night what {len(reference) - 1:,} feature(s) and the probability look like is compared with "
        f"{n:,} customers of the newest training cutoff (population stability index; shifted from {SHIFTED}, drifted "
        f"from "
        f"{DRIFTED}, or from what chance alone reaches with so many customers): marts.model_drift."
        if reference
        else "Drift: no customer of a training cutoff to compare with yet."
    )
    return [
        f"* {drift}",
        f"* Realised quality: when the {card['horizon_days']} days after a published date are over, its scores are "
        "judged by what happened: marts.model_performance, rows with basis = 'realised', to compare with the backtest "
        "above.",
        "* Calibration and ranking are checked by rule against newly matured outcomes; the model is kept, "
        "recalibrated, replaced by a simple candidate model that is better there beyond doubt, or trained again, and "
        "the reason is written down: marts.model_monitor.",
        "* A night whose scores move beyond the bounds of the last releases is not published by itself.",
    ]


def _metric_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    means = {(r["population"], r["metric"], r["candidate_model"]): r for r in rows if r["cutoff_date"] is None}
    if not means:
        return ["No test cutoff is possible yet."]
    lines = ["| population | metric | model | rule |", "|---|---|---|---|"]
    for population in ("active", "all"):
        for metric, label in LABELS.items():
            cells = [
                _interval(means.get((population, metric, candidate_model))) for candidate_model in ("model", "rule")
            ]
            lines.append(f"| {population} | {label} | {cells[0]} | {cells[1]} |")
    n_rows = max(row["n_rows"] for row in means.values())
    return [*lines, "", f"Rows over all test cutoffs: {n_rows:,} (all customers)."]


def _interval(row: Mapping[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return "not defined"
    if row["low"] is None:
        return f"{row['value']:.3f}"
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


def _margin_lines(margin: Mapping[str, Any]) -> list[str]:
    lines = []
    for candidate_model, found in margin["comparison"].items():
        name = {"model": "Margin model", "rule": "Average order × pace"}[candidate_model]
        ratio, share = found["actual_over_expected"], found["captured_by_top_tenth"]
        times = "not comparable with" if ratio is None else f"{ratio:.2f} times"
        given = "an unknown share" if share is None else f"{100 * share:.0f} %"
        lines.append(
            f"* {name}: the actual margin of buyers is {times} the expected; the tenth of customers with the highest "
            f"expectation gave {given} of all margin"
        )
    return [
        *lines,
        f"* Expected margin given a purchase comes from the {margin['estimated_by']}, times {margin['level']:.2f}: the "
        f"level of the newest closed cutoffs{_margin_season(margin)}.",
    ]


def _margin_season(margin: Mapping[str, Any]) -> str:
    shifts = margin["season"]["shifts"].values()
    if not shifts:
        return ""
    least, most = (f"{math.exp(end(shifts)):.2f}" for end in (min, max))
    return f"; the season multiplies it by {least} to {most} over the days that the model scores"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _season_line(season: Mapping[str, Any] | None) -> str:
    """What the season adds, in words."""
    if not season or not season["shifts"]:
        return "* Season: none is applied (too short a history, no year before, or no season that came again)"
    days = "; ".join(f"{shift:+.3f} on {day}" for day, shift in sorted(season["shifts"].items()))
    return (
        f"* Season: {100 * season['share']:.0f} % of last year's change from cutoff to cutoff is applied to the "
        f"log-odds: "
        f"{days}; straight lines between"
    )


CHECKS_TITLE = "## What checks have found since"


def with_checks(text: str, checks: Sequence[Mapping[str, Any]]) -> str:
    """The card in words with what the monitor found after training, oldest first; what an earlier night wrote of that
    is replaced."""
    before = text.split(f"\n{CHECKS_TITLE}")[0].rstrip("\n")
    if not checks:
        return before + "\n"
    lines = [
        f"* {check['checked_as_of']}: **{check['verdict']}**"
        + (f", {check['scoring_model']} scores" if check["verdict"] == "replaced" else "")
        + (f" (adjustment {check['adjustment_id']}, {check['shift']:+.3f} on the log-odds)" if check["shift"] else "")
        + f". {check['reason']}."
        for check in sorted(checks, key=lambda c: c["checked_as_of"])
    ]
    return "\n".join([before, "", CHECKS_TITLE, *lines]) + "\n"
