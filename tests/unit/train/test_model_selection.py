"""Model selection: the average scores unless another is better beyond doubt, and test cutoffs choose nothing."""

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


def test_the_average_scores_unless_another_is_better_beyond_doubt():
    names = {"recency_rule": 0.2, "rfm_logit": 0.5, "average": 0.9}
    assert model_selection.choose_model(_cutoffs(names)).candidate_model == "average"
    better = model_selection.choose_model(_cutoffs({**names, "rfm_logit": 0.95, "average": 0.6}))
    assert (better.candidate_model, better.fitted) == ("rfm_logit", "rfm_logit")
    assert "4 validation cutoff(s)" in better.reason and "95 % interval" in better.reason


def test_a_tie_goes_to_the_average():
    choice = model_selection.choose_model(_cutoffs({"recency_rule": 0.2, "rfm_logit": 0.9, "average": 0.9}))
    assert choice.candidate_model == "average"
    close = _cutoffs({"recency_rule": 0.2, "average": 0.8})
    # Nearer to what happened by a share of the way, and for some customers further from it.
    by_luck, clearly = (
        model_selection.choose_model([_nudged(cutoff, share) for cutoff in close]) for share in (0.02, 0.2)
    )
    assert by_luck.candidate_model == "average" and "not beyond doubt" in by_luck.reason
    assert clearly.candidate_model == "rfm_logit"


def _nudged(cutoff: Judged, share: float) -> Judged:
    said, noise = cutoff.probability["average"], np.random.default_rng(cutoff.cutoff.month).normal(0, 0.1, N)
    nudged = np.clip(said + (share + noise) * (cutoff.rows.is_churned - said), 1e-6, 1 - 1e-6)
    return Judged(cutoff.cutoff, cutoff.role, cutoff.rows, cutoff.probability | {"rfm_logit": nudged})


def test_the_rule_scores_only_where_it_is_better_beyond_doubt():
    clearly = model_selection.choose_model(_cutoffs({"recency_rule": 0.95, "blend": 0.4, "average": 0.4}))
    assert (clearly.candidate_model, clearly.fitted) == ("recency_rule", "blend")
    assert model_selection.choose_model(_cutoffs({"recency_rule": 0.9, "average": 0.9})).candidate_model == "average"


def test_more_cutoffs_of_the_same_customers_are_no_more_certain():
    """Each customer stands at each cutoff: four copies of one cutoff say as much as that one."""
    one = _cutoff(1, "validation", {"recency_rule": 0.2, "rfm_logit": 0.80, "average": 0.77}, seed=3)
    alone = model_selection.Standing({m: model_selection._losses([one], m) for m in ("rfm_logit", "average")})
    four = model_selection.Standing({m: model_selection._losses([one] * 4, m) for m in ("rfm_logit", "average")})
    assert four.gain("rfm_logit", "average") == pytest.approx(alone.gain("rfm_logit", "average"))


def test_without_validation_cutoffs_the_average_scores():
    assert model_selection.choose_model([]).candidate_model == "average"
    assert "no model could be judged" in model_selection.choose_model([]).reason
    nobody = _cutoff(1, "validation", {"recency_rule": 0.5, "average": 0.5})
    nobody.rows.is_active[:] = False
    assert "no active customer" in model_selection.choose_model([nobody]).reason


def test_test_cutoffs_choose_nothing():
    quality = {"recency_rule": 0.2, "rfm_logit": 0.5, "average": 0.95}
    upside_down = {"recency_rule": 0.95, "rfm_logit": 0.9, "average": 0.1}
    assert model_selection.choose_model(_cutoffs(quality, upside_down)) == model_selection.choose_model(
        _cutoffs(quality)
    )


SIMPLE_IS_BETTER = {"recency_rule": 0.2, "rfm_logit": 0.95, "mbg_nbd": 0.9, "average": 0.5}


def test_a_simple_model_that_is_better_on_the_newest_outcomes_takes_over_and_says_so():
    cutoffs = _cutoffs(dict.fromkeys(SIMPLE_IS_BETTER, 0.9), SIMPLE_IS_BETTER)
    choice, tests = model_selection.choose_model(cutoffs), [c for c in cutoffs if c.role == "test"]
    assert choice.candidate_model == "average"
    found = model_selection.unless_a_simple_one_is_better(choice, tests)
    assert (found.candidate_model, found.fitted) == ("rfm_logit", "rfm_logit")
    assert found.reason.startswith(choice.reason) and "at the newest cutoff, 2020-06-01" in found.reason
    assert "rfm_logit scores" in found.reason and "for 3 compared" in found.reason
    # One that can no longer be fitted is not taken, nor does an older test cutoff decide.
    without = model_selection.unless_a_simple_one_is_better(choice, tests, among=["mbg_nbd", "average"])
    assert without.candidate_model == "mbg_nbd"
    older = [tests[0], _cutoff(6, "test", {**SIMPLE_IS_BETTER, "average": 0.95})]
    assert model_selection.unless_a_simple_one_is_better(choice, older) == choice
    assert model_selection.unless_a_simple_one_is_better(choice, []) == choice


def test_the_rule_takes_over_where_it_alone_is_better():
    cutoff = _cutoff(6, "test", {"recency_rule": 0.95, "rfm_logit": 0.5, "average": 0.5})
    choice = model_selection.Choice("average", "average", "chosen")
    found = model_selection.unless_a_simple_one_is_better(choice, [cutoff])
    assert (found.candidate_model, found.fitted) == ("recency_rule", "average")


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
    rows = model_selection.results_table(cutoffs, "blend")

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
