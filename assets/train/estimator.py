"""The statistical models: churn as one sklearn Pipeline, margin as another. Fitting only.

In: `Snapshots` in content order. Out: fitted pipelines of stock sklearn parts, so that a stored model needs no code of
ours to be opened. Which rows to learn from and whether the result is good enough is decided elsewhere.
"""

import numpy as np
from scipy.special import logit
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from assets.shared.retention_model import one_thread, probability_of
from assets.train.snapshots import Snapshots

TREES = {"max_iter": 150, "max_leaf_nodes": 7, "learning_rate": 0.05, "l2_regularization": 10.0,
         "early_stopping": False}
MIN_LEAF_ROWS = 80
LOGISTIC_C = 0.03
#: Probabilities are kept this far from 0 and 1 before their log-odds are averaged.
_BOUND = 1e-9
#: Weight, in customers, of the belief that no recalibration is needed.
_CALIBRATION_PRIOR = 20.0


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


def fit_churn(rows: Snapshots, seed: int) -> Pipeline:
    """An uncalibrated churn model: logistic regression and boosted trees, to be averaged on the scale of log-odds.

    Its transform gives four log-odds a row (stay and churn by each of the two); `mean_log_odds` averages, `calibrate`
    makes of it a classifier. Needs both outcomes and at least one usable column.
    """
    members = VotingClassifier(
        [
            ("logistic", make_pipeline(
                FunctionTransformer(np.arcsinh),  # a logarithm that takes zero and negative amounts
                SimpleImputer(strategy="median", add_indicator=True),
                StandardScaler(),
                LogisticRegression(C=LOGISTIC_C, max_iter=1000),
            )),
            ("trees", HistGradientBoostingClassifier(
                **TREES, min_samples_leaf=_leaf_rows(len(rows)), random_state=seed
            )),
        ],
        voting="soft",
    )
    steps = [
        ("columns", _keep(usable_columns(rows.matrix))),
        ("members", members),
        ("bounded", FunctionTransformer(np.clip, kw_args={"min": _BOUND, "max": 1 - _BOUND})),
        ("log_odds", FunctionTransformer(logit)),
    ]
    with one_thread():
        return Pipeline(steps).fit(rows.matrix, rows.is_churned.astype(int))


def mean_log_odds(churn: Pipeline, matrix: np.ndarray) -> np.ndarray:
    """Log-odds of churn of an uncalibrated model, the mean of its two members."""
    with one_thread():
        return churn.transform(matrix)[:, [1, 3]].mean(axis=1)


def fit_calibration(log_odds: np.ndarray, is_churned: np.ndarray) -> tuple[float, float]:
    """Intercept and slope that make out-of-time log-odds fit what happened (Platt 1999, by Newton's method).

    Drawn towards (0, 1) with the weight of about twenty customers, so that few outcomes change little.
    """
    z, y = np.asarray(log_odds, dtype=float), np.asarray(is_churned, dtype=float)
    theta, prior_mean = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    prior = np.diag([_CALIBRATION_PRIOR / 4, _CALIBRATION_PRIOR])
    design = np.column_stack([np.ones_like(z), z])

    def loss(t: np.ndarray) -> float:
        f = design @ t
        return float(np.sum(np.logaddexp(0.0, f) - y * f) + 0.5 * (t - prior_mean) @ prior @ (t - prior_mean))

    with one_thread():
        for _ in range(100):
            p = probability_of(design @ theta)
            gradient = design.T @ (p - y) + prior @ (theta - prior_mean)
            hessian = (design * (p * (1 - p))[:, None]).T @ design + prior
            step = np.linalg.solve(hessian, gradient)
            size, now = 1.0, loss(theta)
            while loss(theta - size * step) > now and size > 1e-8:
                size /= 2
            theta = theta - size * step
            if np.abs(size * step).max() < 1e-10:
                break
    # A slope at or below zero would turn the ranking round; the backtest, not the calibration, judges ranking.
    return float(theta[0]), float(max(theta[1], 0.05))


def calibrate(churn: Pipeline, intercept: float, slope: float) -> Pipeline:
    """The churn model as one classifier: probability of churn = 1 / (1 + exp(−(intercept + slope × mean log-odds)))."""
    final = LogisticRegression()
    final.classes_ = np.array([0, 1])
    final.coef_ = np.array([[0.0, slope / 2, 0.0, slope / 2]])
    final.intercept_ = np.array([intercept])
    final.n_features_in_ = 4
    final.n_iter_ = np.array([0], dtype=np.int32)
    return Pipeline([*churn.steps, ("calibration", final)])


def fit_margin(rows: Snapshots, seed: int) -> Pipeline:
    """Expected margin over the horizon given a purchase: boosted trees on a Poisson loss, learned from buyers.
    Negative margins (returns beyond sales) count as zero. Needs a positive margin somewhere."""
    bought = rows.where(~rows.is_churned)
    trees = HistGradientBoostingRegressor(
        **TREES, loss="poisson", min_samples_leaf=_leaf_rows(len(bought)), random_state=seed
    )
    model = Pipeline([("columns", _keep(usable_columns(bought.matrix))), ("trees", trees)])
    with one_thread():
        return model.fit(bought.matrix, np.maximum(bought.margin, 0.0))


def strongest_feature(rows: Snapshots, names: tuple[str, ...]) -> tuple[str | None, float]:
    """The feature that alone separates churners best, and its AUC (0.5 to 1, either direction; its gaps count too).
    (None, nan) when there is one class only."""
    from scipy.stats import rankdata

    y = rows.is_churned
    n1, n0 = int(y.sum()), int((~y).sum())
    if n1 == 0 or n0 == 0:
        return None, float("nan")
    best, best_auc = None, 0.0
    for j, name in enumerate(names):
        column, missing = rows.matrix[:, j], np.isnan(rows.matrix[:, j])
        candidates = [missing.astype(float)] if missing.any() else []
        if not missing.all():
            candidates.append(np.where(missing, np.nanmedian(column), column))
        for values in candidates:
            auc = (rankdata(values)[y].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
            if max(auc, 1 - auc) > best_auc:
                best, best_auc = name, float(max(auc, 1 - auc))
    return best, best_auc


def _keep(columns: np.ndarray) -> ColumnTransformer:
    return ColumnTransformer([("kept", "passthrough", columns.tolist())])


def _leaf_rows(n_rows: int) -> int:
    """At least 80 rows a leaf; fewer on small data, where 80 would allow no split."""
    return int(min(MIN_LEAF_ROWS, max(5, n_rows // 50)))
