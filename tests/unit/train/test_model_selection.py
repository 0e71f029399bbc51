"""Model selection: the least loss wins, ties go to the simpler, doubts to the rule, and test cutoffs choose nothing."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.model.churn_features import FEATURES
from assets.model.snapshots import Snapshots
from assets.train import metrics, model_selection
from assets.train.out_of_time import Judged

N = 2000


def _cutoff(number: int, role: str, quality: dict[str, float], seed: int = 0) -> Judged:
    """One cutoff of N customers: a candidate model of quality q knows the truth blurred by noise 1 - q."""
    rng = np.random.default_rng([seed, number])
    truth = rng.normal(0, 1.5, N)
    y = rng.random(N) < 1 / (1 + np.exp(-truth))
    noise = rng.normal(0, 1.5, N)
    rows = Snapshots(
        np.zeros((N, len(FEATURES))),
        y,
        np.arange(N) % 2 == 0,
        np.zeros(N),
        np.full(N, date(2020, number, 1), dtype="datetime64[D]"),
    )
    blurred = {m: 1 / (1 + np.exp(-(q * truth + (1 - q) * noise))) for m, q in quality.items()}
    return Judged(date(2020, number, 1), role, rows, blurred)


def _cutoffs(quality, test=None):
    validation = [_cutoff(i, "validation", quality) for i in (1, 2, 3, 4)]
    return [*validation, *(_cutoff(i, "test", test or quality) for i in (5, 6))]


def test_the_clearly_best_scores():
    choice = model_selection.choose_model(_cutoffs({"recency_rule": 0.2, "rfm_logit": 0.5, "blend": 0.95}))
    assert (choice.candidate_model, choice.best) == ("blend", "blend")
    assert "4 validation cutoffs" in choice.reason


def test_a_tie_goes_to_the_simpler():
    choice = model_selection.choose_model(_cutoffs({"recency_rule": 0.2, "rfm_logit": 0.9, "blend": 0.9}))
    assert choice.candidate_model == "rfm_logit"
    blurred = _cutoffs({"recency_rule": 0.2, "rfm_logit": 0.9})
    rng = np.random.default_rng(1)
    tied = [
        Judged(
            c.cutoff,
            c.role,
            c.rows,
            {
                **c.probability,
                # Better at some cutoffs and worse at others, a little better in all.
                "blend": np.clip(
                    c.probability["rfm_logit"] + (c.rows.is_churned - 0.5) * shift + rng.normal(0, 1e-3, N),
                    1e-6,
                    1 - 1e-6,
                ),
            },
        )
        for c, shift in zip(blurred, (0.03, -0.02, 0.02, -0.02, 0, 0), strict=True)
    ]
    choice = model_selection.choose_model(tied)
    assert (choice.candidate_model, choice.best) == ("rfm_logit", "blend")
    assert "tied with it" in choice.reason
    assert choice.fitted == "rfm_logit"  # the one that scores is the one that is kept
    assert model_selection.choose_model(_cutoffs({"recency_rule": 0.95, "blend": 0.4})).fitted == "blend"


def test_what_is_not_better_than_the_rule_beyond_doubt_does_not_score():
    assert model_selection.choose_model(_cutoffs({"recency_rule": 0.9, "blend": 0.9})).candidate_model == "recency_rule"
    assert (
        model_selection.choose_model(_cutoffs({"recency_rule": 0.95, "blend": 0.4})).candidate_model == "recency_rule"
    )
    two = [_cutoff(i, "validation", {"recency_rule": 0.7, "blend": 0.74}, seed=3) for i in (1, 2)]
    assert model_selection.choose_model(two).candidate_model == "recency_rule"
    one = [_cutoff(1, "validation", {"recency_rule": 0.1, "blend": 0.95})]
    assert model_selection.choose_model(one).candidate_model == "recency_rule"
    assert model_selection.choose_model([]).candidate_model == "recency_rule"
    assert model_selection.choose_model([_cutoff(1, "validation", {"recency_rule": 0.5})]).fitted is None


def test_test_cutoffs_choose_nothing():
    quality = {"recency_rule": 0.2, "rfm_logit": 0.5, "blend": 0.95}
    upside_down = {"recency_rule": 0.95, "rfm_logit": 0.9, "blend": 0.1}
    assert model_selection.choose_model(_cutoffs(quality, upside_down)) == model_selection.choose_model(
        _cutoffs(quality)
    )


def test_the_reigning_champion_is_compared_where_it_was_unseen():
    better = _cutoff(6, "test", {"blend": 0.9, "incumbent": 0.5})
    worse = _cutoff(6, "test", {"blend": 0.5, "incumbent": 0.9})
    same = _cutoff(6, "test", {"blend": 0.5, "incumbent": 0.5})
    assert not model_selection.gap_to_incumbent(better, "blend").is_worse
    assert model_selection.gap_to_incumbent(worse, "blend").is_worse
    assert not model_selection.gap_to_incumbent(same, "blend").is_worse
    assert model_selection.gap_to_incumbent(_cutoff(6, "test", {"blend": 0.5}), "blend") is None


def test_table_means_are_means_of_the_cutoffs_of_a_role():
    cutoffs = _cutoffs({"recency_rule": 0.2, "blend": 0.95})
    rows = model_selection.results_table(cutoffs, model_selection.choose_model(cutoffs).candidate_model)

    def of(role):
        return {
            r["cutoff_date"]: r["value"]
            for r in rows
            if (r["candidate_model"], r["population"], r["metric"], r["cutoff_role"]) == ("blend", "all", "brier", role)
        }

    for role, n in (("validation", 4), ("test", 2)):
        found = of(role)
        mean = found.pop(None)
        assert len(found) == n
        assert mean == pytest.approx(np.mean(list(found.values())))
    assert {r["candidate_model"] for r in rows if r["is_chosen"]} == {"blend"}
    assert all(r["low"] <= r["value"] <= r["high"] for r in rows if np.isfinite(r["low"]))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=4, max_size=60))
def test_auc_error_is_that_of_all_pairs(cases):
    """DeLong's components, pair by pair."""
    y, p = np.array([c[0] for c in cases]), np.array([c[1] for c in cases]) / 5
    if min(y.sum(), (~y).sum()) < 2:
        return
    wins = (p[y][:, None] > p[~y][None, :]) + 0.5 * (p[y][:, None] == p[~y][None, :])
    expected = np.sqrt(wins.mean(axis=1).var(ddof=1) / y.sum() + wins.mean(axis=0).var(ddof=1) / (~y).sum())
    assert metrics.closed_errors(y, p)[metrics.METRICS.index("auc")] == pytest.approx(expected, abs=1e-12)
