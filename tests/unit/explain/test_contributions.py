"""Contributions: exact against Shapley's own definition, and adding up to what the part says."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from assets.explain import contributions


def _rows(seed: int, n: int = 400, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    rows = random.normal(0, 1, (n, k)).round(1)
    rows[random.random(rows.shape) < 0.15] = np.nan
    known = np.nan_to_num(rows)
    outcome = known[:, 0] + known[:, 1] * known[:, 2] + 0.7 * np.isnan(rows[:, 3]) + random.normal(0, 0.5, n) > 0.2
    return rows, outcome


def _trees(rows, outcome, leaves: int = 7, rounds: int = 3) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=rounds,
        max_leaf_nodes=leaves,
        min_samples_leaf=5,
        learning_rate=0.5,
        early_stopping=False,
        max_depth=12,  # twenty leaves may be a chain of nineteen splits
    ).fit(rows, outcome)


def _expected_by_path(nodes: np.ndarray, row: np.ndarray, members: frozenset[int], at: int = 0) -> float:
    """Value of a coalition as the paper defines it: follow the row at its members' splits, average at the others'."""
    node = nodes[at]
    if node["is_leaf"]:
        return float(node["value"])
    left, right = int(node["left"]), int(node["right"])
    if node["feature_idx"] in members:
        x = row[node["feature_idx"]]
        goes_left = bool(node["missing_go_to_left"]) if np.isnan(x) else x <= node["num_threshold"]
        return _expected_by_path(nodes, row, members, left if goes_left else right)
    n_left, n_right = int(nodes[left]["count"]), int(nodes[right]["count"])
    values = (_expected_by_path(nodes, row, members, child) for child in (left, right))
    return float(np.average(list(values), weights=[n_left, n_right]))


def _by_all_orders(worth, n_players: int) -> np.ndarray:
    """Shapley's definition in its other form: the average gain over all orders in which players can join."""
    values = np.zeros(n_players)
    orders = list(permutations(range(n_players)))
    for order in orders:
        members: frozenset[int] = frozenset()
        for player in order:
            values[player] += worth(members | {player}) - worth(members)
            members |= {player}
    return values / len(orders)


@given(st.integers(0, 10_000), st.sampled_from([2, 7, 12, 20]))
@settings(max_examples=12, deadline=None)
def test_trees_have_their_shapley_values(seed, leaves):
    rows, outcome = _rows(seed)
    trees = _trees(rows, outcome, leaves)
    found = contributions.tree_contributions(trees, range(4), 4)
    values = found(rows[:6].T)
    for row, value in zip(rows[:6], values, strict=True):

        def worth(members, row=row):
            return sum(_expected_by_path(p.nodes, row, members) for (p,) in trees._predictors)

        np.testing.assert_allclose(value, _by_all_orders(worth, 4), atol=1e-12)
    empty = sum(_expected_by_path(p.nodes, rows[0], frozenset()) for (p,) in trees._predictors)
    assert found.base == pytest.approx(float(trees._baseline_prediction[0, 0]) + empty, abs=1e-12)


@pytest.mark.parametrize("leaves", [7, 20])
def test_trees_add_up_to_the_prediction_and_groups_to_their_features(leaves):
    rows, outcome = _rows(3, n=3000)
    trees = _trees(rows, outcome, leaves, rounds=40)
    single = contributions.tree_contributions(trees, range(4), 4)
    values = single(np.ascontiguousarray(rows.T))
    np.testing.assert_allclose(single.base + values.sum(axis=1), trees.decision_function(rows), atol=1e-11)
    grouped = contributions.tree_contributions(trees, [1, 0, 1, 0], 2)
    np.testing.assert_allclose(
        grouped(rows.T), np.column_stack([values[:, [1, 3]].sum(axis=1), values[:, [0, 2]].sum(axis=1)]), atol=1e-12
    )


def test_a_missing_value_takes_the_side_the_tree_learned():
    rows, outcome = _rows(5, n=2000)
    trees = _trees(rows, outcome, rounds=20)
    found = contributions.tree_contributions(trees, range(4), 4)
    missing = np.full((1, 4), np.nan)
    assert (found.base + found(missing.T).sum()) == pytest.approx(trees.decision_function(missing)[0], abs=1e-12)


def test_a_model_without_a_split_is_its_base():
    rows = np.zeros((50, 2))
    rows[0] = 1.0
    trees = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=40).fit(rows, np.arange(50) % 2 == 0)
    found = contributions.tree_contributions(trees, range(2), 2)
    assert found.tables == ()
    assert found.base == pytest.approx(trees.decision_function(rows[:1])[0], abs=1e-12)
    assert (found(rows.T) == 0).all()


def test_what_cannot_be_explained_is_refused():
    rows, _ = _rows(1)
    three = HistGradientBoostingClassifier(max_iter=1).fit(rows, np.arange(len(rows)) % 3)
    with pytest.raises(ValueError, match="several outcomes"):
        contributions.tree_contributions(three, range(4), 4)
    kinds = np.tile(np.arange(8.0), 50)[:, None]
    categorical = HistGradientBoostingClassifier(max_iter=1, categorical_features=[0], min_samples_leaf=5)
    with pytest.raises(ValueError, match="categorical"):
        contributions.tree_contributions(categorical.fit(kinds, kinds[:, 0] % 2 == 0), [0], 1)


def _logistic():
    return make_pipeline(
        FunctionTransformer(np.arcsinh),
        SimpleImputer(strategy="median", add_indicator=True),
        StandardScaler(),
        LogisticRegression(C=0.3),
    )


def test_logistic_terms_are_coefficient_times_distance_from_the_mean():
    rows, outcome = _rows(2)
    fitted = _logistic().fit(rows, outcome)
    base, terms = contributions.linear_contributions(fitted, rows, range(4), 4)
    np.testing.assert_allclose(base + terms.sum(axis=1), fitted.decision_function(rows), atol=1e-12)
    np.testing.assert_allclose(terms.mean(axis=0), 0, atol=1e-12)  # nobody in the middle of the rows has a reason
    # By hand for one column: its value and its missing flag, each against its own mean.
    values = np.arcsinh(rows[:, 3])
    values[np.isnan(values)] = np.nanmedian(values)
    flag = np.isnan(rows[:, 3]).astype(float)
    coefficients = fitted[-1].coef_[0]
    flag_place = 4 + list(fitted[1].indicator_.features_).index(3)
    by_hand = (
        coefficients[3] * (values - values.mean()) / values.std()
        + coefficients[flag_place] * (flag - flag.mean()) / flag.std()
    )
    np.testing.assert_allclose(terms[:, 3], by_hand, atol=1e-12)


def test_logistic_terms_are_the_shapley_values_against_the_average_row():
    rows, outcome = _rows(4)
    rows = np.nan_to_num(rows)
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, outcome)
    base, terms = contributions.linear_contributions(fitted, rows[:5], [0, 1, 0, 2], 3)
    reference = rows.mean(axis=0)
    same_base, values = contributions.shapley(fitted.decision_function, rows[:5], reference, [[0, 2], [1], [3]])
    assert base == pytest.approx(same_base, abs=1e-12)
    np.testing.assert_allclose(terms, values, atol=1e-12)


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.lists(st.floats(-3, 3), min_size=3, max_size=3))
@settings(max_examples=60, deadline=None)
def test_any_function_has_its_shapley_values(row, reference):
    def says(rows):
        return rows[:, 0] * rows[:, 1] + np.tanh(rows[:, 2] + rows[:, 0])

    row, reference = np.array([row]), np.array(reference)
    base, values = contributions.shapley(says, row, reference, [[0], [1], [2]])

    def worth(members):
        return float(says(np.where([k in members for k in range(3)], row, reference))[0])

    np.testing.assert_allclose(values[0], _by_all_orders(worth, 3), atol=1e-12)
    assert base + values[0].sum() == pytest.approx(float(says(row)[0]), abs=1e-12)


def test_twelve_players_are_played_out_and_thirteen_refused():
    def says(rows):
        return rows.sum(axis=1)

    base, values = contributions.shapley(says, np.ones((1, 12)), np.zeros(12), [[k] for k in range(12)])
    assert base == 0 and values == pytest.approx(np.ones((1, 12)))
    with pytest.raises(ValueError, match="13 players"):
        contributions.shapley(says, np.zeros((1, 13)), np.zeros(13), [[k] for k in range(13)])


def _chain(n_leaves: int) -> HistGradientBoostingRegressor:
    """One tree that splits off the largest value again and again: as deep as it has splits."""
    x = np.arange(float(n_leaves))
    trees = HistGradientBoostingRegressor(
        max_iter=1, max_leaf_nodes=n_leaves, min_samples_leaf=1, max_depth=None, early_stopping=False
    )
    return trees.fit(x[:, None], 3.0**x)


def test_a_tree_of_up_to_eight_splits_is_one_game_a_larger_one_a_game_a_leaf():
    games = {n: contributions.tree_contributions(_chain(n + 1), [0], 1).tables for n in (8, 9)}
    assert [len(table.columns) for table in games[8]] == [8]
    assert sorted(len(table.columns) for table in games[9]) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9]


def test_a_tree_of_twelve_levels_is_explained_and_a_deeper_one_refused():
    assert max(len(table.columns) for table in contributions.tree_contributions(_chain(13), [0], 1).tables) == 12
    with pytest.raises(ValueError, match="deeper than 12 splits"):
        contributions.tree_contributions(_chain(14), [0], 1)
