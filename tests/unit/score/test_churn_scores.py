"""The tables of numbers: a row a customer, honest nulls, equal treatment of equals, whole or not at all."""

import math
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored_world import DAY, features_table, numbers_of, score, warehouse
from small_models import customers, model_of

from assets.model.churn_features import FEATURES
from assets.score import scores
from assets.shared.errors import UserError
from assets.shared.params import load_params


def scored(features, model, params) -> dict[str, dict]:
    con = warehouse(features)
    assert score(con, model, params) == features.num_rows
    found = numbers_of(con)
    assert len(found) == features.num_rows
    return found


def tables_of(con: duckdb.DuckDBPyConnection) -> dict[str, list]:
    """Every table of stage score."""
    names = con.execute("select table_name from duckdb_tables() where schema_name = 'score'").fetchall()
    return {name: con.execute(f"select * from score.{name} order by all").fetchall() for (name,) in names}


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


def test_what_a_bank_earns_a_day_is_kept_by_who_stays_and_lost_by_who_leaves(params, model, matrix, ids):
    table = features_table(matrix, ids)
    paid = table.set_column(table.column_names.index("income_a_day"), "income_a_day", pa.array([2.0] * len(ids)))
    shop, bank = scored(table, model, params), scored(paid, model, params)
    horizon = model.horizon_days
    for customer, row in bank.items():
        before = shop[customer]
        assert row["churn_probability"] == before["churn_probability"]
        assert row["margin_if_retained"] == pytest.approx(before["margin_if_retained"] + 2 * horizon, abs=0.01)
        assert row["value_at_risk"] == pytest.approx(
            before["value_at_risk"] + row["churn_probability"] * 2 * horizon, abs=0.02
        )


def test_columns_are_the_contract(params, model, matrix, ids):
    row = next(iter(scored(features_table(matrix, ids), model, params).values()))
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
        "scored_by",
        "scoring_model",
        "margin_if_retained",
        "predicted_margin",
        "value_at_risk",
        "persuadable_margin",
        "model_log_odds",
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
        assert row["value_at_risk"] == pytest.approx(p * margin, abs=1e-5)
        assert row["persuadable_margin"] == pytest.approx(p * (1 - p) * margin, abs=1e-5)


def test_who_is_not_eligible_has_no_numbers(params, model, matrix, ids):
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
            "persuadable_margin",
            "margin_if_retained",
            "model_log_odds",
        )
        assert {row[name] for name in empty} == {None}
        assert row["churn_band"] == "not_scored"
    others = scored(features_table(blank[3:], ids[3:]), model, params)
    assert {c: r["churn_percentile"] for c, r in others.items()} == {
        c: r["churn_percentile"] for c, r in found.items() if r["is_eligible"]
    }


def test_a_business_without_a_customer_to_score_has_a_table_all_the_same(params, model, matrix, ids):
    found = scored(features_table(matrix[:3], ids[:3], ["lost"] * 3), model, params)
    assert {row["churn_band"] for row in found.values()} == {"not_scored"}
    con = warehouse(features_table(matrix[:0], []))
    assert score(con, model, params) == 0


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
        ):
            assert row[column] == whole[customer][column]
        # Not published, and so not rounded: the last bits of a sum are those of its batch.
        assert row["model_log_odds"] == pytest.approx(whole[customer]["model_log_odds"], abs=1e-12)


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
    rates = [limits[0] - 1e-9, *limits]
    steps = [{"from_days": 10 * i + 1, "rate": p, "n_customers": 100, "n_churned": 1} for i, p in enumerate(rates)]
    matrix = customers(4, seed=1)
    matrix[:, FEATURES.index("days_since_last_order")] = [5, 15, 25, 35]
    model = model_of("rule", rule={"horizon_days": 30, "steps": steps})
    found = scored(features_table(matrix, ["a", "b", "c", "d"]), model, params)
    assert [found[name]["churn_probability"] for name in "abcd"] == rates
    assert [found[name]["churn_band"] for name in "abcd"] == ["low", "medium", "high", "critical"]


def test_where_the_rule_scores_the_table_says_so(params, matrix, ids):
    for row in scored(features_table(matrix, ids), model_of("rule"), params).values():
        assert (row["scored_by"], row["scoring_model"]) == ("rule", "recency_rule")
        assert row["churn_probability"] == row["baseline_probability"]
        assert row["model_log_odds"] is None


def test_only_the_date_asked_for_is_scored(params, model, matrix, ids):
    con = warehouse(features_table(matrix, ids))
    assert score(con, model, params, date(2020, 1, 2)) == 0
    assert con.execute("select count(*) from score.churn_scores").fetchall() == [(0,)]
    assert score(con, model, params) == 120


def test_a_failure_half_way_leaves_the_table_of_before(params, model, matrix, ids, monkeypatch):
    con = warehouse(features_table(matrix, ids))
    score(con, model, params)
    before = tables_of(con)
    monkeypatch.setattr(scores, "BATCH_ROWS", 50)
    real, calls = scores.score_batch, []

    def fails_late(batch, *others):
        calls.append(batch.num_rows)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return real(batch, *others)

    monkeypatch.setattr(scores, "score_batch", fails_late)
    with pytest.raises(RuntimeError):
        score(con, model_of("rule"), params)
    assert len(calls) == 2
    assert tables_of(con) == before


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
    con = warehouse(features_table(matrix, ids))
    con.execute(statement)
    with pytest.raises(UserError) as refused:
        score(con, model, params)
    assert words in refused.value.what and model.model_id in refused.value.what
    assert "holdfast retrain" in refused.value.remedy
    assert not con.execute("select 1 from duckdb_tables() where schema_name = 'score'").fetchall()


def test_types_frozen_with_the_model_are_what_counts(params, matrix, ids):
    model = model_of("average", feature_types={"n_orders": "BIGINT"})
    with pytest.raises(UserError, match=r"n_orders is DOUBLE \(expected BIGINT\)"):
        score(warehouse(features_table(matrix, ids)), model, params)


def test_a_feature_that_nobody_has_any_more_is_refused(params, model):
    matrix = customers(400, seed=2)
    matrix[:, FEATURES.index("return_share")] = np.nan
    names = [f"c{i}" for i in range(400)]
    with pytest.raises(UserError, match="return_share has no value for any of 400 eligible customers"):
        score(warehouse(features_table(matrix, names)), model, params)
    # A handful of customers may all lack something, and features that were always empty stay so.
    few = features_table(matrix[:50], names[:50])
    assert score(warehouse(few), model, params) == 50


def test_nothing_is_guessed_of_who_refuses_to_be_profiled(params, model, matrix, ids):
    con = warehouse(features_table(matrix, ids, ["refuses_profiling", "lost", *[None] * (len(ids) - 2)]))
    score(con, model, params)
    guesses = con.execute(
        f"select * exclude (as_of_date, customer_id, value_basis, value_label_days) from score.expected_value"
        f" where customer_id in ('{ids[0]}', '{ids[1]}') order by customer_id = '{ids[1]}'"
    ).fetchall()
    assert set(guesses[0]) == {None}
    assert sum(value is not None for value in guesses[1]) == 2, "how late somebody is who was lost"


@pytest.mark.parametrize("kind", ["average", "mbg_nbd"])
def test_the_models_log_odds_and_the_shift_of_the_day_are_the_probability(params, matrix, ids, kind):
    shifted, plain = (scored(features_table(matrix, ids), model_of(kind, shift=by), params) for by in (0.4, 0.0))
    for customer, row in shifted.items():
        assert row["model_log_odds"] == plain[customer]["model_log_odds"], "it does not move with the day"
        p = 1 / (1 + math.exp(-(row["model_log_odds"] + 0.4)))
        assert row["churn_probability"] == pytest.approx(p, abs=1e-9) and row["calibration_shift"] == 0.4


def test_both_tables_come_from_one_pass(params, model, matrix, ids, monkeypatch):
    """Each customer is read once, and the churn model is asked once."""
    asked = []
    real = type(model).unshifted_log_odds

    def counted(self, rows):
        asked.append(len(rows))
        return real(self, rows)

    monkeypatch.setattr(type(model), "unshifted_log_odds", counted)
    monkeypatch.setattr(scores, "BATCH_ROWS", 50)
    con = warehouse(features_table(matrix, ids, ["lost"] * 20 + [None] * 100))
    score(con, model, params)
    assert sum(asked) == 100
    value = dict(con.execute("select customer_id, expected_margin_horizon from score.expected_value").fetchall())
    for customer, row in numbers_of(con).items():
        expected = row["predicted_margin"]
        assert value[customer] == (None if expected is None else pytest.approx(expected, abs=1e-6))
    assert not con.execute("select 1 from duckdb_tables() where temporary").fetchall(), "nothing is left behind"


def test_the_value_table_says_what_a_year_rests_on(params, model, matrix, ids):
    con = warehouse(features_table(matrix, ids, ["lost"] * 3 + [None] * 117))
    for _ in range(2):  # a second run replaces
        score(con, model, params)
        assert con.execute(
            "select value_basis, value_label_days, count(*), count(expected_margin_year), count(overdue_ratio),"
            " min(as_of_date), max(as_of_date) from score.expected_value group by all order by all"
        ).fetchall() == [("labels", 365, 117, 117, 117, DAY, DAY), (None, None, 3, 0, 3, DAY, DAY)]
        assert con.execute(
            "select bool_and((expected_next_order_on is not null) = coalesce(churn_probability < 0.5, false)),"
            " count(expected_next_order_on) from score.expected_value inner join score.churn_scores using (customer_id)"
        ).fetchall()[0][0]


@given(st.lists(st.sampled_from([0.1, 0.2, 0.25, 0.5, 0.75, 0.9, 1.0]), max_size=60))
def test_steps_of_percentiles_are_the_percentiles(probabilities):
    ordered = np.sort(np.array(probabilities, dtype=float))
    steps = scores.percentile_steps(ordered).to_pylist()
    found = [max(s["churn_percentile"] for s in steps if p >= s["from_probability"]) for p in ordered]
    assert found == scores.percentiles(ordered, ordered).tolist()
    assert len(steps) <= 100
