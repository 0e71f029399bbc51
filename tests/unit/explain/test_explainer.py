"""Contributions add up to the score, whoever scores, and belong to the family that made them."""

from dataclasses import replace

import numpy as np
import pytest
from small_models import KINDS, PROCESS, consistent, customers, model_of, parts_of

from assets.explain.explainer import GROUPS, Explainer
from assets.explain.facts import UNSPOKEN
from assets.model.churn_features import FAMILIES, FEATURES
from assets.model.churn_model import Part


@pytest.fixture(scope="module")
def rows():
    return customers(300, seed=8)


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_add_up_to_the_log_odds(kind, rows):
    model = model_of(kind, shift=0.3)
    explainer = Explainer(model)
    found = explainer(rows)
    assert found.shape == (len(rows), len(GROUPS))
    np.testing.assert_allclose(explainer.base + found.sum(axis=1), model.log_odds(rows), atol=1e-9, rtol=0)
    assert np.abs(found).max() > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_of_single_features_add_up_to_those_of_their_family(kind, rows):
    explainer = Explainer(model_of(kind, shift=0.3))
    by_family, single = explainer(rows), explainer.by_feature(rows)
    assert single.shape == (len(rows), len(FEATURES)) and explainer.by_feature.base == explainer.base
    for family, candidate_models in FAMILIES.items():
        spoken = [FEATURES.index(name) for name in candidate_models if name not in UNSPOKEN]
        np.testing.assert_allclose(
            single[:, spoken].sum(axis=1), by_family[:, GROUPS.index(family)], atol=1e-9, rtol=0, err_msg=family
        )


def test_they_add_up_to_the_published_probability_of_a_trained_model(world, trained):
    from assets.model.retention_model import RetentionModel

    model = RetentionModel(trained.card, trained.churn, trained.margin)
    rows = world.matrix(200, np.random.default_rng(3))
    explainer = Explainer(model)
    log_odds = explainer.base + explainer(rows).sum(axis=1)
    np.testing.assert_allclose(1 / (1 + np.exp(-log_odds)), model.churn_probability(rows), atol=1e-9)


def test_the_rule_speaks_of_silence_only(rows):
    model = model_of("rule")
    explainer = Explainer(model)
    found = explainer(rows)
    p = model.churn_probability(rows)
    np.testing.assert_allclose(explainer.base + found.sum(axis=1), np.log(p / (1 - p)), atol=1e-8)
    assert (np.delete(found, GROUPS.index("silence"), axis=1) == 0).all()


def test_derived_columns_belong_to_their_family(rows):
    """A model that sees what a purchase process derives: its numbers are exact too, and not lost."""
    model = model_of("linear")
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    churn = replace(model.churn, process=PROCESS)
    inputs = churn.extend(rows)
    places = tuple(range(len(FEATURES), inputs.shape[1]))
    fitted = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True), StandardScaler(), LogisticRegression()
    ).fit(inputs[:, places], np.arange(len(rows)) % 3 == 0)
    model = replace(model, churn=replace(churn, parts=(Part("derived", "linear", 1.0, places, fitted),)))
    explainer = Explainer(model)
    found = explainer(rows)
    np.testing.assert_allclose(explainer.base + found.sum(axis=1), model.log_odds(rows), atol=1e-9)
    used = {group for group, column in zip(GROUPS, found.T, strict=True) if np.abs(column).max() > 0}
    assert used == {"silence", "tenure"}


def test_beyond_the_bound_contributions_shrink_with_the_score(rows):
    (part,) = parts_of("linear")
    model = model_of("linear")
    sharp = replace(part, fitted=_sharpened(part.fitted))
    sharp = replace(model, churn=replace(model.churn, parts=(sharp,), slope=1.0))
    values = sharp.log_odds(rows)
    assert (np.abs(values - sharp.churn.intercept) > 20 - 1e-6).any(), "nobody is at the bound"
    explainer = Explainer(sharp)
    np.testing.assert_allclose(explainer.base + explainer(rows).sum(axis=1), values, atol=1e-9)


def _sharpened(pipeline):
    from copy import deepcopy

    steep = deepcopy(pipeline)
    steep[-1].coef_ = steep[-1].coef_ * 200
    return steep


def test_the_usual_customer_has_no_contributions(rows):
    for kind in ("bg_nbd", "mbg_nbd"):
        model = model_of(kind)
        usual = consistent(model.typical[None, :])
        usual[:, FEATURES.index("frequency")] = model.typical[FEATURES.index("frequency")]
        np.testing.assert_allclose(Explainer(model)(usual), 0, atol=1e-9)


def test_a_longer_silence_alone_is_told_by_the_silence(rows):
    model = model_of("mbg_nbd")
    longer = rows.copy()
    recency = FEATURES.index("recency_days")
    longer[:, recency] = np.maximum(longer[:, recency] - 60, 0)
    silence, tenure = GROUPS.index("silence"), GROUPS.index("tenure")
    before, after = Explainer(model)(rows), Explainer(model)(longer)
    assert (after[:, silence] >= before[:, silence] - 1e-12).all()
    assert np.abs(after - before)[:, silence].sum() > np.abs(after - before)[:, tenure].sum()


def test_what_the_business_did_stands_apart(rows):
    """Contacts count, so that the sum is exact, but they belong to no family that could be given as a reason."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    told = rows.copy()
    place = FEATURES.index("n_contacts_90d")
    told[:, place] = np.arange(len(rows)) % 5
    fitted = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler(), LogisticRegression()).fit(
        told[:, [place]], told[:, place] > 2
    )
    model = model_of("linear")
    model = replace(model, churn=replace(model.churn, parts=(Part("p", "linear", 1.0, (place,), fitted),)))
    found = Explainer(model)(told)
    assert (found[:, : len(FAMILIES)] == 0).all()
    assert np.abs(found[:, GROUPS.index("contacts")]).max() > 0.5
