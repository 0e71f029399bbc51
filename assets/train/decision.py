"""Who scores: model selection's choice, unless a feature seems to know the future or the incumbent did better.

In: a choice, the predictions behind it, the strongest single feature. Out: a `Decision` with its reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assets.model.candidate_models import RULE
from assets.model.retention_model import RetentionModel
from assets.train import selection_words
from assets.train.leak_check import LEAK_AUC, StrongestFeature
from assets.train.model_selection import Choice, gap_to_incumbent
from assets.train.out_of_time import INCUMBENT, Judged


@dataclass(frozen=True)
class Decision:
    """scored_by: `model` or `rule`. keeps_incumbent: the incumbent stays."""

    scored_by: str
    reason: str
    candidate_model: str = RULE
    keeps_incumbent: bool = False

    def as_scored_by(self, kept: RetentionModel) -> "Decision":
        """The decision where the incumbent stays: it scores as it did."""
        return replace(self, scored_by=kept.scored_by, candidate_model=kept.candidate_model)


def decide_who_scores(choice: Choice, tests: Sequence[Judged], leak: StrongestFeature) -> Decision:
    """Model selection's choice, unless a feature seems to know the future (then the rule scores), or the incumbent did
    better than the choice at the newest test cutoff (then it stays)."""
    if choice.candidate_model != RULE and leak.is_leak:
        return Decision("rule", selection_words.leak_alarm(leak.feature, leak.auc, LEAK_AUC))
    reason = choice.reason
    newest = max(tests, key=lambda judged: judged.cutoff, default=None)
    gap = None if newest is None else gap_to_incumbent(newest, choice.candidate_model)
    if newest is not None and gap is not None:
        words = selection_words.against_incumbent(newest.cutoff, gap.value, gap.error)
        if gap.is_worse:
            return Decision("model", f"{reason}; but {words}: the incumbent stays", INCUMBENT, True)
        reason += f"; {words}: not worse"
    return Decision("rule" if choice.candidate_model == RULE else "model", reason, choice.candidate_model)
