"""The score table: a row a customer, honest nulls, equal treatment of equals."""

from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.score import scores
from assets.shared.churn_features import FEATURES
from assets.shared.retention_model import RetentionModel

DAY = date(2020, 1, 1)


def _features(matrix: np.ndarray, ids: list[str], reasons: list[str | None] | None = None) -> pa.Table:
    reasons = reasons or [None] * len(ids)
    return pa.table({
        "as_of_date": pa.array([DAY] * len(ids), pa.date32()), "customer_id": ids,
        "is_eligible": [reason is None for reason in reasons],
        "ineligible_reason": pa.array(reasons, pa.string()), "is_active": [i % 2 == 0 for i in range(len(ids))],
        **{name: pa.array(matrix[:, j], from_pandas=True) for j, name in enumerate(FEATURES)},
    })


def _scored(features: pa.Table, model, params) -> dict[str, dict]:
    con = duckdb.connect()
    con.execute("create schema features")
    con.register("rows", features)
    con.execute("create table features.customer_features as select * from rows")
    assert scores.write_scores(con, DAY, model, params) == features.num_rows
    con.execute("select * from score.churn_scores")
    names = [column[0] for column in con.description]
    found = {row[names.index("customer_id")]: dict(zip(names, row, strict=True)) for row in con.fetchall()}
    assert len(found) == features.num_rows
    return found


@pytest.fixture(scope="module")
def model(trained):
    return RetentionModel(trained.card, trained.churn, trained.margin)


@pytest.fixture(scope="module")
def matrix(world):
    return world.matrix(120, np.random.default_rng(6))


@pytest.fixture(scope="module")
def ids():
    return [f"c{i}" for i in range(120)]


def test_columns_are_the_contract(world, model, matrix, ids):
    row = next(iter(_scored(_features(matrix, ids), model, world.params).values()))
    assert list(row) == [
        "as_of_date", "customer_id", "is_eligible", "ineligible_reason", "is_active", "churn_probability",
        "churn_percentile", "churn_band", "baseline_probability", "baseline_rule", "scored_by", "margin_if_retained",
        "predicted_margin", "value_at_risk", "reason_1", "reason_2", "reason_3", "reason_1_family", "reason_2_family",
        "reason_3_family", "model_version", "horizon_days",
    ]
    assert row["as_of_date"] == DAY
    assert row["scored_by"] == "model"
    assert row["model_version"] == model.model_id
    assert row["horizon_days"] == 30


def test_numbers_belong_together(world, model, matrix, ids):
    found = _scored(_features(matrix, ids), model, world.params)
    expected = dict(zip(ids, model.churn_probability(matrix), strict=True))
    for customer, row in found.items():
        p, margin = row["churn_probability"], row["margin_if_retained"]
        assert p == expected[customer]
        assert 0 < p < 1
        assert margin >= 0
        assert row["predicted_margin"] == pytest.approx((1 - p) * margin, abs=1e-5)
        assert row["value_at_risk"] == pytest.approx(p * row["predicted_margin"], abs=1e-5)
        assert "made no purchase in the next 30 days" in row["baseline_rule"]
        assert all(row[f"reason_{i}"] for i in (1, 2, 3))


def test_reasons_of_the_band_low_lead_with_staying(world, model, matrix, ids):
    rows = list(_scored(_features(matrix, ids), model, world.params).values())
    low = [row for row in rows if row["churn_band"] == "low"]
    assert low and len(low) < len(rows)
    for row in rows:
        texts = [row[f"reason_{i}"] for i in (1, 2, 3)]
        staying = [text.startswith("Speaks for staying: ") for text in texts]
        assert staying == sorted(staying, reverse=row["churn_band"] == "low") or any("Observed" in t for t in texts)
        marked = all(text.startswith(("Speaks for ", "Observed: ")) for text in texts)
        assert marked or row["churn_band"] != "low"
        assert row["churn_band"] == "low" or not any(text.startswith("Speaks for leaving") for text in texts)
    assert all(row["reason_1"].startswith("Speaks for staying: ") for row in low if row["churn_probability"] < 0.05)


def test_who_is_not_eligible_has_no_numbers_but_a_reason(world, model, matrix, ids):
    why = ["never_purchased", "lost", "too_little_history"] + [None] * 117
    blank = matrix.copy()
    blank[0] = np.nan
    found = _scored(_features(blank, ids, why), model, world.params)
    for customer in ("c0", "c1", "c2"):
        row = found[customer]
        assert {row[n] for n in ("churn_probability", "churn_percentile", "baseline_probability", "predicted_margin",
                                 "margin_if_retained", "value_at_risk", "baseline_rule", "reason_2")} == {None}
        assert row["churn_band"] == "not_scored"
        assert row["reason_1"].startswith("Not scored: ")
        assert row["reason_1_family"] == "not_scored"
    others = _scored(_features(blank[3:], ids[3:]), model, world.params)
    assert {c: r["churn_percentile"] for c, r in others.items()} == {
        c: r["churn_percentile"] for c, r in found.items() if r["is_eligible"]
    }


def test_another_naming_of_customers_permutes_the_scores_exactly(world, model, matrix, ids):
    def without_name(row):
        return {k: v for k, v in row.items() if k not in ("customer_id", "is_active")}

    order = np.random.default_rng(2).permutation(len(ids))
    found = _scored(_features(matrix, ids), model, world.params)
    permuted = _scored(_features(matrix[order], [f"x{i}" for i in order]), model, world.params)
    assert all(without_name(found[f"c{i}"]) == without_name(permuted[f"x{i}"]) for i in range(len(ids)))


def test_a_score_does_not_depend_on_who_is_scored_beside(world, model, matrix, ids, monkeypatch):
    whole = _scored(_features(matrix, ids), model, world.params)
    monkeypatch.setattr(scores, "BATCH_ROWS", 7)
    part = _scored(_features(matrix[5:40], ids[5:40]), model, world.params)
    for customer, row in part.items():
        for column in ("churn_probability", "margin_if_retained", "value_at_risk", "reason_1", "reason_2", "reason_3"):
            assert row[column] == whole[customer][column]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_percentiles_and_bands_with_ties(world, trained_by_rule, silences, seed):
    rule_model = RetentionModel(trained_by_rule.card)
    matrix = world.matrix(len(silences), np.random.default_rng(seed))
    matrix[:, FEATURES.index("days_since_last_order")] = silences
    rows = list(_scored(_features(matrix, [f"c{i}" for i in range(len(silences))]), rule_model, world.params).values())
    rows.sort(key=lambda row: (row["churn_probability"], row["churn_percentile"]))
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
            "low": (0, world.params.churn_band_medium_min),
            "medium": (world.params.churn_band_medium_min, world.params.churn_band_high_min),
            "high": (world.params.churn_band_high_min, world.params.churn_band_critical_min),
            "critical": (world.params.churn_band_critical_min, 1.01),
        }
        low, high = limits[row["churn_band"]]
        assert low <= p < high


def test_where_the_rule_scores_the_table_says_so(world, trained_by_rule, matrix, ids):
    found = _scored(_features(matrix, ids), RetentionModel(trained_by_rule.card), world.params)
    for row in found.values():
        assert row["scored_by"] == "rule"
        assert row["churn_probability"] == row["baseline_probability"]
        assert row["reason_1"].endswith(row["baseline_rule"])


def test_only_the_date_asked_for_is_scored(world, model, matrix, ids):
    con = duckdb.connect()
    con.execute("create schema features")
    con.register("rows", _features(matrix, ids))
    con.execute("create table features.customer_features as select * from rows")
    assert scores.write_scores(con, date(2020, 1, 2), model, world.params) == 0
    assert con.execute("select count(*) from score.churn_scores").fetchone() == (0,)
    assert scores.write_scores(con, DAY, model, world.params) == 120
