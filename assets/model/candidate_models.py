"""The candidate models of model selection: of which fitted parts each is the weighted sum.

In: `Snapshots` in content order. Out: uncalibrated `ChurnModel`s by name, which predict by `uncalibrated`. Which rows
to learn from, the learned weights of the average, calibration, and who scores are decided elsewhere. The recency rule,
against which all are shown, is learned by `rule_fit`.
"""

from dataclasses import dataclass, replace

from assets.model.churn_features import FEATURES
from assets.model.churn_model import DERIVED, ChurnModel
from assets.model.part_fits import FittedParts
from assets.model.simple_rules import RULE
from assets.model.snapshots import Snapshots
from assets.model.stacking import FLEXIBLE_PARTS, PARTS, SIMPLE_PARTS
from assets.model.threads import one_thread

#: The one that scores unless another is shown to be better: no part has to prove itself to take part in it.
AVERAGE = "average"


@dataclass(frozen=True)
class CandidateModel:
    """A weighted sum, on the scale of log-odds, of parts of `FittedParts`. parts: part to weight.

    To add a candidate model, add it to `CANDIDATE_MODELS` and say in `train.card_text.WHO` what it is.
    """

    name: str
    parts: dict[str, float]

    def fit(self, parts: FittedParts, horizon_days: int) -> ChurnModel:
        """The candidate model of rows whose parts these are, uncalibrated."""
        fitted = tuple(replace(getattr(parts, name), weight=weight) for name, weight in self.parts.items())
        n_inputs = len(FEATURES) + len(DERIVED)
        reads_derived = any(set(part.columns) & set(range(len(FEATURES), n_inputs)) for part in fitted)
        return ChurnModel(self.name, FEATURES, horizon_days, fitted, process=parts.process if reads_derived else None)


#: Simplest first.
CANDIDATE_MODELS = (
    CandidateModel("recency_over_gap", {"recency_over_gap": 1.0}),
    CandidateModel("rfm_logit", {"rfm_logit": 1.0}),
    CandidateModel("bg_nbd", {"bg_nbd": 1.0}),
    CandidateModel("mbg_nbd", {"mbg_nbd": 1.0}),
    CandidateModel("blend", {"logit": 0.5, "trees": 0.5}),
    # Equal weights before those that `stacking` learns.
    CandidateModel(AVERAGE, {name: 1 / len(PARTS) for name in PARTS}),
)
#: What can be fitted to few outcomes.
FEW_OUTCOMES = (
    *(candidate for candidate in CANDIDATE_MODELS if not set(candidate.parts) & set(FLEXIBLE_PARTS)),
    CandidateModel(AVERAGE, {name: 1 / len(SIMPLE_PARTS) for name in SIMPLE_PARTS}),
)
#: Those that newly matured outcomes may put in the place of the model that scores, simplest first.
SIMPLE = (RULE, *SIMPLE_PARTS)
#: Names of all candidate models, the rule first.
NAMES = (RULE, *(candidate.name for candidate in CANDIDATE_MODELS))


def fit_candidate_models(
    rows: Snapshots, horizon_days: int, seed: int, candidates: tuple[CandidateModel, ...] = CANDIDATE_MODELS
) -> dict[str, ChurnModel]:
    """Candidate models by name. They share their parts: nothing is fitted twice. Needs both outcomes and at least one
    usable column."""
    parts = FittedParts(rows, horizon_days, seed)
    with one_thread():
        return {candidate.name: candidate.fit(parts, horizon_days) for candidate in candidates}
