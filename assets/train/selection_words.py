"""Why a model was chosen, in words.

In: what model selection found. Out: text for the card and the tables.
"""

from collections.abc import Mapping
from datetime import date

from assets.train.simple_members import Better

NOBODY_JUDGED = "no model could be judged at validation cutoffs yet: the average of what can be fitted scores"
NOBODY_ACTIVE = "no active customer at a validation cutoff: the average of what can be fitted scores"


def least_loss(n_cutoffs: int, best: str, loss: float) -> str:
    """Who has the least loss."""
    return f"{n_cutoffs} validation cutoff(s), log loss on active customers: {best} {loss:.4f} is the least"


def gain_over_average(loss: float, gain: float, margin: float) -> str:
    return (
        f"; the average has {loss:.4f}, more by {gain:.4f} (95 % interval {gain - margin:+.4f} to {gain + margin:+.4f})"
    )


def weights_of_average(weights: Mapping[str, float], n_cutoffs: int) -> str:
    """Which rung of the ladder the average stands on, and what it is made of."""
    parts = ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())
    if n_cutoffs:
        return f"weights of the average, learned at {n_cutoffs} out-of-time cutoff(s): {parts}"
    return f"weights of the average, from how much data there are, for no cutoff could be judged yet: {parts}"


def only_process(why: str) -> str:
    return f"{why}: MBG/NBD scores, which needs no outcomes, fitted to the purchase histories"


def against_incumbent(cutoff: date, gap: float, error: float) -> str:
    return f"log loss at {cutoff} {gap:+.4f} against the incumbent's (standard error {error:.4f})"


def simple_is_better(model: str, better: Better) -> str:
    """A simple candidate model against the one that scored, on the newest outcomes."""
    return (
        f"log loss of active customers, levels taken out: {model} {better.model_loss:.4f}, "
        f"{better.candidate_model} {better.loss:.4f}, less by {better.low:.4f} to {better.high:.4f} "
        f"(95 % interval for {better.n_compared} compared)"
    )


def simple_scores(cutoff: date, model: str, better: Better) -> str:
    return f"at the newest cutoff, {cutoff}, {simple_is_better(model, better)}: {better.candidate_model} scores"


def leak_alarm(feature: str | None, auc: float, limit: float) -> str:
    return (
        f"leak alarm: {feature} alone separates those who left from those who stayed with AUC {auc:.3f} "
        f"(limit {limit}); it seems to know the future, so the rule scores"
    )
