"""The monitor: it recalibrates or asks for a training by rule, says why, and a past date scores as it did then."""

import json
import logging
from dataclasses import replace
from datetime import date, timedelta

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.model import model_store
from assets.model.retention_model import RetentionModel, probability_of
from assets.shared.errors import UserError
from assets.shared.params import load_params
from assets.train import monitor, performance, slices
from assets.train.card_text import with_checks
from assets.train.check_days import check_day, due_check
from assets.train.keeper import ModelKeeper

DAY, CUTOFF = date(2020, 1, 8), date(2019, 12, 9)


@pytest.fixture(scope="module")
def model(trained):
    return RetentionModel(trained.card, trained.churn, trained.margin)


def _matured(world, model, n: int = 3000, shift: float = 0.0, ranks: bool = True, seed: int = 4):
    """Customers of whom the model is right, but for a shift of the base rate; or of whom it knows nothing."""
    rng = np.random.default_rng(seed)
    whole = world.snapshots(n_customers=n, seed=seed)
    rows = whole.where(whole.cutoff == whole.cutoff.max())
    p = probability_of(model.log_odds(rows.matrix) + shift)
    return replace(rows, is_churned=rng.random(len(rows)) < (p if ranks else np.full(len(rows), p.mean())))


def _check(world, model, rows):
    return monitor.check_model(model, rows, DAY, CUTOFF, world.params)


def test_a_model_that_is_right_is_kept(world, model):
    found = _check(world, model, _matured(world, model))
    assert (found.verdict, found.shift) == ("kept", 0.0)
    assert found.observed_low <= found.predicted_share <= found.observed_high


@pytest.mark.parametrize("shift", [0.7, -0.7])
def test_a_moved_base_rate_is_recalibrated_and_the_reason_has_the_numbers(world, model, shift):
    rows = _matured(world, model, shift=shift)
    found = _check(world, model, rows)
    assert found.verdict == "recalibrated"
    assert found.shift == pytest.approx(shift, abs=0.2)
    after = RetentionModel(model.card, model.churn, model.margin, found.shift, "x")
    assert after.churn_probability(rows.matrix).mean() == pytest.approx(rows.is_churned.mean(), abs=0.01)
    assert f"{100 * found.observed_share:.1f} %" in found.reason
    # The check is of the model as trained, whatever shift is active already.
    assert _check(world, after, rows) == found


def test_a_month_that_is_as_the_season_says_needs_no_recalibration(world, model):
    rows = _matured(world, model, shift=0.7)
    season = {"share": 1.0, "shifts": {CUTOFF.isoformat(): 0.7, DAY.isoformat(): 0.1}}
    seasonal = replace(model, card={**model.card, "season": season})
    assert _check(world, seasonal, rows).verdict == "kept"


def test_the_store_hands_out_a_model_with_the_season_of_the_day(tmp_path, trained):
    season = {"share": 1.0, "shifts": {"2020-01-01": 0.1, "2020-01-17": 0.5}}
    card = {**trained.card, "season": season, "model_id": "2020-01-01-0123abcd"}
    model_store.save_model(tmp_path, card, trained.churn, trained.margin, {})
    assert model_store.load_model(tmp_path, card["model_id"]).shift == 0.0
    assert model_store.load_model(tmp_path, card["model_id"], date(2020, 1, 9)).shift == pytest.approx(0.3)
    model_store.save_check(
        tmp_path,
        card["model_id"],
        {
            "checked_as_of": "2020-01-08",
            "shift": -0.2,
            "verdict": "recalibrated",
        },
    )
    later = model_store.load_model(tmp_path, card["model_id"], date(2020, 1, 9))
    assert later.shift == pytest.approx(0.1) and later.adjustment_id.endswith("+2020-01-08")


def test_the_card_tells_every_adjustment_once(tmp_path, trained):
    card = {**trained.card, "model_id": "2020-01-01-0123abcd"}
    model_store.save_model(tmp_path, card, trained.churn, trained.margin, trained.files)
    path = tmp_path / card["model_id"] / "card.md"
    as_trained = path.read_text()
    assert with_checks(as_trained, []) == as_trained
    for day, shift, verdict in (("2020-01-15", 0.0, "kept"), ("2020-01-08", -0.25, "recalibrated")):
        model_store.save_check(
            tmp_path,
            card["model_id"],
            {
                "checked_as_of": day,
                "shift": shift,
                "verdict": verdict,
                "reason": f"as seen {day}",
            },
        )
        found = model_store.checks(tmp_path, card["model_id"])
        model_store.save_words(tmp_path, card["model_id"], "card.md", with_checks(path.read_text(), found))
    text = path.read_text()
    assert text.startswith(as_trained.rstrip("\n"))
    told = text[len(as_trained.rstrip("\n")) :]
    assert told.count("as seen") == 2 and told.index("2020-01-08") < told.index("2020-01-15")
    assert "recalibrated** (adjustment 2020-01-01-0123abcd+2020-01-08, -0.250 on the log-odds)" in told
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".tmp")] == []
    assert model_store.load_model(tmp_path, card["model_id"], date(2020, 1, 9)).shift == -0.25


def test_a_model_that_ranks_no_more_is_due_for_training(world, model):
    found = _check(world, model, _matured(world, model, ranks=False))
    assert found.verdict == "retrain"
    assert found.auc_high < found.auc_promised
    assert "trains a new model" in found.reason


def _by_its_simple_member(world, model, name: str, seed: int = 4):
    """Customers who do what a simple candidate model says, but for its level."""
    whole = world.snapshots(n_customers=3000, seed=seed)
    rows = whole.where(whole.cutoff == whole.cutoff.max())
    said = model.simple[name].log_odds(rows.matrix)
    p = probability_of(said - said.mean())
    return replace(rows, is_churned=np.random.default_rng(seed).random(len(rows)) < p)


def test_a_simple_model_that_is_better_on_newly_matured_outcomes_scores_from_then_on(world, trained, tmp_path):
    simple = {"rfm_logit": replace(trained.simple["rfm_logit"], intercept=0.5), "mbg_nbd": trained.simple["mbg_nbd"]}
    model_id = model_store.save_model(tmp_path, trained.card, trained.churn, trained.margin, trained.files, simple).name
    model = model_store.load_model(tmp_path, model_id)
    rows = _by_its_simple_member(world, model, "rfm_logit")
    found = _check(world, model, rows)
    assert found.scoring_model == "rfm_logit" and found.verdict in ("replaced", "retrain")
    assert f"rfm_logit scores from {DAY} on" in found.reason and "for 3 compared" in found.reason
    # Its level is that of the newest outcomes, not that of the model it replaces.
    model_store.save_check(tmp_path, model_id, found.to_dict())
    then, now = (model_store.load_model(tmp_path, model_id, day) for day in (before_day(), DAY))
    assert (then.candidate_model, now.candidate_model) == (trained.churn.candidate_model, "rfm_logit")
    assert now.churn_probability(rows.matrix).mean() == pytest.approx(rows.is_churned.mean(), abs=0.02)
    assert now.shift == found.shift != 0
    # Found again of whoever scores now: a check is of the model as trained.
    assert _check(world, model_store.load_model(tmp_path, model_id), rows) == found
    checks = model_store.checks(tmp_path, model_id)
    as_trained, decision = (model_store.decision_on(trained.card, checks, day) for day in (before_day(), DAY))
    assert as_trained == trained.card["decision"]
    assert (decision["scored_by"], decision["candidate_model"]) == ("model", "rfm_logit")
    assert found.reason in decision["reason"] and as_trained["reason"] in decision["reason"]
    # The season of a day comes on top of its shift, as it does for the model.
    season = {"share": 1.0, "shifts": {CUTOFF.isoformat(): 0.7}}
    in_season = _check(world, replace(model, card={**model.card, "season": season}), rows)
    assert in_season.shift == pytest.approx(found.shift - 0.7, abs=0.05)
    # A later check that finds nothing gives the model its place back.
    later = {**found.to_dict(), "checked_as_of": "2020-01-15", "scoring_model": trained.churn.candidate_model}
    model_store.save_check(tmp_path, model_id, {**later, "shift": 0.0, "verdict": "kept"})
    again = model_store.load_model(tmp_path, model_id, date(2020, 1, 15))
    assert (again.candidate_model, again.shift) == (trained.churn.candidate_model, 0.0)


@pytest.mark.parametrize(
    ("n_active", "scoring"), [(199, "rfm_logit"), (200, None)], ids=["too few to compare", "enough"]
)
def test_a_check_that_compares_nothing_undoes_no_takeover(world, trained, tmp_path, n_active, scoring):
    """A model that is right on average is kept, whoever scores; but fewer than 200 active customers say nothing of who
    ranks better."""
    model_id = model_store.save_model(
        tmp_path, trained.card, trained.churn, trained.margin, trained.files, trained.simple
    ).name
    model = model_store.load_model(tmp_path, model_id)
    taken = _check(world, model, _by_its_simple_member(world, model, "rfm_logit"))
    model_store.save_check(tmp_path, model_id, taken.to_dict())
    rows = _matured(world, model)
    active = np.flatnonzero(rows.is_active)
    some = np.sort(np.concatenate([active[:n_active], np.flatnonzero(~rows.is_active)]))
    later = _check(world, model, rows.where(some))
    assert (later.verdict, later.is_compared) == ("kept", scoring is None)
    after = DAY + timedelta(7)
    model_store.save_check(tmp_path, model_id, {**later.to_dict(), "checked_as_of": after.isoformat()})
    now = model_store.load_model(tmp_path, model_id, after)
    assert now.candidate_model == (scoring or trained.churn.candidate_model)
    assert now.shift == (taken.shift if scoring else 0.0)
    applied = performance.monitor_rows(trained.card, model_store.checks(tmp_path, model_id), after)
    assert [row["is_applied"] for row in applied] == [bool(scoring), not scoring]


def test_the_tables_say_who_scores_after_a_check_and_why(trained):
    check = {"checked_as_of": DAY.isoformat(), "verdict": "replaced", "shift": 0.1, "reason": "it was better"}
    con = duckdb.connect()
    con.execute("create schema train")
    for name, scoring in (("rfm_logit", []), ("recency_rule", ["rule"])):
        checks = [{**check, "cutoff_date": CUTOFF.isoformat(), "scoring_model": name}]
        performance.write_performance(con, trained.card, checks, DAY)
        chosen = con.execute("select distinct candidate_model from train.model_selection where is_chosen").fetchall()
        assert chosen == [(name,)]
        reasons = con.execute("select distinct reason from train.model_selection").fetchall()
        assert len(reasons) == 1 and reasons[0][0].startswith("it was better. As trained: ")
        assert con.execute("select scoring_model, verdict from train.model_monitor").fetchall() == [(name, "replaced")]
        judged = con.execute("select distinct candidate_model from train.model_performance where is_scoring").fetchall()
        assert [row[0] for row in judged] == scoring
    performance.write_performance(con, trained.card, checks, before_day())
    assert con.execute("select count(*) from train.model_monitor").fetchone() == (0,)
    assert con.execute("select distinct candidate_model from train.model_performance where is_scoring").fetchall() == [
        ("model",)
    ]
    assert "**replaced**, recency_rule scores (adjustment" in with_checks("card", [{**checks[0], "adjustment_id": "x"}])


def test_the_rule_that_takes_over_scores_as_it_is(tmp_path, trained, world):
    model_id = model_store.save_model(tmp_path, trained.card, trained.churn, trained.margin, {}).name
    check = {"checked_as_of": DAY.isoformat(), "verdict": "replaced", "shift": 0.0, "reason": "it was better"}
    model_store.save_check(tmp_path, model_id, {**check, "scoring_model": "recency_rule"})
    model = model_store.load_model(tmp_path, model_id, DAY)
    assert (model.scored_by, model.candidate_model) == ("rule", "recency_rule")
    matrix = world.matrix(40, np.random.default_rng(1))
    assert np.array_equal(model.churn_probability(matrix), model.baseline_probability(matrix), equal_nan=True)


def test_few_outcomes_or_one_outcome_or_the_rule_change_nothing(world, model, trained_by_rule):
    few = _matured(world, model, n=60, shift=2.0)
    assert _check(world, model, few).verdict == "too few to judge"
    rows = _matured(world, model)
    assert _check(world, model, replace(rows, is_churned=np.zeros(len(rows), bool))).verdict == "too few to judge"
    assert _check(world, RetentionModel(trained_by_rule.card), rows).shift == 0.0


def test_bounds_are_parameters(world, model):
    rows = _matured(world, model, shift=0.7)
    wide = world.params.model_copy(update={"monitor_max_gap": 1.0})
    assert monitor.check_model(model, rows, DAY, CUTOFF, wide).verdict == "kept"


@given(st.integers(0, 400), st.integers(1, 31))
def test_check_days_do_not_depend_on_which_nights_ran(age, every):
    trained = date(2020, 1, 1)
    day = check_day(trained, trained + timedelta(age), every)
    if age < every:
        assert day is None
    else:
        assert (day - trained).days % every == 0
        assert 0 <= (trained + timedelta(age) - day).days < every


def test_a_past_date_scores_with_what_was_in_force_then(tmp_path, trained, world):
    model_id = model_store.save_model(tmp_path, trained.card, trained.churn, trained.margin, trained.files).name
    plain = model_store.load_model(tmp_path, model_id, DAY)
    assert due_check(tmp_path, model_id, DAY, world.params).cutoff == CUTOFF
    rows = _matured(world, plain, shift=0.7)
    found = _check(world, plain, rows)
    identity = model_store.save_check(tmp_path, model_id, found.to_dict())
    assert due_check(tmp_path, model_id, DAY, world.params) is None
    assert due_check(tmp_path, model_id, DAY + timedelta(6), world.params) is None
    assert due_check(tmp_path, model_id, DAY + timedelta(7), world.params).day == DAY + timedelta(7)
    before = model_store.load_model(tmp_path, model_id, DAY - timedelta(1))
    on_the_day = model_store.load_model(tmp_path, model_id, DAY)
    assert (before.shift, before.adjustment_id) == (0.0, None)
    assert (on_the_day.shift, on_the_day.adjustment_id) == (found.shift, identity)
    assert identity == f"{model_id}+2020-01-08"
    matrix = rows.matrix[:50]
    assert on_the_day.log_odds(matrix) == pytest.approx(before.log_odds(matrix) + found.shift)
    table = performance.monitor_rows(trained.card, model_store.checks(tmp_path, model_id), DAY)
    assert [(r["adjustment_id"], r["is_applied"]) for r in table] == [(identity, True)]
    assert performance.monitor_rows(trained.card, model_store.checks(tmp_path, model_id), before_day()) == []
    (tmp_path / model_id / "checks" / "2020-01-08.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        model_store.load_model(tmp_path, model_id, DAY)


def before_day() -> date:
    return DAY - timedelta(1)


def test_a_model_found_wanting_is_trained_anew_the_next_night(tmp_path):
    mark = "0123abcd"
    model_id = f"2020-01-01-{mark}"
    model_store.save_model(tmp_path, {"model_id": model_id, "decision": {"scored_by": "rule"}}, None, None, {})
    check = {"checked_as_of": "2020-01-08", "verdict": "retrain", "shift": 0.0}
    model_store.save_check(tmp_path, model_id, check)
    january, february = date(2020, 1, 1), date(2020, 2, 1)
    assert model_store.due_for_training(tmp_path, date(2020, 1, 8), mark, january) is None
    assert model_store.due_for_training(tmp_path, date(2020, 1, 9), mark, january) == date(2020, 1, 9)
    assert model_store.due_for_training(tmp_path, date(2020, 1, 9), mark, date(2020, 1, 2)) == date(2020, 1, 2)
    assert model_store.due_for_training(tmp_path, date(2020, 2, 3), mark, february) == february
    assert model_store.due_for_training(tmp_path, date(2020, 1, 5), mark, january, retrain=True) == date(2020, 1, 5)
    model_store.save_check(tmp_path, model_id, {**check, "checked_as_of": "2020-01-15", "verdict": "kept"})
    assert model_store.due_for_training(tmp_path, date(2020, 1, 16), mark, january) is None
    assert json.loads((tmp_path / model_id / "checks" / "2020-01-15.json").read_text())["verdict"] == "kept"


def test_an_older_model_reigns_on_where_a_month_has_none(tmp_path):
    for day in ("2019-11-01", "2019-12-01"):
        card = {"model_id": f"{day}-0123abcd", "decision": {"scored_by": "rule"}}
        model_store.save_model(tmp_path, card, None, None, {})
    assert model_store.active_model(tmp_path, date(2020, 1, 9), "0123abcd") == "2019-12-01-0123abcd"
    assert model_store.active_model(tmp_path, date(2019, 11, 9), "0123abcd") == "2019-11-01-0123abcd"
    assert model_store.active_model(tmp_path, date(2020, 1, 9), "ffffffff") is None


def test_reliability_by_slice_counts_active_customers_once_a_kind(world, model):
    rows = world.snapshots(n_customers=400)
    rows = replace(rows, region=np.where(np.arange(len(rows)) % 3 == 0, "north", "south"))
    p = model.churn_probability(rows.matrix)
    found = slices.reliability_by_slice([(CUTOFF, rows, p)], world.params)
    assert {r["slice_kind"] for r in found} == {"value_class", "tenure", "region"}
    for kind in ("region", "value_class"):
        assert sum(r["n"] for r in found if r["slice_kind"] == kind) == rows.is_active.sum()
    north = next(r for r in found if r["slice_value"] == "north")
    inside = rows.is_active & (rows.region == "north")
    assert north["observed_share"] == pytest.approx(rows.is_churned[inside].mean())
    assert north["low"] <= north["observed_share"] <= north["high"]


@given(st.lists(st.integers(-5, 50), min_size=1, max_size=40))
def test_equal_margins_share_a_class_and_whoever_pays_all_is_a(margins):
    margins = np.array(margins, dtype=float)
    found = slices.value_class(margins, 0.8, 0.95)
    assert all(len(set(found[margins == m])) == 1 for m in set(margins.tolist()))
    if margins.max() > 0:
        assert (found[margins == margins.max()] == "A").all()
    assert (found[margins <= 0] == "C").all()


def test_a_training_that_fails_leaves_the_champion_in_place(tmp_path, monkeypatch):
    keeper = ModelKeeper(tmp_path, load_params(), ("toy",), logging.getLogger("test"))
    mark = keeper.mark

    def fail(*_):
        raise MemoryError("no room")

    def run(asked_for: bool) -> str:
        return keeper.train_or_keep(duckdb.connect(), date(2020, 2, 1), date(2020, 2, 5), asked_for)

    monkeypatch.setattr(ModelKeeper, "train", fail)
    with pytest.raises(MemoryError):  # nobody is active yet
        run(asked_for=False)
    card = {"model_id": f"2020-01-01-{mark}", "decision": {"scored_by": "rule"}}
    folder = model_store.save_model(tmp_path, card, None, None, {})
    before = sorted((path.name, path.read_bytes()) for path in folder.iterdir())
    assert run(asked_for=False) == card["model_id"]
    with pytest.raises(MemoryError):
        run(asked_for=True)
    assert model_store.list_models(tmp_path) == [card["model_id"]]
    assert sorted((path.name, path.read_bytes()) for path in folder.iterdir()) == before
    assert model_store.active_model(tmp_path, date(2020, 2, 5), mark) == card["model_id"]
    # The next night tries again.
    assert model_store.due_for_training(tmp_path, date(2020, 2, 6), mark, date(2020, 2, 1)) == date(2020, 2, 1)


def test_slices_begin_where_they_say():
    found = slices.tenure_band(np.array([0, 89, 90, 364, 365, np.nan]))
    assert found.tolist() == ["first 3 months", "first 3 months", "first year", "first year", "over a year", "unknown"]
    assert slices.value_class(np.array([800, 150, 50]), 0.8, 0.95).tolist() == ["A", "B", "C"]
    assert slices.value_class(np.array([799, 150, 50, 1]), 0.8, 0.95).tolist() == ["A", "A", "B", "C"]


@pytest.mark.parametrize(("n_north", "is_shown"), [(19, False), (20, True)])
def test_a_slice_of_twenty_customers_is_shown_and_a_smaller_one_not(world, n_north, is_shown):
    rows = world.snapshots(n_customers=200)
    rows = replace(rows, is_active=np.ones(len(rows), bool), region=np.where(np.arange(len(rows)) < n_north, "n", "s"))
    found = slices.reliability_by_slice([(CUTOFF, rows, np.full(len(rows), 0.3))], world.params)
    assert ("n" in {r["slice_value"] for r in found if r["slice_kind"] == "region"}) == is_shown
