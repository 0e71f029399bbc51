"""The candidate models of model selection, and the margin. Fitting only.

In: `Snapshots` in content order. Out: `ChurnModel`s of stock sklearn parts and plain numbers; a fitted pipeline for the
margin. Which rows to learn from and whether the result is good enough is decided elsewhere.
"""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from assets.shared.churn_features import FEATURES
from assets.shared.churn_model import PROCESS_FEATURES, ChurnModel, Part, derived_columns
from assets.shared.purchase_process import PurchaseProcess
from assets.shared.retention_model import one_thread, probability_of
from assets.train.purchase_fit import fit_purchase_process as fit_purchases
from assets.train.snapshots import Snapshots

#: Simplest first; a tie goes to the one that comes first. The recency rule is learned by `rule`.
CANDIDATE_MODELS = ("recency_rule", "recency_over_gap", "rfm_logit", "bg_nbd", "mbg_nbd", "blend", "average")
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
RFM_C = 1.0
#: Most rows for a straight line.
LINEAR_ROWS = 200_000
#: Most rows for the margin, and for looking for leaks: the amounts of so many buyers leave nothing to learn.
MARGIN_ROWS = LEAK_ROWS = 200_000
#: Weight, in customers, of the belief that the base rate has not moved.
_SHIFT_PRIOR = 100.0
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


def fit_candidate_models(rows: Snapshots, horizon_days: int, seed: int) -> dict[str, ChurnModel]:
    """Every candidate model of model selection that can be fitted to these rows, uncalibrated, by name
    (`CANDIDATE_MODELS` without the recency rule, which is learned elsewhere). Candidate models share their parts:
    nothing is fitted twice.

    Needs both outcomes and at least one usable column. Above `LINEAR_ROWS` the straight lines are fitted to so many
    of the rows (the first in content order, which is a random order): more rows do not move them.
    """
    with one_thread():
        process = {kind: fit_process(kind, rows) for kind in ("bg_nbd", "mbg_nbd")}
        few = rows.where(slice(0, LINEAR_ROWS))
        derived = vars(process["mbg_nbd"])
        inputs = np.column_stack([rows.matrix, derived_columns(derived, FEATURES, rows.matrix, horizon_days)])
        y = rows.is_churned.astype(int)
        kept = tuple(usable_columns(inputs).tolist())
        usable = tuple(usable_columns(rows.matrix).tolist())
        rfm = tuple(j for j in usable if FEATURES[j] in RFM) or usable
        logit = Part("logit", "linear", 0.5, kept, _fit_linear(inputs[: len(few)][:, kept], y[: len(few)], LOGISTIC_C))
        rfm_logit = Part("rfm_logit", "linear", 1.0, rfm, _fit_linear(few.matrix[:, rfm], y[: len(few)], RFM_C))
        own_gap = tuple(j for j in usable if FEATURES[j] in OWN_GAP) or usable
        gap = Part(
            "recency_over_gap", "linear", 1.0, own_gap, _fit_linear(few.matrix[:, own_gap], y[: len(few)], RFM_C)
        )
        trees = Part("trees", "trees", 0.5, kept, _fit_trees(inputs[:, kept], y, seed))
    processes = {kind: Part(kind, "purchase_process", 1.0, (), vars(fitted)) for kind, fitted in process.items()}

    def model(name: str, *parts: Part, uses_process: bool = False) -> ChurnModel:
        return ChurnModel(name, FEATURES, horizon_days, parts, process=derived if uses_process else None)

    return {
        "recency_over_gap": model("recency_over_gap", gap),
        "rfm_logit": model("rfm_logit", rfm_logit),
        "bg_nbd": model("bg_nbd", processes["bg_nbd"]),
        "mbg_nbd": model("mbg_nbd", processes["mbg_nbd"]),
        "blend": model("blend", logit, trees, uses_process=True),
        "average": model(
            "average",
            *(replace(part, weight=0.25) for part in (rfm_logit, processes["mbg_nbd"], logit, trees)),
            uses_process=True,
        ),
    }


def fit_process(kind: str, rows: Snapshots) -> PurchaseProcess:
    """The purchase process of the customers at the newest cutoff of `rows`: one history a customer."""
    newest = rows.where(rows.cutoff == rows.cutoff.max())
    return fit_purchases(kind, *(newest.column(f) for f in PROCESS_FEATURES))


def logit_of(probability: np.ndarray) -> np.ndarray:
    """Log-odds, kept finite."""
    p = np.clip(probability, _BOUND, 1 - _BOUND)
    return np.log(p) - np.log1p(-p)


def _fit_linear(matrix: np.ndarray, y: np.ndarray, c: float) -> Pipeline:
    return make_pipeline(
        FunctionTransformer(np.arcsinh),  # a logarithm that takes zero and negative amounts
        SimpleImputer(strategy="median", add_indicator=True),
        StandardScaler(),
        LogisticRegression(C=c, max_iter=1000),
    ).fit(matrix, y)


def _fit_trees(matrix: np.ndarray, y: np.ndarray, seed: int) -> HistGradientBoostingClassifier:
    trees = HistGradientBoostingClassifier(**TREES, min_samples_leaf=_leaf_rows(len(y)), random_state=seed)
    with _threads_for(len(y)):
        return trees.fit(matrix, y)


def fit_calibration(
    log_odds: np.ndarray, is_churned: np.ndarray, offsets: np.ndarray | float = 0.0
) -> tuple[float, float]:
    """Intercept and slope that make out-of-time log-odds fit what happened (Platt 1999, by Newton's method).

    offsets: (n,) what is added to each besides, such as a season. Drawn towards (0, 1) with the weight of about
    twenty customers, so that few outcomes change little.
    """
    z, y = np.asarray(log_odds, dtype=float), np.asarray(is_churned, dtype=float)
    theta, prior_mean = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    prior = np.diag([_CALIBRATION_PRIOR / 4, _CALIBRATION_PRIOR])
    design = np.column_stack([np.ones_like(z), z])

    def loss(t: np.ndarray) -> float:
        f = design @ t + offsets
        return float(np.sum(np.logaddexp(0.0, f) - y * f) + 0.5 * (t - prior_mean) @ prior @ (t - prior_mean))

    with one_thread():
        for _ in range(100):
            p = probability_of(design @ theta + offsets)
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


def fit_shift(log_odds: np.ndarray, is_churned: np.ndarray, prior_rows: float = _SHIFT_PRIOR) -> float:
    """Shift of the intercept under which log-odds fit what happened on average; drawn to zero with the weight of
    `prior_rows` customers. By Newton's method."""
    z, y, shift = np.asarray(log_odds, dtype=float), np.asarray(is_churned, dtype=float), 0.0
    for _ in range(50):
        p = probability_of(z + shift)
        step = ((p - y).sum() + prior_rows / 4 * shift) / ((p * (1 - p)).sum() + prior_rows / 4)
        step = float(np.clip(step, -1.0, 1.0))
        shift -= step
        if abs(step) < 1e-12:
            break
    return float(shift)


def fit_margin(rows: Snapshots, seed: int) -> Pipeline:
    """Expected margin over the horizon given a purchase: boosted trees on a Poisson loss, learned from buyers.
    Negative margins (returns beyond sales) count as zero. Needs a positive margin somewhere. Above
    `MARGIN_ROWS` the first in content order are taken, which is a random order."""
    bought = rows.where(np.flatnonzero(~rows.is_churned)[:MARGIN_ROWS])
    trees = HistGradientBoostingRegressor(
        **TREES, loss="poisson", min_samples_leaf=_leaf_rows(len(bought)), random_state=seed
    )
    model = Pipeline([("columns", _keep(usable_columns(bought.matrix))), ("trees", trees)])
    with one_thread(), _threads_for(len(bought)):
        return model.fit(bought.matrix, np.maximum(bought.margin, 0.0))


def strongest_feature(rows: Snapshots, names: tuple[str, ...]) -> tuple[str | None, float]:
    """The feature that alone separates churners best, and its AUC (0.5 to 1, either direction; its gaps count too).
    (None, nan) when there is one class only. Above `LEAK_ROWS` the first in content order are asked."""
    from scipy.stats import rankdata

    rows = rows.where(slice(0, LEAK_ROWS))
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


def _threads_for(n_rows: int) -> AbstractContextManager:
    """All cores for trees on many rows, where their work outweighs their meetings (see `one_thread`). Trees sum each
    column's histogram on one thread and keep the order of rows in splits, so that threads change no bit of them; linear
    algebra is not so careful and keeps to one."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits={"openmp": os.cpu_count() or 1}) if n_rows > LINEAR_ROWS else nullcontext()


def _keep(columns: np.ndarray) -> ColumnTransformer:
    return ColumnTransformer([("kept", "passthrough", columns.tolist())])


def _leaf_rows(n_rows: int) -> int:
    """At least 80 rows a leaf; fewer on small data, where 80 would allow no split."""
    return int(min(MIN_LEAF_ROWS, max(5, n_rows // 50)))
