"""Why a check of the active model ended as it did, in words.

In: what the check measured. Out: text for `marts.model_monitor` and the card.
"""

from datetime import date

from assets.train.selection_words import simple_is_better
from assets.train.simple_members import Better

RULE_SCORES = "the rule scores; it is learned again at the next training"


def too_few(n_rows: int, n_churned: int, needed: int) -> str:
    return f"{n_rows:,} outcomes with {n_churned:,} who left; {needed:,} with both outcomes are needed"


def shares(day: date, predicted: float, observed: float, interval: tuple[float, float]) -> str:
    """Who was expected to leave, and who did. interval: 95 % of the observed share."""
    low, high = interval
    return (
        f"{100 * predicted:.1f} % were expected to leave by {day}, {100 * observed:.1f} % did "
        f"({100 * low:.1f} to {100 * high:.1f} %)"
    )


def ranks_worse(auc: float, promised: float, max_loss: float, shift: float) -> str:
    return (
        f"AUC on active customers is {auc:.3f}, promised {promised:.3f}: lower by more than "
        f"{max_loss} and beyond doubt, so the next night trains a new model; until then shifted by {shift:+.3f}"
    )


def is_off(max_gap: float, shift: float) -> str:
    return (
        f"off by more than chance and by more than {100 * max_gap:.0f} % of it, so log-odds are shifted by {shift:+.3f}"
    )


def simple_scores(model: str, better: Better, day: date) -> str:
    return (
        f"{simple_is_better(model, better)}: {better.candidate_model} scores from {day} on, until a check or a "
        "training says otherwise"
    )
