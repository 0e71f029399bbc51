"""The table of reasons: a row a score, exact explanations, and everybody whom somebody will look at."""

import math
import re
from datetime import date

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored_world import DAY, explain, explained, features_table, plan, rows_of, score, warehouse
from small_models import customers, model_of

from assets.explain import score_reasons
from assets.explain.explainer import GROUPS
from assets.explain.listing import list_explained
from assets.explain.reasons import MIN_CONTRIBUTION
from assets.model.churn_features import FAMILIES
from assets.score import scores
from assets.shared.params import load_params

CHANGED = (
    "previous_probability",
    "probability_change",
    "change_from_data",
    "change_from_definition",
    "change_from_model",
    "change_from_recalibration",
)


@pytest.fixture(scope="module")
def params():
    return load_params()


@pytest.fixture(scope="module")
def model():
    return model_of("average")


@pytest.fixture(scope="module")
def matrix():
    return customers(120, seed=6)


@pytest.fixture(scope="module")
def ids():
    return [f"c{i}" for i in range(120)]


def scores_at_risk(values: np.ndarray) -> duckdb.DuckDBPyConnection:
    """A table of scored customers with these values at risk, and one who is not scored."""
    con = duckdb.connect()
    con.execute("create schema score; create table score.churn_scores (is_eligible boolean, value_at_risk double)")
    con.executemany("insert into score.churn_scores values (true, ?)", [[float(v)] for v in values])
    con.execute("insert into score.churn_scores values (false, null)")
    return con


def test_every_score_has_its_row_of_reasons(params, model, matrix, ids):
    rows = explained(features_table(matrix, ids), model, params)
    for row in rows.values():
        assert row["is_explained"]
        assert all(row[f"reason_{i}"] and row[f"reason_{i}_zh"] for i in (1, 2, 3))
        assert "made no purchase in the next 30 days" in row["baseline_rule"]


@pytest.mark.parametrize("kind", ["average", "mbg_nbd", "rule"])
def test_contributions_in_the_table_are_the_log_odds_of_the_probability_beside_them(params, matrix, ids, kind):
    for row in explained(features_table(matrix, ids), model_of(kind, shift=0.2 * (kind != "rule")), params).values():
        parts = {group: row[f"contribution_{group}"] for group in GROUPS}
        p = row["churn_probability"]
        assert row["contribution_base"] + sum(parts.values()) == pytest.approx(math.log(p / (1 - p)), abs=2e-5)
        for i in (1, 2, 3):
            assert row[f"reason_{i}_contribution"] == parts.get(row[f"reason_{i}_family"])
        no_sign = row["reason_1"].startswith("No sign of leaving")
        assert [i for i in (1, 2, 3) if row[f"reason_{i}_family"] is None] == [1] * no_sign


def test_reasons_argue_for_the_score_and_are_marked_as_they_point(params, model, matrix, ids):
    rows = list(explained(features_table(matrix, ids), model, params).values())
    low = [row for row in rows if row["churn_band"] == "low"]
    assert low and len(low) < len(rows)
    for row in rows:
        sizes = {family: row[f"contribution_{family}"] for family in FAMILIES}
        raises = {family for family, size in sizes.items() if size >= MIN_CONTRIBUTION}
        assert row["reason_1"].startswith("No sign of leaving") == (not raises)
        assert not raises or row["reason_1_family"] in raises
        given = [(row[f"reason_{i}"], row[f"reason_{i}_family"]) for i in (1, 2, 3) if row[f"reason_{i}_family"]]
        # Once something that lowers the risk was said, nothing that raises it follows.
        assert [family in raises for _, family in given] == sorted((f in raises for _, f in given), reverse=True)
        for text, family in given:
            size = sizes[family]
            if abs(size) >= MIN_CONTRIBUTION:
                assert text.startswith("Speaks for staying: ") == (size < 0), text
                assert not text.startswith("Observed")
                assert row["churn_band"] != "low" or size < 0 or text.startswith("Speaks for leaving: ")


def test_who_is_not_eligible_has_no_numbers_but_a_reason(params, model, matrix, ids):
    why = ["never_purchased", "lost", "too_little_history"] + [None] * 117
    blank = matrix.copy()
    blank[0] = np.nan
    found = explained(features_table(blank, ids, why), model, params)
    for customer in ("c0", "c1", "c2"):
        row = found[customer]
        empty = (
            "churn_probability",
            "churn_percentile",
            "baseline_probability",
            "predicted_margin",
            "value_at_risk",
            "margin_if_retained",
            "baseline_rule",
            "reason_2",
            "reason_1_contribution",
            "contribution_base",
            "contribution_silence",
            "change_reason",
            *CHANGED,
        )
        assert {row[name] for name in empty} == {None}
        assert row["churn_band"] == "not_scored"
        assert not row["is_explained"]
        assert row["reason_1"].startswith("Not scored: ") and row["reason_1_zh"].startswith("未评分：")
        assert row["reason_1_family"] == "not_scored"
    others = explained(features_table(blank[3:], ids[3:]), model, params)
    assert {c: r["churn_percentile"] for c, r in others.items()} == {
        c: r["churn_percentile"] for c, r in found.items() if r["is_eligible"]
    }


def test_another_naming_of_customers_permutes_the_reasons_exactly(params, model, matrix, ids):
    def without_name(row):
        return {k: v for k, v in row.items() if k not in ("customer_id", "is_active")}

    order = np.random.default_rng(2).permutation(len(ids))
    found = explained(features_table(matrix, ids), model, params)
    permuted = explained(features_table(matrix[order], [f"x{i}" for i in order]), model, params)
    assert all(without_name(found[f"c{i}"]) == without_name(permuted[f"x{i}"]) for i in range(len(ids)))


def test_reasons_do_not_depend_on_who_is_explained_with_them(params, model, matrix, ids, monkeypatch):
    whole = explained(features_table(matrix, ids), model, params)
    monkeypatch.setattr(scores, "BATCH_ROWS", 7)
    monkeypatch.setattr(score_reasons, "BATCH_ROWS", 9)
    part = explained(features_table(matrix[5:40], ids[5:40]), model, params)
    for customer, row in part.items():
        for column in (
            "churn_probability",
            "margin_if_retained",
            "value_at_risk",
            "reason_1",
            "reason_2_zh",
            "reason_3",
            "contribution_silence",
            "reason_1_contribution",
        ):
            assert row[column] == whole[customer][column]


def test_where_the_rule_scores_its_words_are_the_first_reason(params, matrix, ids):
    for row in explained(features_table(matrix, ids), model_of("rule"), params).values():
        assert (row["scored_by"], row["scoring_model"]) == ("rule", "recency_rule")
        assert row["churn_probability"] == row["baseline_probability"]
        assert row["reason_1"].endswith(row["baseline_rule"])


def test_beyond_the_limit_the_top_by_value_at_risk_is_explained_and_all_are_scored(model, matrix, ids):
    params = load_params({"explain_all_up_to": 100, "explain_top_share": 0.1})
    everybody = explained(features_table(matrix, ids), model, load_params())
    some = explained(features_table(matrix, ids), model, params)
    by_value = sorted(some.values(), key=lambda row: -row["value_at_risk"])
    least = by_value[11]["value_at_risk"]  # 10 % of 120
    texts = (
        "reason_1",
        "reason_1_zh",
        "reason_1_family",
        "reason_1_contribution",
        "contribution_silence",
        "contribution_base",
        "change_reason",
    )
    for customer, row in some.items():
        assert row["is_explained"] == (row["value_at_risk"] >= least)
        for name, value in row.items():
            if name in texts and not row["is_explained"]:
                assert value is None
            elif row["is_explained"] or not re.match("is_explained|reason|contribution|change_reason", name):
                assert value == everybody[customer][name]
    assert sum(row["is_explained"] for row in some.values()) >= 12


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=1, max_size=40), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_the_list_is_the_top_share_with_all_ties(values, share):
    params = load_params(
        {
            "explain_all_up_to": 0,
            "explain_top_share": share,
            "actions_value_at_risk_top_share": 0,
        }
    )
    values = np.array(values)
    listed = values >= list_explained(scores_at_risk(values), DAY, params).explained_from
    kept = math.ceil(share * len(values) - 1e-9)
    assert listed.sum() >= kept
    if kept:
        assert listed.sum() == (values >= np.sort(values)[::-1][kept - 1]).sum()
    else:
        assert not listed.any()


def test_whoever_the_plan_may_pick_by_value_is_explained():
    params = load_params(
        {
            "explain_all_up_to": 0,
            "explain_top_share": 0.1,
            "actions_value_at_risk_top_share": 0.5,
        }
    )
    values = np.arange(10.0)
    assert (values >= list_explained(scores_at_risk(values), DAY, params).explained_from).sum() == 5


def test_everybody_on_the_plan_has_reasons_however_they_came_there(model, matrix, ids):
    """A birthday or a welcome chooses by dates: such a customer may be far from the share explained by value."""
    features = features_table(matrix, ids, [None] * 119 + ["lost"])
    few = load_params(
        {
            "explain_all_up_to": 0,
            "explain_top_share": 0.1,
            "actions_value_at_risk_top_share": 0,
        }
    )
    con = warehouse(features)
    score(con, model, few)
    explain(con, model, few)
    before = rows_of(con)
    unexplained = [name for name, row in before.items() if row["is_eligible"] and not row["is_explained"]]
    listed = next(name for name, row in before.items() if row["is_explained"])
    assert len(unexplained) > 100
    contacted, held_out, refused, of_another_day, *_ = unexplained
    plan(
        con, {contacted: "contact", held_out: "holdout", refused: "not_contacted", listed: "contact", "c119": "contact"}
    )
    plan(con, {of_another_day: "contact"}, date(2019, 12, 31))
    explain(con, model, few)
    after, of_all = rows_of(con), explained(features, model, load_params())
    assert len(after) == len(before)
    for name, row in after.items():
        assert row == (of_all[name] if name in (contacted, held_out) else before[name]), name
    assert after[contacted]["reason_3_zh"] and after[contacted]["is_explained"]
    assert not after["c119"]["is_explained"], "whoever is not scored has nothing to explain"


def test_scores_are_explained_as_they_were_made_whatever_the_store_holds_by_now(params, matrix, ids):
    """A check between the two stages may have shifted the model: contributions add up to the published score."""
    con = warehouse(features_table(matrix, ids))
    score(con, model_of("average", shift=0.3), params)
    explain(con, model_of("average", shift=-1.0), params)
    for row in rows_of(con).values():
        parts, p = sum(row[f"contribution_{group}"] for group in GROUPS), row["churn_probability"]
        assert row["contribution_base"] + parts == pytest.approx(math.log(p / (1 - p)), abs=2e-5)


def test_a_business_without_a_customer_has_a_table_all_the_same(params, model, matrix):
    con = warehouse(features_table(matrix[:0], []))
    score(con, model, params)
    assert explain(con, model, params) == 0
    assert rows_of(con) == {}


def test_a_failure_half_way_leaves_the_table_of_before(params, model, matrix, ids, monkeypatch):
    con = warehouse(features_table(matrix, ids))
    score(con, model, params)
    explain(con, model, params)
    before = rows_of(con)
    monkeypatch.setattr(score_reasons, "BATCH_ROWS", 50)
    real, calls = score_reasons.listed_rows, []

    def fails_late(batch, night):
        calls.append(batch.num_rows)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return real(batch, night)

    monkeypatch.setattr(score_reasons, "listed_rows", fails_late)
    with pytest.raises(RuntimeError, match="killed"):
        explain(con, model, params)
    assert len(calls) == 2 and rows_of(con) == before
