"""The contest: the least loss wins, ties go to the simpler, doubts to the rule, and outer cuts choose nothing."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.shared.churn_features import FEATURES
from assets.train import contest, metrics
from assets.train.contest import Judged
from assets.train.snapshots import Snapshots

N = 2000


def _cut(number: int, role: str, quality: dict[str, float], seed: int = 0) -> Judged:
    """One cut of N customers: a member of quality q knows the truth blurred by noise 1 - q."""
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


def _cuts(quality, outer=None):
    inner = [_cut(i, "inner", quality) for i in (1, 2, 3, 4)]
    return [*inner, *(_cut(i, "outer", outer or quality) for i in (5, 6))]


def test_the_clearly_best_scores():
    choice = contest.choose(_cuts({"recency_rule": 0.2, "rfm_logit": 0.5, "recipe": 0.95}))
    assert (choice.member, choice.best) == ("recipe", "recipe")
    assert "4 inner cuts" in choice.reason


def test_a_tie_goes_to_the_simpler():
    choice = contest.choose(_cuts({"recency_rule": 0.2, "rfm_logit": 0.9, "recipe": 0.9}))
    assert choice.member == "rfm_logit"
    blurred = _cuts({"recency_rule": 0.2, "rfm_logit": 0.9})
    rng = np.random.default_rng(1)
    tied = [
        Judged(
            c.cut,
            c.role,
            c.rows,
            {
                **c.probability,
                # Better at some cuts and worse at others, a little better in all.
                "recipe": np.clip(
                    c.probability["rfm_logit"] + (c.rows.is_churned - 0.5) * shift + rng.normal(0, 1e-3, N),
                    1e-6,
                    1 - 1e-6,
                ),
            },
        )
        for c, shift in zip(blurred, (0.03, -0.02, 0.02, -0.02, 0, 0), strict=True)
    ]
    choice = contest.choose(tied)
    assert (choice.member, choice.best) == ("rfm_logit", "recipe")
    assert "tied with it" in choice.reason
    assert choice.fitted == "rfm_logit"  # the one that scores is the one that is kept
    assert contest.choose(_cuts({"recency_rule": 0.95, "recipe": 0.4})).fitted == "recipe"


def test_what_is_not_better_than_the_rule_beyond_doubt_does_not_score():
    assert contest.choose(_cuts({"recency_rule": 0.9, "recipe": 0.9})).member == "recency_rule"
    assert contest.choose(_cuts({"recency_rule": 0.95, "recipe": 0.4})).member == "recency_rule"
    two = [_cut(i, "inner", {"recency_rule": 0.7, "recipe": 0.74}, seed=3) for i in (1, 2)]
    assert contest.choose(two).member == "recency_rule"
    one = [_cut(1, "inner", {"recency_rule": 0.1, "recipe": 0.95})]
    assert contest.choose(one).member == "recency_rule"
    assert contest.choose([]).member == "recency_rule"
    assert not contest.choose([_cut(1, "inner", {"recency_rule": 0.5})]).is_fitted


def test_outer_cuts_choose_nothing():
    quality = {"recency_rule": 0.2, "rfm_logit": 0.5, "recipe": 0.95}
    upside_down = {"recency_rule": 0.95, "rfm_logit": 0.9, "recipe": 0.1}
    assert contest.choose(_cuts(quality, upside_down)) == contest.choose(_cuts(quality))


def test_the_reigning_champion_is_compared_where_it_was_unseen():
    better = _cut(6, "outer", {"recipe": 0.9, "champion": 0.5})
    worse = _cut(6, "outer", {"recipe": 0.5, "champion": 0.9})
    same = _cut(6, "outer", {"recipe": 0.5, "champion": 0.5})
    assert contest.is_worse(better, "recipe")[0] is False
    assert contest.is_worse(worse, "recipe")[0] is True
    assert contest.is_worse(same, "recipe")[0] is False
    assert contest.is_worse(_cut(6, "outer", {"recipe": 0.5}), "recipe") is None


def test_table_means_are_means_of_the_cuts_of_a_role():
    cuts = _cuts({"recency_rule": 0.2, "recipe": 0.95})
    rows = contest.table(cuts, contest.choose(cuts))

    def of(role):
        return {
            r["cut_date"]: r["value"]
            for r in rows
            if (r["member"], r["population"], r["metric"], r["cut_role"]) == ("recipe", "all", "brier", role)
        }

    for role, n in (("inner", 4), ("outer", 2)):
        found = of(role)
        mean = found.pop(None)
        assert len(found) == n
        assert mean == pytest.approx(np.mean(list(found.values())))
    assert {r["member"] for r in rows if r["is_chosen"]} == {"recipe"}
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
