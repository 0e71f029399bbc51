"""Why a model was chosen, in words.

In: what model selection found. Out: text for the card and the tables.
"""

from collections.abc import Mapping, Sequence
from datetime import date

NOBODY_JUDGED = "no model could be judged at the validation cutoffs, so the rule scores"
NOBODY_ACTIVE = "no active customer at a validation cutoff, so the rule scores"


def too_few_cutoffs(n_cutoffs: int) -> str:
    return f"{n_cutoffs} validation cutoff is too few to choose by, so the rule scores"


def least_loss(n_cutoffs: int, best: str, tied: Sequence[str], chosen: str, losses: Mapping[str, float]) -> str:
    """Who has the least loss, and who ties with it."""
    words = f"{n_cutoffs} validation cutoffs, log loss on active customers: {best} {losses[best]:.4f} is the least"
    if tied:
        words += f"; {', '.join(tied)} tied with it, and the simplest is taken: {chosen} {losses[chosen]:.4f}"
    return words


def gain_over_rule(chosen: str, gain: float, margin: float) -> str:
    return (
        f"; {chosen} is better than the simple rule by {gain:.4f} (95 % interval {gain - margin:+.4f} to "
        f"{gain + margin:+.4f})"
    )


def against_incumbent(cutoff: date, gap: float, error: float) -> str:
    return f"log loss at {cutoff} {gap:+.4f} against the incumbent's (standard error {error:.4f})"


def leak_alarm(feature: str | None, auc: float, limit: float) -> str:
    return (
        f"leak alarm: {feature} alone separates those who left from those who stayed with AUC {auc:.3f} "
        f"(limit {limit}); it seems to know the future, so the rule scores"
    )
