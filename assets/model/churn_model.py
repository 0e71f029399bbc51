"""A churn model as a sum of parts on the scale of log-odds, so that every score can be taken apart again exactly.

In: a matrix with one row a customer and one column a feature of `features`, NaN where a feature is not defined.
Out: log-odds of churn. Never fits; knows no files (`model_store`) and no names of people.

    log-odds = intercept + slope × Σ weight × part's own log-odds

The parts see `inputs`: the features, then the columns that the model derives from them (`derived`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from assets.model.purchase_process import PurchaseProcess

Kind = Literal["linear", "trees", "purchase_process"]

#: Log-odds are kept within this of zero: beyond it a probability of nine decimals is 0 or 1.
BOUND = 20.0

#: Columns that a `PurchaseProcess` reads, in this order.
PROCESS_FEATURES = ("frequency", "recency_days", "tenure_days")

#: What a model may derive from its features with a fitted purchase process, and the family each belongs to.
DERIVED: dict[str, str] = {
    "process_log_odds": "silence",
    "process_alive_share": "silence",
    "process_expected_orders": "tenure",
}


@dataclass(frozen=True)
class Part:
    """One summand.

    kind says what `fitted` is and how a contribution is found:
    * linear: a sklearn pipeline ending in a LogisticRegression: its terms.
    * trees: a HistGradientBoostingClassifier: its raw score, additive over trees.
    * purchase_process: a dict of the parameters of `PurchaseProcess`: a closed form of `PROCESS_FEATURES`.

    columns: indices into the model's `inputs` that linear and trees read, in their order.
    """

    name: str
    kind: Kind
    weight: float
    columns: tuple[int, ...]
    fitted: Any

    def log_odds(self, inputs: np.ndarray, names: Sequence[str], horizon_days: int) -> np.ndarray:
        """(n,) log-odds of churn by this part alone, uncalibrated. inputs: (n, len(names))."""
        if self.kind in ("linear", "trees"):
            return np.clip(self.fitted.decision_function(inputs[:, self.columns]), -BOUND, BOUND)
        process = PurchaseProcess(**self.fitted)
        x, recency, age = (inputs[:, names.index(f)] for f in PROCESS_FEATURES)
        found = process.log_odds(x, recency, age, horizon_days)
        return np.nan_to_num(found, nan=0.0)  # no history: nothing said either way


@dataclass(frozen=True)
class ChurnModel:
    """A fitted churn model.

    candidate_model: its name in model selection. features: columns of the matrix it takes. process: parameters of the
    purchase process behind the derived columns, or None where none are derived.
    """

    candidate_model: str
    features: tuple[str, ...]
    horizon_days: int
    parts: tuple[Part, ...]
    intercept: float = 0.0
    slope: float = 1.0
    process: Mapping[str, Any] | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the columns that parts read: the features, then the derived ones."""
        return self.features + (tuple(DERIVED) if self.process is not None else ())

    def extend(self, matrix: np.ndarray) -> np.ndarray:
        """(n, len(inputs)): the matrix with the derived columns behind it."""
        if self.process is None:
            return matrix
        return np.column_stack([matrix, derived_columns(self.process, self.features, matrix, self.horizon_days)])

    def part_log_odds(self, matrix: np.ndarray) -> dict[str, np.ndarray]:
        """Part → (n,) log-odds by that part alone, uncalibrated and without its weight."""
        inputs, names = self.extend(matrix), list(self.inputs)
        return {part.name: part.log_odds(inputs, names, self.horizon_days) for part in self.parts}

    def uncalibrated(self, matrix: np.ndarray) -> np.ndarray:
        """(n,) weighted sum of the parts' log-odds."""
        return self.weighted(self.part_log_odds(matrix))

    def weighted(self, log_odds: Mapping[str, np.ndarray]) -> np.ndarray:
        """(n,) weighted sum of what `part_log_odds` gave."""
        return sum_weighted(log_odds, self.weights)

    @property
    def weights(self) -> dict[str, float]:
        """Part → weight."""
        return {part.name: part.weight for part in self.parts}

    def with_weights(self, weights: Mapping[str, float]) -> "ChurnModel":
        """The same parts with other weights; a part without weight is left out."""
        kept = tuple(replace(part, weight=weights[part.name]) for part in self.parts if weights[part.name] > 0)
        return replace(self, parts=kept)

    def log_odds(self, matrix: np.ndarray) -> np.ndarray:
        """(n,) calibrated log-odds of churn."""
        return self.intercept + self.slope * self.uncalibrated(matrix)

    def to_stored(self) -> dict[str, Any]:
        """Plain types and fitted sklearn objects only, for the model file."""
        return {
            "candidate_model": self.candidate_model,
            "features": list(self.features),
            "horizon_days": self.horizon_days,
            "intercept": self.intercept,
            "slope": self.slope,
            "process": None if self.process is None else dict(self.process),
            "parts": [{**vars(part), "columns": list(part.columns)} for part in self.parts],
        }

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> "ChurnModel":
        parts = tuple(Part(**{**part, "columns": tuple(part["columns"])}) for part in stored["parts"])
        return cls(**{**stored, "features": tuple(stored["features"]), "parts": parts})


def sum_weighted(log_odds: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """(n,) sum over parts of weight × log-odds, in the order of `weights`, whose parts `log_odds` all holds."""
    total = np.zeros(len(next(iter(log_odds.values()))))
    for name, weight in weights.items():
        total += weight * log_odds[name]
    return total


def derived_columns(
    process: Mapping[str, Any], features: Sequence[str], matrix: np.ndarray, horizon_days: int
) -> np.ndarray:
    """(n, len(DERIVED)): what a fitted purchase process says of each customer, NaN for those who never purchased."""
    fitted = PurchaseProcess(**process)
    x, recency, age = (matrix[:, list(features).index(f)] for f in PROCESS_FEATURES)
    return np.column_stack(
        [
            fitted.log_odds(x, recency, age, horizon_days),
            fitted.alive_share(x, recency, age),
            fitted.orders_if_alive(x, recency, age),
        ]
    )
