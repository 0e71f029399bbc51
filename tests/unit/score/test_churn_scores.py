"""The score table: a row a customer, honest nulls, equal treatment of equals, exact explanations."""

import math
import re
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import customers, model_of

from assets.explain.explainer import GROUPS
from assets.explain.reasons import MIN_CONTRIBUTION
from assets.model.churn_features import FAMILIES, FEATURES
from assets.score import scores
from assets.shared.errors import UserError
from assets.shared.params import load_params

DAY = date(2020, 1, 1)
CHANGED = (
    "previous_probability",
    "probability_change",
    "change_from_data",
    "change_from_definition",
    "change_from_model",
    "change_from_recalibration",
)


def features_table(matrix: np.ndarray, ids: list[str], why: list[str | None] | None = None) -> pa.Table:
    """features.customer_features as an Arrow table; `why`: reason of ineligibility, None for eligible customers."""
    why = why or [None] * len(ids)
    return pa.table(
        {
            "as_of_date": pa.array([DAY] * len(ids), pa.date32()),
            "customer_id": ids,
            "is_eligible": [reason is None for reason in why],
            "ineligible_reason": pa.array(why, pa.string()),
            "is_active": [i % 2 == 0 for i in range(len(ids))],
            **{name: pa.array(matrix[:, j], from_pandas=True) for j, name in enumerate(FEATURES)},
        }
    )


def warehouse(features: pa.Table) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("create schema features")
    con.register("rows", features)
    con.execute("create table features.customer_features as select * from rows")
    return con


def rows_of(con: duckdb.DuckDBPyConnection) -> dict[str, dict]:
    con.execute("select * from score.churn_scores")
    names = [column[0] for column in con.description]
    return {row[names.index("customer_id")]: dict(zip(names, row, strict=True)) for row in con.fetchall()}


def scored(features: pa.Table, model, params, earlier=None) -> dict[str, dict]:
    con = warehouse(features)
    assert scores.write_scores(con, DAY, model, params, earlier) == features.num_rows
    found = rows_of(con)
    assert len(found) == features.num_rows
    return found


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


def test_columns_are_the_contract(params, model, matrix, ids):
    row = next(iter(scored(features_table(matrix, ids), model, params).values()))
    numbered = [1, 2, 3]
    assert list(row) == [
        "as_of_date",
        "customer_id",
        "is_eligible",
        "ineligible_reason",
        "is_active",
        "churn_probability",
        "churn_percentile",
        "churn_band",
        "baseline_probability",
        "baseline_rule",
        "scored_by",
        "scoring_model",
        "margin_if_retained",
        "predicted_margin",
        "value_at_risk",
        "is_explained",
        *(f"reason_{i}" for i in numbered),
        *(f"reason_{i}_zh" for i in numbered),
        *(f"reason_{i}_family" for i in numbered),
        *(f"reason_{i}_contribution" for i in numbered),
        "contribution_base",
        *(f"contribution_{group}" for group in GROUPS),
        "previous_as_of_date",
        *CHANGED,
        "change_reason",
        "change_reason_zh",
        "calibration_shift",
        "model_version",
        "horizon_days",
    ]
    assert row["as_of_date"] == DAY
    assert (row["scored_by"], row["scoring_model"]) == ("model", "average")
    assert row["model_version"] == model.model_id
    assert row["horizon_days"] == 30


def test_numbers_belong_together(params, model, matrix, ids):
    found = scored(features_table(matrix, ids), model, params)
    expected = dict(zip(ids, model.churn_probability(matrix), strict=True))
    for customer, row in found.items():
        p, margin = row["churn_probability"], row["margin_if_retained"]
        assert p == expected[customer]
        assert 0 < p < 1
        assert margin >= 0
        assert row["predicted_margin"] == pytest.approx((1 - p) * margin, abs=1e-5)
        assert row["value_at_risk"] == pytest.approx(p * row["predicted_margin"], abs=1e-5)
        assert "made no purchase in the next 30 days" in row["baseline_rule"]
        assert all(row[f"reason_{i}"] and row[f"reason_{i}_zh"] for i in (1, 2, 3))


@pytest.mark.parametrize("kind", ["average", "mbg_nbd", "rule"])
def test_contributions_in_the_table_are_the_log_odds_of_the_probability_beside_them(params, matrix, ids, kind):
    for row in scored(features_table(matrix, ids), model_of(kind, shift=0.2 * (kind != "rule")), params).values():
        parts = {group: row[f"contribution_{group}"] for group in GROUPS}
        p = row["churn_probability"]
        assert row["contribution_base"] + sum(parts.values()) == pytest.approx(math.log(p / (1 - p)), abs=2e-5)
        for i in (1, 2, 3):
            assert row[f"reason_{i}_contribution"] == parts[row[f"reason_{i}_family"]]


def test_reasons_are_the_three_strongest_contributions_and_marked_as_they_point(params, model, matrix, ids):
    rows = list(scored(features_table(matrix, ids), model, params).values())
    low = [row for row in rows if row["churn_band"] == "low"]
    assert low and len(low) < len(rows)
    for row in rows:
        sizes = {family: row[f"contribution_{family}"] for family in FAMILIES}
        strongest = sorted(sizes, key=lambda family: -abs(sizes[family]))[:3]
        assert [row[f"reason_{i}_family"] for i in (1, 2, 3)] == strongest
        for i, family in enumerate(strongest, start=1):
            text, size = row[f"reason_{i}"], sizes[family]
            assert row[f"reason_{i}_contribution"] == size
            if abs(size) >= MIN_CONTRIBUTION:
                assert text.startswith("Speaks for staying: ") == (size < 0), text
                assert not text.startswith("Observed")
                assert row["churn_band"] != "low" or size < 0 or text.startswith("Speaks for leaving: ")


def test_who_is_not_eligible_has_no_numbers_but_a_reason(params, model, matrix, ids):
    why = ["never_purchased", "lost", "too_little_history"] + [None] * 117
    blank = matrix.copy()
    blank[0] = np.nan
    found = scored(features_table(blank, ids, why), model, params)
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
    others = scored(features_table(blank[3:], ids[3:]), model, params)
    assert {c: r["churn_percentile"] for c, r in others.items()} == {
        c: r["churn_percentile"] for c, r in found.items() if r["is_eligible"]
    }


def test_a_business_without_a_customer_to_score_has_a_table_all_the_same(params, model, matrix, ids):
    found = scored(features_table(matrix[:3], ids[:3], ["lost"] * 3), model, params)
    assert {row["churn_band"] for row in found.values()} == {"not_scored"}
    con = warehouse(features_table(matrix[:0], []))
    assert scores.write_scores(con, DAY, model, params) == 0


def test_another_naming_of_customers_permutes_the_scores_exactly(params, model, matrix, ids):
    def without_name(row):
        return {k: v for k, v in row.items() if k not in ("customer_id", "is_active")}

    order = np.random.default_rng(2).permutation(len(ids))
    found = scored(features_table(matrix, ids), model, params)
    permuted = scored(features_table(matrix[order], [f"x{i}" for i in order]), model, params)
    assert all(without_name(found[f"c{i}"]) == without_name(permuted[f"x{i}"]) for i in range(len(ids)))


def test_a_score_does_not_depend_on_who_is_scored_beside(params, model, matrix, ids, monkeypatch):
    whole = scored(features_table(matrix, ids), model, params)
    monkeypatch.setattr(scores, "BATCH_ROWS", 7)
    part = scored(features_table(matrix[5:40], ids[5:40]), model, params)
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


@given(st.lists(st.integers(1, 90), min_size=1, max_size=80), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_percentiles_and_bands_with_ties(params, silences, seed):
    matrix = customers(len(silences), seed)
    matrix[:, FEATURES.index("days_since_last_order")] = silences
    found = scored(features_table(matrix, [f"c{i}" for i in range(len(silences))]), model_of("rule"), params)
    rows = sorted(found.values(), key=lambda row: (row["churn_probability"], row["churn_percentile"]))
    n = len(rows)
    for a, b in zip(rows, rows[1:], strict=False):
        assert (a["churn_percentile"] == b["churn_percentile"]) or a["churn_probability"] < b["churn_probability"]
        assert a["churn_percentile"] <= b["churn_percentile"]
    for row in rows:
        p = row["churn_probability"]
        lower = sum(other["churn_probability"] < p for other in rows)
        equal = sum(other["churn_probability"] == p for other in rows)
        assert row["churn_percentile"] == int((lower + equal / 2) / n * 100 + 1e-9) + 1
        assert 1 <= row["churn_percentile"] <= 100
        limits = {
            "low": (0, params.churn_band_medium_min),
            "medium": (params.churn_band_medium_min, params.churn_band_high_min),
            "high": (params.churn_band_high_min, params.churn_band_critical_min),
            "critical": (params.churn_band_critical_min, 1.01),
        }
        low, high = limits[row["churn_band"]]
        assert low <= p < high


def test_a_probability_at_a_bound_is_in_the_higher_band(params):
    limits = [params.churn_band_medium_min, params.churn_band_high_min, params.churn_band_critical_min]
    assert scores.bands(np.array([*limits, limits[0] - 1e-9]), params).tolist() == ["medium", "high", "critical", "low"]


def test_where_the_rule_scores_the_table_says_so(params, matrix, ids):
    for row in scored(features_table(matrix, ids), model_of("rule"), params).values():
        assert (row["scored_by"], row["scoring_model"]) == ("rule", "recency_rule")
        assert row["churn_probability"] == row["baseline_probability"]
        assert row["reason_1"].endswith(row["baseline_rule"])


def test_only_the_date_asked_for_is_scored(params, model, matrix, ids):
    con = warehouse(features_table(matrix, ids))
    assert scores.write_scores(con, date(2020, 1, 2), model, params) == 0
    assert con.execute("select count(*) from score.churn_scores").fetchall() == [(0,)]
    assert scores.write_scores(con, DAY, model, params) == 120


# --- who is explained -----------------------------------------------------------------------------------------------


def test_beyond_the_limit_the_top_by_value_at_risk_is_explained_and_all_are_scored(model, matrix, ids):
    params = load_params({"score_explain_all_up_to": 100, "score_explained_share": 0.1})
    everybody = scored(features_table(matrix, ids), model, load_params())
    some = scored(features_table(matrix, ids), model, params)
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
            "score_explain_all_up_to": 0,
            "score_explained_share": share,
            "actions_value_at_risk_top_share": 0,
        }
    )
    values = np.array(values)
    listed = values >= scores.explained_from(values, params)
    kept = math.ceil(share * len(values) - 1e-9)
    assert listed.sum() >= kept
    if kept:
        assert listed.sum() == (values >= np.sort(values)[::-1][kept - 1]).sum()
    else:
        assert not listed.any()


def test_whoever_the_plan_may_pick_by_value_is_explained():
    params = load_params(
        {
            "score_explain_all_up_to": 0,
            "score_explained_share": 0.1,
            "actions_value_at_risk_top_share": 0.5,
        }
    )
    values = np.arange(10.0)
    assert (values >= scores.explained_from(values, params)).sum() == 5


# --- whole or not at all --------------------------------------------------------------------------------------------


def test_a_failure_half_way_leaves_the_table_of_before(params, model, matrix, ids, monkeypatch):
    con = warehouse(features_table(matrix, ids))
    scores.write_scores(con, DAY, model, params)
    before = rows_of(con)
    monkeypatch.setattr(scores, "BATCH_ROWS", 50)
    real, calls = scores.score_batch, []

    def fails_late(batch, night):
        calls.append(batch.num_rows)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return real(batch, night)

    monkeypatch.setattr(scores, "score_batch", fails_late)
    with pytest.raises(RuntimeError):
        scores.write_scores(con, DAY, model_of("rule"), params)
    assert len(calls) == 2
    assert rows_of(con) == before


# --- features as they were frozen -----------------------------------------------------------------------------------


def _changed(matrix, ids, statement: str) -> duckdb.DuckDBPyConnection:
    con = warehouse(features_table(matrix, ids))
    con.execute(statement)
    return con


@pytest.mark.parametrize(
    "statement, words",
    [
        ("alter table features.customer_features drop column gap_cv", "feature gap_cv is missing (expected DOUBLE)"),
        (
            "alter table features.customer_features alter column tenure_days type varchar",
            "feature tenure_days is VARCHAR (expected DOUBLE)",
        ),
        (
            "alter table features.customer_features alter column n_orders type bigint",
            "feature n_orders is BIGINT (expected DOUBLE)",
        ),
    ],
)
def test_a_model_refuses_features_that_are_not_its_own(params, model, matrix, ids, statement, words):
    con = _changed(matrix, ids, statement)
    with pytest.raises(UserError) as refused:
        scores.write_scores(con, DAY, model, params)
    assert words in refused.value.what and model.model_id in refused.value.what
    assert "holdfast retrain" in refused.value.remedy
    assert not con.execute("select 1 from duckdb_tables() where schema_name = 'score'").fetchall()


def test_types_frozen_with_the_model_are_what_counts(params, matrix, ids):
    model = model_of("average", feature_types={"n_orders": "BIGINT"})
    with pytest.raises(UserError, match=r"n_orders is DOUBLE \(expected BIGINT\)"):
        scores.write_scores(warehouse(features_table(matrix, ids)), DAY, model, params)


def test_a_feature_that_nobody_has_any_more_is_refused(params, model):
    matrix = customers(400, seed=2)
    matrix[:, FEATURES.index("return_share")] = np.nan
    names = [f"c{i}" for i in range(400)]
    with pytest.raises(UserError, match="return_share has no value for any of 400 eligible customers"):
        scores.write_scores(warehouse(features_table(matrix, names)), DAY, model, params)
    # A handful of customers may all lack something, and features that were always empty stay so.
    few = features_table(matrix[:50], names[:50])
    assert scores.write_scores(warehouse(few), DAY, model, params) == 50


def _plan(con, decisions: dict[str, str], day: date = DAY) -> None:
    con.execute("create schema if not exists actions")
    con.execute(
        "create table if not exists actions.contact_plan (as_of_date date, customer_id varchar, decision varchar)"
    )
    con.executemany("insert into actions.contact_plan values (?, ?, ?)", [[day, *row] for row in decisions.items()])


def test_everybody_on_the_plan_has_reasons_however_they_came_there(model, matrix, ids):
    """A birthday or a welcome chooses by dates: such a customer may be far from the share explained by value."""
    features = features_table(matrix, ids, [None] * 119 + ["lost"])
    few = load_params(
        {
            "score_explain_all_up_to": 0,
            "score_explained_share": 0.1,
            "actions_value_at_risk_top_share": 0,
        }
    )
    con = warehouse(features)
    scores.write_scores(con, DAY, model, few)
    before = rows_of(con)
    unexplained = [name for name, row in before.items() if row["is_eligible"] and not row["is_explained"]]
    explained = next(name for name, row in before.items() if row["is_explained"])
    assert len(unexplained) > 100
    contacted, held_out, refused, of_another_day, *_ = unexplained
    _plan(
        con,
        {contacted: "contact", held_out: "holdout", refused: "not_contacted", explained: "contact", "c119": "contact"},
    )
    _plan(con, {of_another_day: "contact"}, date(2019, 12, 31))
    assert scores.explain_listed(con, DAY, model, few) == 2
    after, of_all = rows_of(con), scored(features, model, load_params())
    assert len(after) == len(before)
    for name, row in after.items():
        assert row == (of_all[name] if name in (contacted, held_out) else before[name]), name
    assert after[contacted]["reason_3_zh"] and after[contacted]["is_explained"]
    assert scores.explain_listed(con, DAY, model, few) == 0
