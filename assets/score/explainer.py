"""A score taken apart: what each family of features adds to a customer's log-odds of churn, with nothing left over.

In: a model ready to score and rows of its features. Out: a base and one contribution a row and group, so that
base + sum of the contributions = the log-odds of the published probability. Words are not made here.

A contribution says what the score rests on. It says nothing about causes.
"""

from collections.abc import Callable

import numpy as np

from assets.score.facts import UNSPOKEN
from assets.shared.churn_features import FAMILIES
from assets.shared.churn_model import BOUND, DERIVED, PROCESS_FEATURES, ChurnModel, Part
from assets.shared.contributions import linear_contributions, shapley, tree_contributions
from assets.shared.purchase_process import PurchaseProcess
from assets.shared.retention_model import RetentionModel, one_thread

#: What the business did to its customers adds to scores too, but never explains one: it stands apart.
CONTACTS = "contacts"
#: The groups of contributions, in the order of their columns.
GROUPS = (*FAMILIES, CONTACTS)

_GROUP_OF = {
    **{feature: GROUPS.index(family) for family, features in FAMILIES.items() for feature in features},
    **{feature: GROUPS.index(family) for feature, family in DERIVED.items()},
    **dict.fromkeys(UNSPOKEN, GROUPS.index(CONTACTS)),
}
_SILENCE = GROUPS.index("silence")

#: What explains one summand: inputs (n, k) → (n, len(GROUPS)), with the base.
Explains = tuple[float, Callable[[np.ndarray], np.ndarray]]


class Explainer:
    """Contributions of one model, prepared once for many rows. `base` is the log-odds that contributions add to."""

    def __init__(self, model: RetentionModel):
        self._model, self._usual = model, dict(zip(model.features, model.typical, strict=True))
        self._parts: list[tuple[float, Callable[[np.ndarray], np.ndarray]]] = []
        if model.scored_by == "rule" or model.churn is None:
            self.base, self._rule_says = self._rule()
            return
        self._rule_says = None
        churn = model.churn
        self.base = model.shift + churn.intercept
        for part in churn.parts:
            base, explains = self._explains(churn, part)
            scale = churn.slope * part.weight
            self.base += scale * base
            self._parts.append((scale, explains))

    def __call__(self, matrix: np.ndarray) -> np.ndarray:
        """(n, len(GROUPS)) contributions of rows whose columns are the model's features."""
        if len(matrix) == 0:
            return np.zeros((0, len(GROUPS)))  # sklearn takes no empty matrix
        with one_thread():
            if self._rule_says is not None:
                return self._rule_says(matrix)
            inputs = self._model.churn.extend(matrix)
            found = np.zeros((len(matrix), len(GROUPS)))
            for scale, explains in self._parts:
                found += scale * explains(inputs)
            return found

    def _explains(self, churn: ChurnModel, part: Part) -> Explains:
        names = list(churn.inputs)
        columns = list(part.columns)
        groups = [_GROUP_OF[names[j]] for j in columns]
        if part.kind == "trees":
            trees = tree_contributions(part.fitted, groups, len(GROUPS))
            return trees.base, lambda inputs: _bounded(trees.base, trees(np.ascontiguousarray(inputs[:, columns].T)))
        if part.kind == "linear":
            base = linear_contributions(part.fitted, np.zeros((1, len(columns))), groups, len(GROUPS))[0]
            return base, lambda inputs: _bounded(
                *linear_contributions(part.fitted, inputs[:, columns], groups, len(GROUPS))
            )
        if part.kind == "purchase_process":
            return self._process(churn, part, names)
        return self._one_number(part, names, churn.horizon_days)

    def _process(self, churn: ChurnModel, part: Part, names: list[str]) -> Explains:
        """Shapley values of the closed form over purchases, silence and age, against the usual customer. In these three
        the silence stands by itself; in purchases, recency and age it would hide in the difference of two."""
        process = PurchaseProcess(**part.fitted)
        places = [names.index(feature) for feature in PROCESS_FEATURES]

        def says(history: np.ndarray) -> np.ndarray:
            purchases, silent, age = history.T
            return process.log_odds(purchases, np.maximum(age - silent, 0.0), age, churn.horizon_days)

        usual = np.nan_to_num(
            np.array([self._usual.get(f, 0.0) for f in ("frequency", "days_since_last_order", "tenure_days")])
        )
        base = float(says(usual[None, :])[0])

        def explains(inputs: np.ndarray) -> np.ndarray:
            purchases, recency, age = (inputs[:, place] for place in places)
            values = shapley(says, np.column_stack([purchases, age - recency, age]), usual, [[0], [1], [2]])[1]
            found = np.zeros((len(inputs), len(GROUPS)))
            found[:, _SILENCE] = values[:, 1]
            found[:, GROUPS.index("tenure")] = values[:, 0] + values[:, 2]
            return found

        return base, explains

    def _one_number(self, part: Part, names: list[str], horizon_days: int) -> Explains:
        """A function of one number says one thing: all that differs from the usual customer is that number's."""
        usual = np.array([[self._usual.get(name, np.nan) for name in names]])
        base = float(part.log_odds(usual, names, horizon_days)[0])
        group = _GROUP_OF[part.fitted["feature"]]
        return base, lambda inputs: _in_group(part.log_odds(inputs, names, horizon_days) - base, group)

    def _rule(self) -> Explains:
        rule = self._model.rule

        def says(values: np.ndarray) -> np.ndarray:
            p = rule.probability(values)
            return np.log(p) - np.log1p(-p)

        usual = self._usual.get(rule.feature, np.nan)
        # A contract without an end is a number too; a silence that is not known is none.
        base = float(says(np.array([1.0 if np.isnan(usual) and not rule.is_contractual else usual]))[0])
        group = _GROUP_OF[rule.feature]
        return base, lambda matrix: _in_group(says(self._model.column(matrix, rule.feature)) - base, group)


def _bounded(base: float, values: np.ndarray) -> np.ndarray:
    """Contributions of a part whose log-odds are kept within `BOUND`: beyond it all shrink alike."""
    whole = base + values.sum(axis=1)
    beyond = np.abs(whole) > BOUND
    if beyond.any():
        values = values.copy()
        values[beyond] *= ((np.clip(whole[beyond], -BOUND, BOUND) - base) / (whole[beyond] - base))[:, None]
    return values


def _in_group(values: np.ndarray, group: int) -> np.ndarray:
    found = np.zeros((len(values), len(GROUPS)))
    found[:, group] = values
    return found
