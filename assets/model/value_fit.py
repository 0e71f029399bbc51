"""The parts of a value model, fitted: any purchase, how much, and the level of order values.

In: matrices and outcomes, rows in content order. Out: fitted pipelines and a `GammaGamma`. Who of the candidate models
speaks for the year is decided elsewhere.
"""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from assets.model.gamma_gamma import GammaGamma
from assets.model.part_fits import TREES, fit_amounts, keep_columns, logistic_pipeline
from assets.model.spend_fit import fit_gamma_gamma
from assets.model.threads import one_thread
from assets.model.value_model import column

#: About how many customers the gamma-gamma model is learned from.
MAX_SPEND_ROWS = 5_000
_TREES = {**TREES, "max_iter": 120}


def fit_two_part(matrix: np.ndarray, bought: np.ndarray, margin: np.ndarray, seed: int) -> tuple[Any, Any]:
    """P(any purchase) by logistic regression (None where all bought) and E[margin | purchase] by boosted trees on a
    Poisson loss, learned from buyers; negative margins count as zero. (None, None) where no
    buyer has a positive margin."""
    amounts = np.maximum(margin[bought], 0.0)
    if not (amounts > 0).any():
        return None, None
    any_purchase = None
    with one_thread():
        if not bought.all():
            steps = [("columns", keep_columns(_known_columns(matrix))), ("logistic", logistic_pipeline())]
            any_purchase = Pipeline(steps).fit(matrix, bought.astype(int))
        buyers = matrix[bought]
        return any_purchase, fit_amounts(buyers, amounts, _known_columns(buyers), seed, **_TREES)


def fit_order_values(matrix: np.ndarray) -> GammaGamma | None:
    """The order values of customers. Three parameters are known well from some thousand of them; rows are in content
    order, so that every k-th will do."""
    some = matrix[:: max(1, len(matrix) // MAX_SPEND_ROWS)]
    return fit_gamma_gamma(column(some, "n_orders"), column(some, "average_order_value"))


def _known_columns(matrix: np.ndarray) -> np.ndarray:
    """Columns with at least one value; an all-missing column crashes the trees."""
    return np.flatnonzero((~np.isnan(matrix)).any(axis=0))
