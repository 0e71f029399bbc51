"""Why a score is another than the one published before: the data, the definition, the model or its recalibration.

In: earlier and present probabilities, what the earlier model says of today's data. Out: the change of each customer,
split into parts that add up to it. Words are in `change_words`.

The split follows the order in which things happen: first the old model (as it was then calibrated) sees the new data,
then the new model replaces it, then the recalibration of the new one. Each step is the difference of two probabilities
of the same customer, so that the parts add up without a rest. A model that answers another question (other horizon, or
other training parameters) is a change of definition, not of the model.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from assets.explain.earlier import Earlier
from assets.model.retention_model import PROBABILITY_DECIMALS, RetentionModel, probability_of

NUMBERS = (
    "previous_probability",
    "probability_change",
    "change_from_data",
    "change_from_definition",
    "change_from_model",
    "change_from_recalibration",
)


@dataclass(frozen=True)
class Scores:
    """Of n scored customers: the probability published before (NaN where there was none), today's, and the present
    model's log-odds before its shift (NaN where the rule scores)."""

    previous: np.ndarray
    now: np.ndarray
    model_log_odds: np.ndarray


def no_changes(n: int) -> dict[str, np.ndarray]:
    """Of n customers where nothing was published before."""
    return {name: np.full(n, np.nan) for name in NUMBERS}


def old_model_now(
    earlier: Earlier, model: RetentionModel, scores: Scores, old_matrix: Callable[[], np.ndarray]
) -> np.ndarray | None:
    """What the earlier model, calibrated as then, says of today's data, (n,); None when it is gone.

    old_matrix: the columns that the earlier model reads; asked only where another model has replaced it, for the same
    model differs by its shift alone.
    """
    if earlier.model is None:
        return None
    if earlier.change is not None:
        rows = old_matrix()
        return earlier.model.churn_probability(rows) if len(rows) else np.empty(0)  # sklearn takes no empty matrix
    if model.scored_by == "rule":
        return scores.now  # no shift moves the rule
    return earlier.model.probability_at(scores.model_log_odds)


def split_change(
    earlier: Earlier, model: RetentionModel, scores: Scores, old_now: np.ndarray | None
) -> dict[str, np.ndarray]:
    """The parts of each change by name (`NUMBERS`); NaN where the customer had no score then, or the old model is gone.

    old_now: as `old_model_now` gives it. Parts and change have nine decimals and add up up to their rounding.
    """
    unknown, change = np.full(len(scores.now), np.nan), scores.now - scores.previous
    parts = dict.fromkeys(NUMBERS, unknown)
    parts |= {"previous_probability": scores.previous, "probability_change": change}
    if old_now is not None:
        uncorrected = _before_recalibration(earlier, model, scores, old_now)
        replaced, nothing = uncorrected - old_now, np.where(np.isnan(change), np.nan, 0.0)
        parts["change_from_data"] = old_now - scores.previous
        parts["change_from_definition"] = replaced if earlier.change == "definition" else nothing
        parts["change_from_model"] = replaced if earlier.change == "model" else nothing
        parts["change_from_recalibration"] = scores.now - uncorrected
    known = ~np.isnan(change)
    return {name: np.where(known, values, np.nan).round(PROBABILITY_DECIMALS) + 0.0 for name, values in parts.items()}


def _before_recalibration(earlier: Earlier, model: RetentionModel, scores: Scores, old_now: np.ndarray) -> np.ndarray:
    if model.scored_by == "rule":
        return scores.now
    if earlier.change is None:
        return old_now  # the same model: all that is not data is recalibration
    return probability_of(scores.model_log_odds)
