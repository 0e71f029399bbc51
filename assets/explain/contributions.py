"""Exact contributions: how much each input of a fitted model adds to the log-odds of one row, with nothing left over.

In: fitted sklearn parts or any function of a few columns, and rows. Out: a base and one number a row and group, with
base + sum of the numbers = what the part says of the row. Which parts a model has, and words, are not decided here.

* A logistic regression is additive: its terms are its contributions (exactly the Shapley values against the average
  training row).
* Boosted trees: Shapley values of Lundberg, Erion and Lee (2018), "Consistent individualized feature attribution for
  tree ensembles": features outside a coalition are averaged by the training rows on each side of a split.
* Any other function of at most a dozen columns: Shapley's own sum over all coalitions, against a reference row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import factorial
from typing import Any

import numpy as np

#: A tree with at most so many splits is looked up by the outcome of all its splits; a larger one leaf by leaf.
MAX_SPLITS = 8
#: Longest path of a larger tree, and most players of `shapley`: tables have two to this power rows.
MAX_PLAYERS = 12


@dataclass(frozen=True)
class Table:
    """A part of a tree ensemble whose contributions depend on the outcome of a few splits only.

    columns, thresholds, missing_left: one a split. values: (2 ** number of splits, number of groups); row p holds the
    contributions of a row that goes left at the splits whose bit is set in p.
    """

    columns: tuple[int, ...]
    thresholds: tuple[float, ...]
    missing_left: tuple[bool, ...]
    values: np.ndarray


@dataclass(frozen=True)
class TreeContributions:
    """The contributions of a fitted HistGradientBoosting, grouped, ready to be looked up."""

    base: float
    tables: tuple[Table, ...]
    n_groups: int

    def __call__(self, columns: np.ndarray) -> np.ndarray:
        """(n, n_groups) contributions to the raw prediction. columns: (number of features, n), the transpose of the
        matrix the trees were fitted on, NaN where missing; C-contiguous columns are read fastest."""
        n = columns.shape[1]
        found = np.zeros((n, self.n_groups))
        row = np.empty((n, self.n_groups))
        goes = np.empty(n, dtype=bool)
        for table in self.tables:
            pattern = np.zeros(n, dtype=np.intp)
            splits = zip(table.columns, table.thresholds, table.missing_left, strict=True)
            for bit, (column, threshold, missing_left) in enumerate(splits):
                if missing_left:
                    np.logical_not(np.greater(columns[column], threshold, out=goes), out=goes)
                else:
                    np.less_equal(columns[column], threshold, out=goes)
                pattern |= goes.astype(np.intp) << bit
            np.take(table.values, pattern, axis=0, out=row, mode="clip")  # other modes copy the result once more
            found += row
        return found


def tree_contributions(trees: Any, groups: Sequence[int], n_groups: int) -> TreeContributions:
    """Shapley values of a fitted binary HistGradientBoostingClassifier, or a regressor, on its raw scale.

    groups: for each column of the fitted matrix the number of its group, 0 to n_groups - 1; contributions of the
    columns of a group are added up. Base = the average raw prediction over the training rows. Raises ValueError for
    categorical splits, several outcomes, or paths longer than `MAX_PLAYERS`.
    """
    base, tables = float(np.asarray(trees._baseline_prediction).reshape(-1)[0]), []
    for of_round in trees._predictors:
        if len(of_round) != 1:
            raise ValueError("trees for several outcomes cannot be explained")
        nodes = of_round[0].nodes
        if nodes["is_categorical"].any():
            raise ValueError("categorical splits cannot be explained")
        splits = [int(k) for k in np.flatnonzero(nodes["is_leaf"] == 0)]
        if not splits:
            base += float(nodes[0]["value"])
            continue
        # Shapley values are additive: a large tree is the sum of its leaves, each a game of the splits above it.
        games = [(None, splits)] if len(splits) <= MAX_SPLITS else _paths(nodes, 0, ())
        for leaf, path in games:
            average, table = _table(nodes, path, leaf, groups, n_groups)
            base += average
            tables.append(table)
    return TreeContributions(base, tuple(tables), n_groups)


def _paths(nodes: np.ndarray, at: int, above: tuple[int, ...]) -> list[tuple[int, list[int]]]:
    if nodes[at]["is_leaf"]:
        return [(at, list(above))]
    if len(above) >= MAX_PLAYERS:
        raise ValueError(f"a tree is deeper than {MAX_PLAYERS} splits")
    children = (int(nodes[at]["left"]), int(nodes[at]["right"]))
    return [found for child in children for found in _paths(nodes, child, (*above, at))]


def _table(
    nodes: np.ndarray, splits: list[int], only_leaf: int | None, groups: Sequence[int], n_groups: int
) -> tuple[float, Table]:
    """Average value over the training rows, and contributions for every outcome of `splits`; with `only_leaf`, of that
    leaf alone (all others count zero)."""
    features = sorted({int(nodes[k]["feature_idx"]) for k in splits})
    left_of = _bits(len(splits))  # (patterns, splits)
    inside = _bits(len(features))  # (coalitions, features)

    def worth(at: int) -> np.ndarray:
        """Value of each coalition (columns) for each pattern (rows): its members' splits are followed, the others'
        averaged."""
        node = nodes[at]
        if node["is_leaf"]:
            return np.full((1, 1), float(node["value"]) if only_leaf in (None, at) else 0.0)
        if at not in splits:
            return np.zeros((1, 1))  # off the path to the only leaf
        left, right = int(node["left"]), int(node["right"])
        in_left, in_right = worth(left), worth(right)
        n_left, n_right = float(nodes[left]["count"]), float(nodes[right]["count"])
        followed = np.where(left_of[:, splits.index(at)][:, None], in_left, in_right)
        averaged = (n_left * in_left + n_right * in_right) / (n_left + n_right)
        return np.where(inside[:, features.index(int(node["feature_idx"]))][None, :], followed, averaged)

    game = np.broadcast_to(worth(0), (len(left_of), len(inside)))
    each = game @ _weights(len(features))
    values = np.zeros((len(left_of), n_groups))
    for place, feature in enumerate(features):
        values[:, groups[feature]] += each[:, place]
    return float(game[0, 0]), Table(
        tuple(int(nodes[k]["feature_idx"]) for k in splits),
        tuple(float(nodes[k]["num_threshold"]) for k in splits),
        tuple(bool(nodes[k]["missing_go_to_left"]) for k in splits),
        values,
    )


def linear_contributions(
    logistic: Any, rows: np.ndarray, groups: Sequence[int], n_groups: int
) -> tuple[float, np.ndarray]:
    """Terms of a pipeline (FunctionTransformers, SimpleImputer with indicators, StandardScaler, LogisticRegression).

    rows: (n, k) as the pipeline was fitted on; groups: group of each of the k columns; the flag of a missing value
    belongs to its column. Returns the log-odds of the average training row and the (n, n_groups) terms: coefficient ×
    (transformed value − its mean over the training rows).
    """
    steps = [step for _, step in logistic.steps]
    values = rows
    of_column = list(groups)
    for step in steps[:-1]:
        if hasattr(step, "statistics_"):
            known = np.flatnonzero(~np.isnan(np.asarray(step.statistics_, dtype=float)))
            flags = [] if step.indicator_ is None else list(step.indicator_.features_)
            of_column = [of_column[k] for k in (range(len(of_column)) if step.keep_empty_features else known)] + [
                of_column[k] for k in flags
            ]
        values = step.transform(values)
    scaler, regression = steps[-2], steps[-1]
    coefficients = regression.coef_.reshape(-1)
    # Standardised columns have mean zero over the training rows; without centring the base is not their average row.
    centre = 0.0 if scaler.with_mean else scaler.mean_ / scaler.scale_
    share = np.zeros((len(coefficients), n_groups))
    share[np.arange(len(coefficients)), of_column] = coefficients
    return (
        float(regression.intercept_.reshape(-1)[0] + np.sum(coefficients * centre)),
        (values - centre) @ share,
    )


def shapley(
    says: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, reference: np.ndarray, players: Sequence[Sequence[int]]
) -> tuple[float, np.ndarray]:
    """Shapley values of any function of rows against one reference row (Shapley 1953).

    says: (n, k) → (n,). players: groups of columns that are replaced together, at most `MAX_PLAYERS`; columns in no
    group keep the reference's value in no coalition and the row's in all. Returns what is said of the reference and
    the (n, number of players) values. The function is asked 2 ** players times.
    """
    if len(players) > MAX_PLAYERS:
        raise ValueError(f"{len(players)} players; at most {MAX_PLAYERS} can be played out")
    coalitions = _bits(len(players))
    worth = np.empty((len(rows), len(coalitions)))
    for place, members in enumerate(coalitions):
        mixed = np.tile(reference, (len(rows), 1))
        for inside, columns in zip(members, players, strict=True):
            if inside:
                mixed[:, list(columns)] = rows[:, list(columns)]
        worth[:, place] = says(mixed)
    return float(says(reference[None, :])[0]), worth @ _weights(len(players))


def _bits(n: int) -> np.ndarray:
    """(2 ** n, n): row p holds the bits of p, lowest first."""
    return (np.arange(2**n)[:, None] >> np.arange(n)[None, :]) & 1 == 1


@cache
def _weights(n: int) -> np.ndarray:
    """(2 ** n, n): Shapley values are the values of the coalitions times this matrix."""
    members = _bits(n)
    size = members.sum(axis=1)
    with_player = np.array([0.0] + [factorial(s - 1) * factorial(n - s) / factorial(n) for s in range(1, n + 1)])
    without = np.array([factorial(s) * factorial(n - s - 1) / factorial(n) for s in range(n)] + [0.0])
    return np.where(members, with_player[size][:, None], -without[size][:, None])
