"""What candidate models are made of, fitted: straight lines, boosted trees, purchase processes.

In: `Snapshots` in content order. Out: `Part`s, each fitted once and only if a candidate model asks for it. Which parts
make which candidate model is said in `candidate_models`.
"""

from functools import cached_property
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from assets.model.churn_features import FEATURES
from assets.model.churn_model import PROCESS_FEATURES, Part, derived_columns
from assets.model.purchase_fit import fit_purchase_process
from assets.model.purchase_process import ProcessKind, PurchaseProcess
from assets.model.snapshots import Snapshots
from assets.model.threads import threads_for_trees

RFM = ("days_since_last_order", "frequency", "net_sales_total", "tenure_days")
#: The silence in own gaps, and the own gap. The ratio alone ranks worse than a coin where the horizon is given in days:
#: ten days are five gaps to somebody who buys every other day, who nevertheless comes within the month.
OWN_GAP = ("recency_over_gap_mean", "gap_mean_days")
TREES = {
    "max_iter": 150,
    "max_leaf_nodes": 7,
    "learning_rate": 0.05,
    "l2_regularization": 10.0,
    "early_stopping": False,
}
MIN_LEAF_ROWS = 80
LOGISTIC_C = 0.03
#: Of few features, which need no shrinking.
FEW_FEATURES_C = 1.0
#: Most rows for a straight line: more do not move it.
LINEAR_ROWS = 200_000


class FittedParts:
    """The parts that can be fitted to these rows, uncalibrated, with weight 1. Needs both outcomes and at least one
    usable column. Above `LINEAR_ROWS` straight lines are fitted to so many of the rows (the first in content order,
    which is a random order). Call within `one_thread`."""

    def __init__(self, rows: Snapshots, horizon_days: int, seed: int):
        self._rows, self._horizon_days, self._seed = rows, horizon_days, seed
        self._y = rows.is_churned.astype(int)

    @cached_property
    def logit(self) -> Part:
        """All features and what the purchase process says of them, in a straight line."""
        return self._line("logit", self._inputs[:, self._kept], self._kept, LOGISTIC_C)

    @cached_property
    def trees(self) -> Part:
        """All features and what the purchase process says of them, in boosted trees."""
        fitted = fit_trees(self._inputs[:, self._kept], self._y, self._seed)
        return Part("trees", "trees", 1.0, self._kept, fitted)

    @cached_property
    def rfm_logit(self) -> Part:
        return self._few_features("rfm_logit", RFM)

    @cached_property
    def recency_over_gap(self) -> Part:
        return self._few_features("recency_over_gap", OWN_GAP)

    @cached_property
    def bg_nbd(self) -> Part:
        return Part("bg_nbd", "purchase_process", 1.0, (), vars(fit_process("bg_nbd", self._rows)))

    @cached_property
    def mbg_nbd(self) -> Part:
        return Part("mbg_nbd", "purchase_process", 1.0, (), self.process)

    @cached_property
    def process(self) -> dict[str, Any]:
        """Parameters of the purchase process behind the derived columns."""
        return vars(fit_process("mbg_nbd", self._rows))

    @cached_property
    def _inputs(self) -> np.ndarray:
        derived = derived_columns(self.process, FEATURES, self._rows.matrix, self._horizon_days)
        return np.column_stack([self._rows.matrix, derived])

    @cached_property
    def _kept(self) -> tuple[int, ...]:
        return tuple(usable_columns(self._inputs).tolist())

    def _few_features(self, name: str, features: tuple[str, ...]) -> Part:
        usable = tuple(usable_columns(self._rows.matrix).tolist())
        columns = tuple(j for j in usable if FEATURES[j] in features) or usable
        return self._line(name, self._rows.matrix[:, columns], columns, FEW_FEATURES_C)

    def _line(self, name: str, matrix: np.ndarray, columns: tuple[int, ...], c: float) -> Part:
        fitted = logistic_pipeline(c).fit(matrix[:LINEAR_ROWS], self._y[:LINEAR_ROWS])
        return Part(name, "linear", 1.0, columns, fitted)


def usable_columns(matrix: np.ndarray) -> np.ndarray:
    """Indices of columns that hold at least two different values. All-missing columns crash the trees, constant ones
    say nothing; a column that is constant where defined but missing elsewhere is kept for its gaps."""
    kept = []
    for j in range(matrix.shape[1]):
        column = matrix[:, j]
        known = column[~np.isnan(column)]
        if len(known) and (len(known) < len(column) or (known != known[0]).any()):
            kept.append(j)
    return np.array(kept, dtype=int)


def logistic_pipeline(c: float = LOGISTIC_C) -> Pipeline:
    """Logistic regression, not fitted yet, on logarithms, gaps filled with the median and flagged, standardised."""
    return make_pipeline(
        FunctionTransformer(np.arcsinh),  # a logarithm that takes zero and negative amounts
        SimpleImputer(strategy="median", add_indicator=True),
        StandardScaler(),
        LogisticRegression(C=c, max_iter=1000),
    )


def fit_trees(matrix: np.ndarray, y: np.ndarray, seed: int) -> HistGradientBoostingClassifier:
    """Boosted trees for 0 or 1."""
    trees = HistGradientBoostingClassifier(**TREES, min_samples_leaf=leaf_rows(len(y)), random_state=seed)
    with threads_for_trees(len(y)):
        return trees.fit(matrix, y)


def fit_amounts(matrix: np.ndarray, amounts: np.ndarray, columns: np.ndarray, seed: int, **trees: Any) -> Pipeline:
    """Expected amount by boosted trees on a Poisson loss, which sees `columns` of the matrix. amounts: none negative,
    one of them positive. trees: instead of `TREES`."""
    regressor = HistGradientBoostingRegressor(
        **(trees or TREES), loss="poisson", min_samples_leaf=leaf_rows(len(amounts)), random_state=seed
    )
    with threads_for_trees(len(amounts)):
        return Pipeline([("columns", keep_columns(columns)), ("trees", regressor)]).fit(matrix, amounts)


def fit_process(kind: ProcessKind, rows: Snapshots) -> PurchaseProcess:
    """The purchase process of the customers at the newest cutoff of `rows`: one history a customer."""
    newest = rows.where(rows.cutoff == rows.cutoff.max())
    x, recency, age = (newest.column(f) for f in PROCESS_FEATURES)
    return fit_purchase_process(kind, x, recency, age)


def keep_columns(columns: np.ndarray) -> ColumnTransformer:
    """A first step of a pipeline that passes only these columns on."""
    return ColumnTransformer([("kept", "passthrough", columns.tolist())])


def leaf_rows(n_rows: int) -> int:
    """At least 80 rows a leaf; fewer on small data, where 80 would allow no split."""
    return int(min(MIN_LEAF_ROWS, max(5, n_rows // 50)))
