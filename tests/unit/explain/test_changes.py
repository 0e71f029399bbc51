"""Why a score changed: parts that add up to the change, found from what was published before the date."""

from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
from scored_world import DAY, explain, features_table, rows_of, score, warehouse
from small_models import customers, model_of

from assets.explain import change_words, earlier
from assets.explain.explainer import GROUPS
from assets.model.churn_features import FEATURES
from assets.shared import published_history
from assets.shared.errors import UserError
from assets.shared.params import load_params
from assets.shared.settings import Settings
from tests.published_set import publish_tables

YESTERDAY = DAY - timedelta(days=1)
PARTS = ("change_from_data", "change_from_definition", "change_from_model", "change_from_recalibration")
IDS = [f"c{i}" for i in range(60)]
OLD_ID = "2019-12-01-bbbbbbbb"


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path, sources=("toy",))


@pytest.fixture
def params():
    return load_params()


@pytest.fixture
def matrix():
    return customers(60, seed=4)


def publish(settings: Settings, con: duckdb.DuckDBPyConnection, day: date, select: str = "*") -> None:
    """Publish the scores with their reasons as of `day`."""
    sql = f"select {select} from score.churn_scores left join explain.score_reasons using (as_of_date, customer_id)"
    publish_tables(settings, day, {"churn_scores": sql}, con)


def night(settings, matrix, model, params, why=None, ids=IDS) -> dict[str, dict]:
    """The scores of DAY, compared with what was published before."""
    con = warehouse(features_table(matrix, ids, why))
    score(con, model, params)
    explain(con, model, params, earlier.read_earlier(con, settings, DAY, model))
    return rows_of(con)


def published(settings, matrix, model, params, day=YESTERDAY, why=None, ids=IDS, select="*") -> dict[str, dict]:
    con = warehouse(features_table(matrix, ids, why))
    score(con, model, params)
    explain(con, model, params)
    publish(settings, con, day, select)
    return rows_of(con)


def keep_in_store(monkeypatch, *models) -> None:
    by_id = {model.model_id: model for model in models}

    def load(store, model_id, as_of=None):
        if model_id not in by_id:
            raise UserError(f"there is no model {model_id}", "train it")
        return by_id[model_id]

    monkeypatch.setattr(earlier.model_store, "load_model", load)


def assert_adds_up(rows) -> None:
    for row in rows.values():
        if row["probability_change"] is None:
            assert {row[part] for part in PARTS} == {None}
            continue
        assert row["probability_change"] == pytest.approx(
            row["churn_probability"] - row["previous_probability"], abs=2e-9
        )
        assert row["probability_change"] == pytest.approx(sum(row[part] for part in PARTS), abs=5e-9)


def test_a_first_run_says_so(settings, matrix, params):
    rows = night(settings, matrix, model_of("average"), params)
    assert {row["change_reason"] for row in rows.values()} == {"First published score"}
    assert {row["change_reason_zh"] for row in rows.values()} == {"首次发布评分"}
    assert {row["previous_as_of_date"] for row in rows.values()} == {None}
    assert {row["probability_change"] for row in rows.values()} == {None}


def test_with_the_same_model_all_change_is_data_and_the_family_that_moved_is_named(settings, matrix, params):
    model = model_of("average")
    then = published(settings, matrix, model, params)
    later = matrix.copy()
    silent = [FEATURES.index(f) for f in ("days_since_last_order", "recency_over_gap_median")]
    later[:20, silent] = later[:20, silent] * 8 + 40
    rows = night(settings, later, model, params)
    assert_adds_up(rows)
    moved = [row for row in rows.values() if abs(row["probability_change"]) >= 0.005]
    assert moved and {row["customer_id"] for row in moved} <= set(IDS[:20])
    for customer, row in rows.items():
        assert row["previous_as_of_date"] == YESTERDAY
        assert row["previous_probability"] == then[customer]["churn_probability"]
        assert row["change_from_data"] == row["probability_change"]
        before = f"({round(100 * row['previous_probability'])} % then)"
        if row in moved:
            points = round(100 * row["probability_change"])
            assert row["change_reason"] == (
                f"{'Up' if points > 0 else 'Down'} {abs(points)} point{'s' * (abs(points) != 1)} since {YESTERDAY} "
                f"{before}: own data {points:+d} (mostly time since the last purchase)".replace("-", "−").replace(
                    str(YESTERDAY).replace("-", "−"), str(YESTERDAY)
                )
            )
            assert row["change_reason_zh"].startswith(f"较 {YESTERDAY} {'上升' if points > 0 else '下降'}")
            assert "主要为距上次购买的时间" in row["change_reason_zh"]
        else:
            assert row["change_reason"] == f"Unchanged since {YESTERDAY} {before}"
            assert row["change_reason_zh"].startswith(f"自 {YESTERDAY} 以来无变化")


def test_a_recalibration_alone_is_told_as_one(settings, matrix, params):
    published(settings, matrix, model_of("average"), params)
    rows = night(settings, matrix, model_of("average", shift=0.5), params)
    assert_adds_up(rows)
    for row in rows.values():
        assert row["change_from_recalibration"] == row["probability_change"] > 0
        assert row["change_from_data"] == row["change_from_model"] == 0
        assert "recalibration or season +" in row["change_reason"] or row["probability_change"] < 0.005
    assert any("重新校准或季节 +" in row["change_reason_zh"] for row in rows.values())


def test_a_recalibration_that_was_in_force_then_is_no_change(settings, matrix, params):
    model = model_of("average", shift=0.5)
    published(settings, matrix, model, params)
    rows = night(settings, matrix, model, params)
    assert {row["probability_change"] for row in rows.values()} == {0}
    assert {row["change_from_recalibration"] for row in rows.values()} == {0}


def test_a_new_model_on_new_data_is_split_between_both(settings, matrix, params, monkeypatch):
    old, new = model_of("average", seed=2, model_id=OLD_ID, shift=0.2), model_of("trees", seed=1, shift=-0.3)
    keep_in_store(monkeypatch, model_of("average", seed=2, model_id=OLD_ID))
    published(settings, matrix, old, params)
    later = customers(60, seed=5)
    rows = night(settings, later, new, params)
    assert_adds_up(rows)
    old_now, new_now = old.churn_probability(later), new.churn_probability(later)
    uncorrected = model_of("trees", seed=1).churn_probability(later)
    before = old.churn_probability(matrix)
    for i, customer in enumerate(IDS):
        row = rows[customer]
        assert row["change_from_data"] == pytest.approx(old_now[i] - before[i], abs=2e-9)
        assert row["change_from_model"] == pytest.approx(uncorrected[i] - old_now[i], abs=2e-9)
        assert row["change_from_recalibration"] == pytest.approx(new_now[i] - uncorrected[i], abs=2e-9)
        assert row["change_from_definition"] == 0
    texts = " ".join(row["change_reason"] for row in rows.values())
    assert "new model" in texts and "own data" in texts and "definition" not in texts


@pytest.mark.parametrize(
    "other",
    [
        {"horizon_days": 60},
        {"parameters": {"value_margin_share": 0.25, "churn_min_tenure_days": 5}},
    ],
)
def test_another_question_is_a_change_of_definition(settings, matrix, params, monkeypatch, other):
    old = model_of("average", model_id=OLD_ID, **other)
    keep_in_store(monkeypatch, old)
    published(settings, matrix, old, params)
    rows = night(settings, matrix, model_of("linear"), params)
    assert_adds_up(rows)
    assert {row["change_from_model"] for row in rows.values()} == {0}
    assert any("definition " in row["change_reason"] for row in rows.values())
    assert any("定义变更" in row["change_reason_zh"] for row in rows.values())


def test_from_the_rule_to_a_model_is_a_change_of_model(settings, matrix, params, monkeypatch):
    keep_in_store(monkeypatch, model_of("rule", model_id=OLD_ID))
    published(settings, matrix, model_of("rule", model_id=OLD_ID), params)
    rows = night(settings, matrix, model_of("average"), params)
    assert_adds_up(rows)
    assert all(row["change_from_data"] == 0 for row in rows.values())
    assert any(row["change_from_model"] != 0 for row in rows.values())


def test_a_simple_model_that_takes_over_is_a_change_of_model(settings, matrix, params, monkeypatch):
    """Of the same training: its version is the same, yet another model scored then."""
    before = model_of("average", seed=2)
    keep_in_store(monkeypatch, before)
    published(settings, matrix, before, params)
    now = model_of("linear")
    rows = night(settings, matrix, now, params)
    assert_adds_up(rows)
    replaced = now.churn_probability(matrix) - before.churn_probability(matrix)
    for i, customer in enumerate(IDS):
        assert rows[customer]["change_from_data"] == 0
        assert rows[customer]["change_from_model"] == pytest.approx(replaced[i], abs=2e-9)


def test_a_model_that_is_gone_leaves_the_change_whole(settings, matrix, params, monkeypatch):
    keep_in_store(monkeypatch)
    published(settings, matrix, model_of("average", seed=2, model_id=OLD_ID), params)
    rows = night(settings, matrix, model_of("average"), params)
    for row in rows.values():
        assert row["probability_change"] is not None
        assert {row[part] for part in PARTS} == {None}
        assert abs(row["probability_change"]) < 0.005 or "no longer in the store" in row["change_reason"]


def test_an_old_model_whose_features_are_gone_cannot_split(settings, matrix, params, monkeypatch):
    old = model_of("average", seed=2, model_id=OLD_ID, features=[*FEATURES, "visits_30d"], typical={})
    keep_in_store(monkeypatch, old)
    published(settings, matrix, model_of("average", seed=2, model_id=OLD_ID), params)
    rows = night(settings, matrix, model_of("average"), params)
    assert {row["change_from_data"] for row in rows.values()} == {None}


def test_who_had_no_score_then_is_told_so(settings, matrix, params):
    model = model_of("average")
    published(settings, matrix[:59], model, params, why=["too_little_history"] + [None] * 58, ids=IDS[:59])
    rows = night(settings, matrix, model, params, why=[None] * 58 + ["lost"] + [None])
    assert rows["c0"]["change_reason"] == f"Not scored on {YESTERDAY}"
    assert rows["c59"]["change_reason"] == f"Not yet a customer on {YESTERDAY}"
    assert rows["c0"]["previous_probability"] is None and rows["c0"]["probability_change"] is None
    assert rows["c58"]["change_reason"] is None, "who has no score has no change of it"
    assert rows["c59"]["previous_as_of_date"] == YESTERDAY


def test_a_date_is_compared_with_the_newest_published_before_it_whatever_came_after(settings, matrix, params):
    model = model_of("average")
    published(settings, customers(60, seed=9), model, params, day=DAY - timedelta(days=9))
    then = published(settings, matrix, model, params, day=DAY - timedelta(days=3))
    first = night(settings, matrix, model, params)
    published(settings, customers(60, seed=8), model, params, day=DAY)
    published(settings, customers(60, seed=7), model, params, day=DAY + timedelta(days=1))
    again = night(settings, matrix, model, params)
    assert again == first
    assert first["c1"]["previous_as_of_date"] == DAY - timedelta(days=3)
    assert first["c1"]["previous_probability"] == then["c1"]["churn_probability"]


def test_files_published_before_contributions_were_are_read(settings, matrix, params):
    model = model_of("average")
    published(settings, matrix, model, params, select="customer_id, churn_probability, model_version, as_of_date")
    later = matrix.copy()
    later[:, FEATURES.index("days_since_last_order")] *= 9
    rows = night(settings, later, model, params)
    assert_adds_up(rows)
    assert any("own data" in row["change_reason"] for row in rows.values())
    assert not any("mostly" in row["change_reason"] for row in rows.values())


def test_customers_beyond_the_list_have_numbers_but_no_words(settings, matrix):
    params = load_params({"explain_all_up_to": 10, "explain_top_share": 0.1})
    model = model_of("average")
    published(settings, matrix, model, params)
    rows = night(settings, customers(60, seed=5), model, params)
    assert_adds_up(rows)
    for row in rows.values():
        assert row["probability_change"] is not None
        assert (row["change_reason"] is not None) == row["is_explained"]


def test_a_moved_home_finds_its_history(settings, matrix, params, tmp_path):
    home = tmp_path / "here"
    here = Settings(home=home, sources=("toy",))
    published(here, matrix, model_of("average"), params)
    home.rename(tmp_path / "there")
    there = Settings(home=tmp_path / "there", sources=("toy",))
    found = published_history.newest_before(there, "churn_scores", DAY)
    assert found is not None and found[0] == YESTERDAY and found[1].is_file()
    assert published_history.newest_before(there, "churn_scores", YESTERDAY) is None
    assert published_history.newest_before(there, "customer_360", DAY) is None


def test_a_published_set_that_lost_a_file_says_what_to_do(settings, matrix, params):
    published(settings, matrix, model_of("average"), params)
    _, path = published_history.newest_before(settings, "churn_scores", DAY)
    path.unlink()
    with pytest.raises(UserError, match="is not there") as refused:
        published_history.newest_before(settings, "churn_scores", DAY)
    assert "restore" in refused.value.remedy
    contents = settings.published_db.resolve().with_name("set.json")
    contents.write_text("{}")
    with pytest.raises(UserError, match="cannot be read") as refused:
        published_history.newest_before(settings, "churn_scores", DAY)
    assert str(contents) in refused.value.what
    contents.unlink()
    with pytest.raises(UserError, match="it is not one of the sets"):
        published_history.newest_before(settings, "churn_scores", DAY)


def test_the_families_named_are_those_that_moved_most_the_same_way():
    shifts = np.zeros((3, len(GROUPS)))
    silence, money, trend = (GROUPS.index(family) for family in ("silence", "money", "trend"))
    shifts[0, [silence, trend, money]] = [0.5, 0.4, -2.0]
    shifts[1, [silence, trend]] = [0.5, 0.1]
    shifts[2] = np.nan
    found = change_words._movers(shifts, np.array([0.1, 0.1, 0.1]))
    assert found.tolist() == [[silence + 1, trend + 1], [silence + 1, 0], [0, 0]]


def test_a_family_is_named_from_a_fiftieth_of_log_odds_on():
    shifts = np.zeros((2, len(GROUPS)))
    shifts[:, 0] = [0.02, 0.0199]
    assert change_words._movers(shifts, np.ones(2)).tolist() == [[1, 0], [0, 0]]


def test_a_second_family_is_named_from_a_third_of_what_the_first_moved_on():
    shifts = np.zeros((2, len(GROUPS)))
    shifts[:, 0], shifts[:, 1] = 0.75, [0.25, 0.2499]
    assert change_words._movers(shifts, np.ones(2)).tolist() == [[1, 2], [1, 0]]


def test_a_change_that_would_be_written_as_no_point_is_none():
    change = np.array([0.0051, 0.005, -0.0051, -0.005])
    parts = dict.fromkeys(PARTS, np.full(4, np.nan)) | {
        "previous_probability": np.full(4, 0.3),
        "probability_change": change,
    }
    then = earlier.Earlier(YESTERDAY, Path("scores"), frozenset(), "model", None, None)
    found = change_words.describe_changes(then, parts, np.ones(4, bool), None)["en"].to_pylist()
    assert [sentence.split()[0] for sentence in found] == ["Up", "Unchanged", "Down", "Unchanged"]


def test_earlier_scores_are_those_of_the_customers_of_now(tmp_path):
    """Of ids that became one the one that stayed speaks, else the first."""
    path = tmp_path / "scores.parquet"
    with duckdb.connect() as con:
        con.execute(
            f"""
            create schema identity; create schema ingest;
            create table identity.id_changes as from (values
                ('old', 'new', true), ('a', 'stayed', true), ('z', 'two', true), ('b', 'two', false)
            ) as changes(old_customer_id, customer_id, is_first_id);
            copy (from (values
                ('old', 0.1), ('a', 0.2), ('stayed', 0.3), ('b', 0.4), ('z', 0.5), ('other', 0.6)
            ) as scores(customer_id, churn_probability)) to '{path}'
            """
        )
        then = earlier.Earlier(YESTERDAY, path, frozenset({"customer_id", "churn_probability"}), "model", None, None)
        rows = con.execute(
            f"select customer_id, previous_probability from ({then.select()}) order by 1", {"earlier": str(path)}
        ).fetchall()
    assert [(who, float(p)) for who, p in rows] == [("new", 0.1), ("other", 0.6), ("stayed", 0.3), ("two", 0.5)]
