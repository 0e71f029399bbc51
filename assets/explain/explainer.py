"""A score taken apart: what each family of features adds to a customer's log-odds of churn, with nothing left over.

In: a model ready to score and rows of its features. Out: a base and one contribution a row and group, so that
base + sum of the contributions = the log-odds of the published probability. Words are not made here.

A contribution says what the score rests on. It says nothing about causes.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from assets.explain.contributions import linear_contributions, shapley, tree_contributions
from assets.explain.facts import UNSPOKEN
from assets.model.churn_features import FAMILIES, FEATURES
from assets.model.churn_model import BOUND, DERIVED, PROCESS_FEATURES, ChurnModel, Part
from assets.model.purchase_process import PurchaseProcess
from assets.model.retention_model import RetentionModel
from assets.model.threads import one_thread

#: What the business did to its customers adds to scores too, but never explains one: it stands apart.
CONTACTS = "contacts"
#: The groups of contributions, in the order of their columns.
GROUPS = (*FAMILIES, CONTACTS)

_GROUP_OF = {
    **{feature: GROUPS.index(family) for family, features in FAMILIES.items() for feature in features},
    **{feature: GROUPS.index(family) for feature, family in DERIVED.items()},
    **dict.fromkeys(UNSPOKEN, GROUPS.index(CONTACTS)),
}
#: The same feature by feature; what a purchase process derives counts for the feature that it moves with most.
_FEATURE_OF = {
    **{feature: j for j, feature in enumerate(FEATURES)},
    "process_log_odds": FEATURES.index("days_since_last_order"),
    "process_alive_share": FEATURES.index("days_since_last_order"),
    "process_expected_orders": FEATURES.index("orders_per_30d"),
}

#: What explains one summand: inputs (n, k) → (n, len(GROUPS)), with the base.
Explains = tuple[float, Callable[[np.ndarray], np.ndarray]]


class Explainer:
    """Contributions of one model, prepared once for many rows. `base` is the log-odds that contributions add to.

    groups: names of what contributions are summed by; group_of: feature or derived column → its group's number.
    """

    def __init__(self, model: RetentionModel, groups: Sequence[str] = GROUPS, group_of: Mapping[str, int] = _GROUP_OF):
        self._n_groups, self._group_of = len(groups), group_of
        self._model, self._usual = model, dict(zip(model.features, model.typical, strict=True))
        if model.scored_by == "rule" or model.churn is None:
            self.base, self._says = self._rule()
        else:
            self.base, self._says = self._sum_of_parts(model.churn)

    @cached_property
    def by_feature(self) -> "Explainer":
        """The same contributions by single feature, (n, len(FEATURES)): a family's add up to the family's."""
        return Explainer(self._model, FEATURES, _FEATURE_OF)

    def __call__(self, matrix: np.ndarray) -> np.ndarray:
        """(n, number of groups) contributions of rows whose columns are the model's features."""
        if len(matrix) == 0:
            return np.zeros((0, self._n_groups))  # sklearn takes no empty matrix
        with one_thread():
            return self._says(matrix)

    def _sum_of_parts(self, churn: ChurnModel) -> Explains:
        base, parts = self._model.shift + churn.intercept, []
        for part in churn.parts:
            of_part, explains = self._explains(churn, part)
            scale = churn.slope * part.weight
            base += scale * of_part
            parts.append((scale, explains))

        def says(matrix: np.ndarray) -> np.ndarray:
            inputs = churn.extend(matrix)
            found = np.zeros((len(matrix), self._n_groups))
            for scale, explains in parts:
                found += scale * explains(inputs)
            return found

        return base, says

    def _explains(self, churn: ChurnModel, part: Part) -> Explains:
        names = list(churn.inputs)
        columns = list(part.columns)
        n_groups = self._n_groups
        groups = [self._group_of[names[j]] for j in columns]
        if part.kind == "trees":
            trees = tree_contributions(part.fitted, groups, n_groups)
            return trees.base, lambda inputs: _bounded(trees.base, trees(np.ascontiguousarray(inputs[:, columns].T)))
        if part.kind == "linear":
            base = linear_contributions(part.fitted, np.zeros((1, len(columns))), groups, n_groups)[0]
            return base, lambda inputs: _bounded(
                *linear_contributions(part.fitted, inputs[:, columns], groups, n_groups)
            )
        return self._process(churn, part, names)

    def _process(self, churn: ChurnModel, part: Part, names: list[str]) -> Explains:
        """Shapley values of the closed form over purchases, silence and age, against the usual customer. In these three
        the silence stands by itself; in purchases, recency and age it would hide in the difference of two."""
        process = PurchaseProcess(**part.fitted)
        places = [names.index(feature) for feature in PROCESS_FEATURES]

        def says(history: np.ndarray) -> np.ndarray:
            purchases, silent, age = history.T
            found = process.log_odds(purchases, np.maximum(age - silent, 0.0), age, churn.horizon_days)
            return np.nan_to_num(found, nan=0.0)  # as the part itself: no history says nothing either way

        usual = np.nan_to_num(
            np.array([self._usual.get(f, 0.0) for f in ("frequency", "days_since_last_order", "tenure_days")])
        )
        base = float(says(usual[None, :])[0])

        def explains(inputs: np.ndarray) -> np.ndarray:
            purchases, recency, age = (inputs[:, place] for place in places)
            values = shapley(says, np.column_stack([purchases, age - recency, age]), usual, [[0], [1], [2]])[1]
            found = np.zeros((len(inputs), self._n_groups))
            for player, feature in enumerate(("frequency", "days_since_last_order", "tenure_days")):
                found[:, self._group_of[feature]] += values[:, player]
            return found

        return base, explains

    def _rule(self) -> Explains:
        rule = self._model.rule

        def says(values: np.ndarray) -> np.ndarray:
            p = rule.probability(values)
            return np.log(p) - np.log1p(-p)

        usual = self._usual.get(rule.feature, np.nan)
        # A contract without an end is a number too; a silence that is not known is none.
        base = float(says(np.array([1.0 if np.isnan(usual) and not rule.is_contractual else usual]))[0])
        group = self._group_of[rule.feature]
        return base, lambda matrix: self._in_group(says(self._model.column(matrix, rule.feature)) - base, group)

    def _in_group(self, values: np.ndarray, group: int) -> np.ndarray:
        found = np.zeros((len(values), self._n_groups))
        found[:, group] = values
        return found


def _bounded(base: float, values: np.ndarray) -> np.ndarray:
    """Contributions of a part whose log-odds are kept within `BOUND`: beyond it all shrink alike."""
    whole = base + values.sum(axis=1)
    beyond = np.abs(whole) > BOUND
    if beyond.any():
        values = values.copy()
        values[beyond] *= ((np.clip(whole[beyond], -BOUND, BOUND) - base) / (whole[beyond] - base))[:, None]
    return values
