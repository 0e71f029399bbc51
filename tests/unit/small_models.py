"""Small models of every kind a model selection can bring, fitted in a moment on a made-up world."""

from dataclasses import replace
from functools import cache

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from assets.model.churn_features import FEATURES
from assets.model.churn_model import ChurnModel, Part
from assets.model.retention_model import RetentionModel

MODEL_ID = "2020-01-01-aaaaaaaa"
RULE = {
    "horizon_days": 30,
    "steps": [
        {"from_days": 1, "rate": 0.1, "n_customers": 200, "n_churned": 20},
        {"from_days": 21, "rate": 0.41, "n_customers": 100, "n_churned": 41},
        {"from_days": 60, "rate": 0.9, "n_customers": 100, "n_churned": 90},
    ],
}
UNKNOWN = ("n_complaints_90d", "n_contacts_90d")
KNOWN = tuple(j for j, name in enumerate(FEATURES) if name not in UNKNOWN)


def customers(n: int, seed: int) -> np.ndarray:
    """Rows of n made-up customers with a purchase history that can be; complaints and contacts are not known."""
    random = np.random.default_rng(seed)
    matrix = random.gamma(2.0, 10.0, (n, len(FEATURES))).round(2)
    matrix[random.random(matrix.shape) < 0.03] = np.nan
    gap = np.exp(random.uniform(0.5, 4.0, n)).round(1)
    silent = np.maximum(1, gap * random.exponential(1.0, n)).round()
    for name, column in {
        "days_since_last_order": silent,
        "gap_median_days": gap,
        "recency_over_gap_median": silent / gap,
        "tenure_days": silent + 200,
        "average_order_value": random.gamma(3.0, 10.0, n).round(2),
        "discount_order_share": random.random(n),
        "return_share": random.random(n) / 5,
        **dict.fromkeys(UNKNOWN, np.nan),
    }.items():
        matrix[:, FEATURES.index(name)] = column
    return consistent(matrix, seed)


def consistent(matrix: np.ndarray, seed: int = 0) -> np.ndarray:
    """The rows with a purchase history that can be: recency within age, at least one repeat purchase."""
    matrix = matrix.copy()
    columns = {name: FEATURES.index(name) for name in ("tenure_days", "days_since_last_order", "recency_days")}
    silent, age = matrix[:, columns["days_since_last_order"]], matrix[:, columns["tenure_days"]]
    matrix[:, columns["recency_days"]] = np.maximum(age - silent, 0)
    purchases = np.random.default_rng(seed).poisson(8, len(matrix)) + 1.0
    matrix[:, FEATURES.index("frequency")] = purchases
    return matrix


@cache
def _fitted(seed: int):
    random = np.random.default_rng(seed)
    matrix = random.gamma(2.0, 10.0, (1500, len(FEATURES))).round(2)
    matrix[random.random(matrix.shape) < 0.05] = np.nan
    silent = np.nan_to_num(matrix[:, FEATURES.index("days_since_last_order")])
    orders = np.nan_to_num(matrix[:, FEATURES.index("n_orders_30d")])
    churned = silent + 10 * random.normal(size=len(matrix)) - 0.4 * orders > 15
    known = matrix[:, KNOWN]
    logistic = make_pipeline(
        FunctionTransformer(np.arcsinh),
        SimpleImputer(strategy="median", add_indicator=True),
        StandardScaler(),
        LogisticRegression(C=0.03, max_iter=1000),
    ).fit(known, churned)
    trees = HistGradientBoostingClassifier(
        max_iter=30, max_leaf_nodes=7, min_samples_leaf=30, random_state=seed, early_stopping=False
    ).fit(known, churned)
    typical = {name: None if name in UNKNOWN else float(np.nanmedian(matrix[:, j])) for j, name in enumerate(FEATURES)}
    return logistic, trees, typical


def parts_of(kind: str, seed: int = 1) -> tuple[Part, ...]:
    """linear, trees, bg_nbd, mbg_nbd, or `average` of linear, trees and mbg_nbd."""
    logistic, trees, _ = _fitted(seed)
    made = {
        "linear": Part("linear", "linear", 1.0, KNOWN, logistic),
        "trees": Part("trees", "trees", 1.0, KNOWN, trees),
        **{
            name: Part(name, "purchase_process", 1.0, (), {"kind": name, "r": 0.5, "alpha": 4.0, "a": 0.8, "b": 2.4})
            for name in ("bg_nbd", "mbg_nbd")
        },
    }
    if kind != "average":
        return (made[kind],)
    return tuple(replace(made[name], weight=w) for name, w in (("linear", 0.3), ("trees", 0.5), ("mbg_nbd", 0.2)))


PROCESS = {"kind": "mbg_nbd", "r": 0.6, "alpha": 5.0, "a": 0.9, "b": 2.0}
KINDS = ("linear", "trees", "bg_nbd", "mbg_nbd", "average")


def model_of(
    kind: str,
    seed: int = 1,
    model_id: str = MODEL_ID,
    horizon_days: int = 30,
    shift: float = 0.0,
    intercept: float = -0.2,
    slope: float = 0.8,
    **card,
) -> RetentionModel:
    """A model ready to score; `rule` scores by the rule, the other kinds by their parts."""
    _, _, typical = _fitted(seed)
    card = {
        "model_id": model_id,
        "features": list(FEATURES),
        "kept_features": [FEATURES[j] for j in KNOWN],
        "horizon_days": horizon_days,
        "decision": {"scored_by": "rule" if kind == "rule" else "model"},
        "rule": {**RULE, "horizon_days": horizon_days},
        "typical": typical,
        "margin": {"estimated_by": "rule", "level": 1.0},
        "parameters": {"value_margin_share": 0.25, "churn_horizon_days": horizon_days},
    } | card
    if kind == "rule":
        return RetentionModel({**card, "kept_features": []}, None, None)
    churn = ChurnModel(kind, FEATURES, horizon_days, parts_of(kind, seed), intercept, slope, None)
    return RetentionModel(card, churn, None, shift)
