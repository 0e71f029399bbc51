"""The evaluation for people: a page in Markdown, a picture an arm, and the same figures as CSV."""

import csv
from collections.abc import Iterable
from pathlib import Path

from assets.shared.files import replacing_folder, write_whole
from assets.shared.plots import BLUE, GREEN, GREY, ORANGE, RED, canvas
from campaigns.covariates import DOUBTFUL, Balance
from campaigns.policies import MODELS, SHARES, ArmResult, Estimate, Evaluation, Policy
from campaigns.table import Campaign

COLOUR = dict(zip(MODELS, (BLUE, GREEN, ORANGE, RED, "#CC79A7"), strict=True))


def write_page(folder: Path, title: str, campaign: Campaign, balance: Balance, evaluation: Evaluation) -> str:
    """Write page.md, effects.csv, policies.csv, curves.csv and the pictures into `folder`, which they replace. Returns
    the page."""
    text = page(title, campaign, balance, evaluation)
    with replacing_folder(folder) as inside:
        write_whole(inside / "page.md", text)
        _write_csv(inside / "effects.csv", _effect_rows(evaluation))
        _write_csv(inside / "policies.csv", _policy_rows(evaluation))
        _write_csv(inside / "curves.csv", _curve_rows(evaluation))
        for number, arm in enumerate(_arms_with_curves(evaluation), start=1):
            (inside / f"arm-{number}.png").write_bytes(_picture(evaluation, arm))
    return text


def page(title: str, campaign: Campaign, balance: Balance, evaluation: Evaluation) -> str:
    """The whole evaluation in Markdown."""
    return "\n".join(
        [
            f"# {title}",
            "",
            *_answer(balance, evaluation),
            "",
            "## What was read",
            "",
            *_rows_read(campaign),
            "",
            *_balance(campaign, balance),
            "",
            *_effects(evaluation),
            "",
            *_whom(evaluation),
            "",
            *_how(evaluation),
            "",
        ]
    )


def _answer(balance: Balance, evaluation: Evaluation) -> list[str]:
    """The result in a sentence an arm."""
    lines = []
    if not balance.is_randomised:
        lines = [
            "**The arms were not assigned by lot**, so nothing below is the campaign's doing: they differ beyond"
            f" chance in {', '.join(balance.differing)}.",
            "",
        ]
    for arm in evaluation.arms:
        lines.append(f"* **{arm.arm}: {arm.verdict}.** {_effect_words(arm)} {_advice(evaluation, arm.arm)}")
    return lines


def _effect_words(arm: ArmResult) -> str:
    low, mean, high = (f"{100 * x:+.2f}" for x in (arm.effect.low, arm.effect.mean, arm.effect.high))
    words = f"On average the share with the outcome changed by {mean} points [{low}, {high}]."
    if arm.n_needed is not None:
        words += f" About {arm.n_needed:,} persons in all would show an effect of this size."
    return words


def _advice(evaluation: Evaluation, arm: str) -> str:
    chosen = next(p for p in evaluation.policies if p.arm == arm and p.is_recommended)
    unit = _unit(evaluation)
    if chosen.name == "nobody":
        everybody = next(p for p in evaluation.policies if p.arm == arm and p.name == "everybody")
        if everybody.per_1000.high < 0:
            return f"Contact nobody: contacting everybody loses {_interval(everybody.per_1000)} {unit}."
        return "Contact nobody until more is known: no way to choose persons is shown to pay."
    if chosen.name == "everybody":
        return f"Contact everybody: {_interval(chosen.per_1000)} {unit}; no model is shown to choose better."
    return (
        f"Contact the {chosen.share:.0%} whom the model ({_name(chosen.name)}) puts first:"
        f" {_interval(chosen.per_1000)} {unit}, {_interval(chosen.over_simple)} more than the better of everybody and"
        " nobody."
    )


def _rows_read(campaign: Campaign) -> list[str]:
    n = len(campaign.arm)
    left_out = "".join(f", {rows:,} left out ({reason})" for reason, rows in campaign.left_out.items())
    lines = [f"{campaign.n_rows:,} rows: {n:,} used{left_out}.", *campaign.notes]
    names = ", ".join(campaign.covariate_names) or "none"
    lines.append(f"Known before the contact: {names}.")
    lines += [f"* not used: {name} ({why})" for name, why in campaign.unused_columns.items()]
    return lines


def _balance(campaign: Campaign, balance: Balance) -> list[str]:
    sizes = ", ".join(f"{name} {int((campaign.arm == place).sum()):,}" for place, name in enumerate(campaign.arm_names))
    words = f"Arms: {sizes}. "
    if not campaign.covariate_names:
        return [words + "Nothing is known of the persons before the contact, so the lot cannot be checked."]
    word = "as far apart as a lot would leave them" if balance.p_value >= DOUBTFUL else "further apart than by chance"
    return [words + f"In what was known before, the arms are {word} (p = {balance.p_value:.3g} over all columns)."]


def _effects(evaluation: Evaluation) -> list[str]:
    lines = [
        "## What each arm changed",
        "",
        f"Share with the outcome in the control group: {evaluation.control_rate:.2%}. Effects are adjusted for what was"
        " known before.",
        "",
        f"| arm | persons | share | effect, points | could show, points | {_unit(evaluation)}, everybody | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for arm in evaluation.arms:
        lines.append(
            f"| {arm.arm} | {arm.n:,} | {arm.rate:.2%} | {_interval(arm.effect, 100, 2)}"
            f" | {100 * arm.smallest_shown:.2f} | {_interval(arm.per_1000)} | {arm.verdict} |"
        )
    return lines


def _whom(evaluation: Evaluation) -> list[str]:
    lines = ["## Whom to contact", ""]
    if evaluation.why_no_models:
        return [*lines, f"No model was fitted: {evaluation.why_no_models}."]
    lines += [
        f"| arm | contacted | share | {_unit(evaluation)} | over the simple best | Qini | |",
        "|---|---|---|---|---|---|---|",
    ]
    for policy in evaluation.policies:
        lines.append(
            f"| {policy.arm} | {_name(policy.name)} | {policy.share:.0%} | {_interval(policy.per_1000)}"
            f" | {_interval(policy.over_simple)} | {_interval(policy.qini)}"
            f" | {'recommended' if policy.is_recommended else ''} |"
        )
    for number, arm in enumerate(_arms_with_curves(evaluation), start=1):
        lines += ["", f"![{arm}: what the best share brings](arm-{number}.png)"]
    return lines


def _how(evaluation: Evaluation) -> list[str]:
    lines = [
        "## How",
        "",
        "Intervals are 95 %, bootstrapped, and corrected for the number of arms and models. A person is scored by"
        " models that were fitted without that person, and the share at which a model stops is learnt from other"
        " persons. `nobody` is the control group: every figure is what is gained over it. Qini: mean height of the"
        " curve above that of contacts by lot.",
        "",
    ]
    if evaluation.why_no_models:
        return lines
    return [*lines, *(f"* {_name(name)}: {words}" for name, words in MODELS.items())]


def _unit(evaluation: Evaluation) -> str:
    return "profit a 1,000 persons" if evaluation.has_money else "outcomes a 1,000 persons"


def _name(policy: str) -> str:
    return f"{policy} model" if policy in {"response", "risk"} else policy.replace("_", " ")


def _interval(estimate: Estimate | None, scale: float = 1.0, digits: int = 1) -> str:
    if estimate is None:
        return ""
    low, mean, high = (f"{scale * x:+,.{digits}f}" for x in (estimate.low, estimate.mean, estimate.high))
    return f"{mean} [{low}, {high}]" if estimate.low != estimate.high else f"{scale * estimate.mean:.0f}"


# -- Tables and pictures ----------------------------------------------------------------------------------------------


def _effect_rows(evaluation: Evaluation) -> Iterable[list[object]]:
    yield [
        *("arm", "n_persons", "outcome_rate", "effect", "effect_low", "effect_high", "smallest_shown", "n_needed"),
        *("verdict", "per_1000", "per_1000_low", "per_1000_high"),
    ]
    for a in evaluation.arms:
        yield [
            *(a.arm, a.n, a.rate, *_three(a.effect), a.smallest_shown, a.n_needed, a.verdict),
            *_three(a.per_1000),
        ]


def _policy_rows(evaluation: Evaluation) -> Iterable[list[object]]:
    figures = ("per_1000", "over_simple", "qini")
    yield ["arm", "policy", "share_contacted", *(f"{f}{end}" for f in figures for end in ("", "_low", "_high")),
           "is_recommended"]  # fmt: skip
    for p in evaluation.policies:
        yield [p.arm, p.name, p.share, *_three(p.per_1000), *_three(p.over_simple), *_three(p.qini), p.is_recommended]


def _curve_rows(evaluation: Evaluation) -> Iterable[list[object]]:
    yield ["arm", "policy", "share", "per_1000"]
    for policy in evaluation.policies:
        if policy.curve is not None:
            yield from ([policy.arm, policy.name, s, y] for s, y in zip(SHARES, policy.curve, strict=True))


def _three(estimate: Estimate | None) -> list[object]:
    return [None] * 3 if estimate is None else [estimate.mean, estimate.low, estimate.high]


def _write_csv(path: Path, rows: Iterable[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def _arms_with_curves(evaluation: Evaluation) -> list[str]:
    return list(dict.fromkeys(policy.arm for policy in evaluation.policies if policy.curve is not None))


def _picture(evaluation: Evaluation, arm: str) -> bytes:
    """What the best share of persons brings, a line a model; the point is where the model stops."""
    with canvas(width=8.5) as made:
        axes = made.figure.subplots()
        policies: list[Policy] = [p for p in evaluation.policies if p.arm == arm]
        everybody = next(p for p in policies if p.name == "everybody").per_1000.mean
        axes.plot([0, 100], [0, everybody], color=GREY, linestyle="--", label="by lot")
        axes.axhline(0, color=GREY, linewidth=0.8)
        for policy in policies:
            if policy.curve is not None:
                label = _name(policy.name) + (" (recommended)" if policy.is_recommended else "")
                axes.plot(100 * SHARES, policy.curve, color=COLOUR[policy.name], label=label)
                axes.plot([100 * policy.share], [policy.per_1000.mean], "o", color=COLOUR[policy.name])
        axes.set_title(f"{arm}: what contacting the best share brings")
        axes.set_xlabel("share of persons contacted, %")
        axes.set_ylabel(_unit(evaluation))
        axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return made.png
