"""Predictions for persons whom the models have not seen.

Each is the mean of a linear model and of small boosted trees: the first carries little data, the second finds what is
not linear. Five folds: a person's scores come from models that were fitted without that person.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assets.model.threads import one_thread, threads_for_trees

Values = NDArray[np.float64]

N_FOLDS = 5


def folds(arm: NDArray[np.int64], outcome: Values) -> NDArray[np.int64]:
    """The fold of each person, 0 to N_FOLDS - 1, with equal shares of arms and outcomes; the same each time."""
    order = np.lexsort((np.random.default_rng(0).random(len(arm)), outcome, arm))
    fold = np.empty(len(arm), dtype=np.int64)
    fold[order] = np.arange(len(arm)) % N_FOLDS
    return fold


class Covariates:
    """What was known of n persons: (n, k) numbers, of which some are codes of categories; NaN is unknown."""

    def __init__(self, values: Values, is_category: list[bool]):
        self.values = values
        self._is_category = is_category

    def probability(self, fit: NDArray[np.bool_], target: Values, weights: Values | None = None) -> Values:
        """P(target = 1) of all n persons by a model of the rows `fit`; the plain share where all of them are alike."""
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression

        seen = target[fit]
        if len(np.unique(seen)) < 2:
            return np.full(len(self.values), float(seen.mean()))
        models = (
            self._linear(LogisticRegression(C=0.1, max_iter=500)),
            HistGradientBoostingClassifier(**self._trees(int(fit.sum()))),
        )
        with one_thread(), threads_for_trees(len(seen)):
            fitted = [self._fitted(model, fit, seen, weights) for model in models]
            return np.mean([model.predict_proba(self.values)[:, 1] for model in fitted], axis=0)

    def amount(self, fit: NDArray[np.bool_], target: Values) -> Values:
        """E(target) of all n persons by a model of the rows `fit`."""
        from sklearn.ensemble import HistGradientBoostingRegressor
        from sklearn.linear_model import Ridge

        seen = target[fit]
        models = (self._linear(Ridge(alpha=10.0)), HistGradientBoostingRegressor(**self._trees(int(fit.sum()))))
        with one_thread(), threads_for_trees(len(seen)):
            return np.mean([self._fitted(model, fit, seen, None).predict(self.values) for model in models], axis=0)

    def _fitted(self, model: Any, fit: NDArray[np.bool_], target: Values, weights: Values | None) -> Any:
        extra = {}
        if weights is not None:
            last = model.steps[-1][0] + "__" if hasattr(model, "steps") else ""
            extra = {f"{last}sample_weight": weights[fit]}
        return model.fit(self.values[fit], target, **extra)

    def _trees(self, n: int) -> dict[str, Any]:
        return {
            "max_iter": 80,
            "learning_rate": 0.05,
            "max_leaf_nodes": 8,
            "min_samples_leaf": max(20, n // 200),
            "l2_regularization": 1.0,
            "categorical_features": np.array(self._is_category, dtype=bool),
            "random_state": 0,
        }

    def _linear(self, last: Any) -> Any:
        """Numbers by their ranks (amounts have long tails), categories by a column each."""
        from sklearn.compose import ColumnTransformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler

        places = np.arange(self.values.shape[1])
        is_category = np.array(self._is_category, dtype=bool)
        ranks = QuantileTransformer(n_quantiles=100, subsample=100_000, random_state=0)
        numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), ranks, StandardScaler())
        categories = OneHotEncoder(handle_unknown="ignore")
        parts = [("numbers", numbers, places[~is_category]), ("categories", categories, places[is_category])]
        return make_pipeline(ColumnTransformer([part for part in parts if len(part[2])]), last)
