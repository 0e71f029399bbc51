"""Training as a whole: who scores and why, what the card says, and that nothing depends on names or order."""

import json
from dataclasses import replace
from datetime import date

import duckdb
import numpy as np
import pytest

from assets.model import drift
from assets.model.candidate_models import NAMES
from assets.model.churn_features import FEATURES
from assets.model.churn_model import PROCESS_FEATURES
from assets.model.feature_words import FEATURE_WORDS
from assets.model.process_model import PurchaseHistories
from assets.model.retention_model import RetentionModel, probability_of
from assets.model.snapshots import Snapshots
from assets.train import backtest
from assets.train.card import reference_of
from assets.train.card_text import write_out
from assets.train.cutoffs import plan_cutoffs
from assets.train.metrics import gains
from assets.train.model_selection import Choice, choose_model
from assets.train.out_of_time import Judged
from assets.train.performance import write_performance


def _values(card, candidate_model, metric, population="active"):
    return {
        row["cutoff_date"]: row["value"]
        for row in card["metrics"]
        if (row["candidate_model"], row["metric"], row["population"]) == (candidate_model, metric, population)
    }


def test_a_model_that_knows_the_rhythm_beats_the_rule_and_scores(trained):
    card = trained.card
    assert card["decision"]["scored_by"] == "model"
    assert _values(card, "model", "auc")[None] > _values(card, "rule", "auc")[None] + 0.05
    assert _values(card, "model", "brier")[None] < _values(card, "rule", "brier")[None]


def test_both_are_judged_on_the_same_customers(trained):
    counts = {
        candidate_model: {
            (r["population"], r["cutoff_date"], r["n_rows"], r["n_churned"])
            for r in trained.card["metrics"]
            if r["candidate_model"] == candidate_model
        }
        for candidate_model in ("model", "rule")
    }
    assert counts["model"] == counts["rule"]
    assert len(counts["model"]) == 2 * 4  # two populations; three test cutoffs and their mean


def test_calibrated_out_of_time(trained):
    assert _values(trained.card, "model", "ece", "all")[None] < 0.08
    assert 0.6 < trained.card["calibration"]["slope"] < 1.4


def test_card_is_plain_json_and_tells_a_person_what_matters(trained):
    card = json.loads(json.dumps(trained.card, allow_nan=False))
    assert card["model_id"].startswith("2020-01-01-")
    assert card["data"] == {
        "first_day": "2019-01-01",
        "last_day": "2019-12-31",
        "n_training_rows": 750,
        "n_churned": card["data"]["n_churned"],
    }
    assert set(card["dropped_features"]) == {"n_complaints_90d", "n_contacts_90d"}
    text = trained.files["card.md"].decode()
    for expected in (
        "Scored by the model",
        "must not be used for",
        "2019-12-02",
        "scikit-learn",
        "95 % interval",
        "train_seed",
        "Customers silent for",
    ):
        assert expected in text
    assert "None" not in text
    assert "nan" not in text


def test_the_card_holds_what_drift_is_measured_against(world, trained):
    """Every feature the model reads and its own probability, spread as at the newest training cutoff."""
    reference = trained.card["reference"]
    assert list(reference) == [*trained.card["kept_features"], "churn_probability"]
    rows = world.snapshots()
    newest = rows.at([date(2019, 12, 2)])
    assert {sum(r["counts"]) + r["n_missing"] for r in reference.values()} == {len(newest)}
    silence = newest.column("days_since_last_order")
    assert reference["days_since_last_order"] == drift.reference(silence)
    model = RetentionModel(trained.card, trained.churn, trained.margin)
    assert drift.compare(reference["churn_probability"], model.churn_probability(newest.matrix)).psi == 0
    assert drift.compare(reference["days_since_last_order"], 3 * silence, len(reference)).verdict == "drifted"


def test_a_rule_has_a_reference_too_and_nobody_has_none(trained_by_rule):
    assert list(trained_by_rule.card["reference"]) == ["days_since_last_order", "churn_probability"]
    model = RetentionModel(trained_by_rule.card, None, None)
    assert reference_of(model, Snapshots(np.empty((0, len(FEATURES))), *[np.empty(0)] * 3, np.empty(0, "M8[D]"))) == {}


def test_the_card_reads_as_a_whole(trained, trained_by_rule):
    """Purpose, data, model selection, quality, groups, how it is made, features with meaning, limits, watching, who
    decides."""
    sections = (
        "What it has seen",
        "Model selection",
        "How good it is",
        "Is it right about everybody",
        "The simple rule",
        "How it is made",
        "What it reads",
        "Limits",
        "How it is watched",
        "Who decides",
        "What it must not be used for",
        "Parameters and versions",
    )
    for found in (trained, trained_by_rule):
        text = found.files["card.md"].decode()
        headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
        assert [heading for heading in headings if heading in sections] == list(sections)
        assert "Purpose: " in text and "marts.model_drift" in text and "marts.model_performance" in text
    text = trained.files["card.md"].decode()
    for name in trained.card["kept_features"]:
        assert f"| {name} | {FEATURE_WORDS[name].en} |" in text
    for row in trained.card["reliability_by_slice"]["model"]:
        assert f"| {row['slice_value']} | {row['n']:,} | {100 * row['mean_predicted']:.1f} % |" in text
    assert "Only what the simple rule reads" in trained_by_rule.files["card.md"].decode()


def test_the_card_says_no_feature_was_empty_that_a_candidate_model_never_asks_for(trained):
    few = {**trained.card, "fitted_candidate_model": "recency_over_gap"}
    assert "Left out (no data" in write_out({**trained.card, "fitted_candidate_model": "blend"})
    assert "Left out" not in write_out(few) and "By its definition it reads no other feature" in write_out(few)


def test_the_card_of_contracts_speaks_of_contracts(trained):
    text = write_out({**trained.card, "rule": {**trained.card["rule"], "is_contractual": True}})
    assert "*active* means a contract on the day of the cutoff" in text and "of who still has one" in text
    assert "*active* means a purchase within the last" not in text
    assert "*active* means a purchase within the last 30 days." in write_out(trained.card)


def test_plots_are_pictures(trained):
    assert {"reliability.png", "lift.png", "scores.png"} <= set(trained.files)
    assert all(trained.files[n].startswith(b"\x89PNG") for n in trained.files if n.endswith(".png"))


@pytest.mark.campaign
def test_names_and_order_of_customers_change_nothing(world, trained):
    again = world.train(world.renumbered(world.snapshots()).in_content_order())
    assert again.card == trained.card
    matrix = world.matrix(200, np.random.default_rng(0))
    assert np.array_equal(again.churn.log_odds(matrix), trained.churn.log_odds(matrix))
    assert np.array_equal(again.margin.predict(matrix), trained.margin.predict(matrix))


def test_outcomes_that_are_all_the_same_leave_the_scoring_to_the_rule(trained_by_rule):
    assert trained_by_rule.churn is None
    assert trained_by_rule.margin is None
    card = trained_by_rule.card
    assert card["decision"]["scored_by"] == "rule"
    assert "past outcomes are the same, and nobody bought twice: the rule scores" in card["decision"]["reason"]
    assert card["kept_features"] == []
    assert card["margin"]["estimated_by"] == "rule"
    assert {row["candidate_model"] for row in card["metrics"]} == {"rule"}
    assert "Nothing was fitted" in trained_by_rule.files["card.md"].decode()


def test_few_outcomes_are_for_models_of_few_features(world, trained):
    found = world.train(world.snapshots(n_customers=40), train_min_events=10_000)
    assert found.card["decision"]["scored_by"] == "model"
    assert {part.name for part in found.churn.parts} <= {"rfm_logit", "mbg_nbd", "recency_over_gap", "bg_nbd"}
    assert {part.name for part in trained.churn.parts} & {"logit", "trees"}
    assert "weights of the average, learned at" in trained.card["decision"]["reason"]


def test_without_outcomes_the_purchase_process_scores(world):
    """A business in its first weeks: no cutoff has matured, but some have bought twice."""
    histories = PurchaseHistories(*(np.array(v, dtype=float) for v in ([3, 1, 0, 2], [15, 6, 0, 12], [18, 17, 9, 16])))
    young = replace(world, plan=plan_cutoffs(date(2019, 1, 20), world.first_day, world.params))
    found = young.train(world.snapshots(n_customers=5).where(np.zeros(0, dtype=int)), histories=histories)
    assert found.card["decision"]["scored_by"] == "model"
    assert found.card["decision"]["candidate_model"] == found.churn.candidate_model == "mbg_nbd"
    assert "no past outcome is known yet: MBG/NBD scores" in found.card["decision"]["reason"]
    assert found.card["typical"]["frequency"] == 1.5 and found.card["margin"]["estimated_by"] == "rule"
    matrix = np.full((4, len(FEATURES)), np.nan)
    for name, values in zip(PROCESS_FEATURES, vars(histories).values(), strict=True):
        matrix[:, FEATURES.index(name)] = values
    p = RetentionModel(found.card, found.churn).churn_probability(matrix)
    assert len(set(p)) == 4 and p[0] < p[1], "who buys every few days is the likeliest to come"


def test_outcomes_that_are_all_the_same_are_left_to_the_purchase_process(world):
    """There are test cutoffs then, at which the rule alone could be judged."""
    histories = PurchaseHistories(*(np.array(v, dtype=float) for v in ([3, 1, 0, 2], [15, 6, 0, 12], [18, 17, 9, 16])))
    found = world.train(world.snapshots(n_customers=60, labels="all_stay"), histories=histories)
    assert found.card["decision"]["candidate_model"] == found.churn.candidate_model == "mbg_nbd"
    assert {row["candidate_model"] for row in found.card["metrics"]} == {"rule"}
    assert found.judged == ()
    assert {"reliability.png", "scores.png"} <= set(found.files)
    con = duckdb.connect()
    assert write_performance(con, found.card)["train.model_performance"] > 0


def test_a_candidate_model_that_too_few_outcomes_allow_now_is_not_chosen():
    n = 400
    y, half, day = np.arange(n) % 2 == 0, np.full(n, 0.5), date(2020, 1, 1)
    rows = Snapshots(np.zeros((n, len(FEATURES))), y, np.ones(n, bool), np.zeros(n), np.full(n, day, "M8[D]"))
    cutoff = Judged(day, "validation", rows, {"recency_rule": half, "average": half, "blend": np.where(y, 0.9, 0.1)})
    assert choose_model([cutoff]).candidate_model == "blend"
    assert choose_model([cutoff], among=["average"]).candidate_model == "average"
    unseen = replace(cutoff, role="test", probability={"recency_rule": half, "average": half})
    assert choose_model([cutoff, unseen]).candidate_model == "average"


@pytest.mark.campaign
def test_where_labels_are_random_nobody_is_ranked_with_certainty(world):
    found = world.train(world.snapshots(labels="random"))
    model = RetentionModel(found.card, found.churn, found.margin)
    p = model.churn_probability(world.matrix(500, np.random.default_rng(0)))
    assert p.std() < 0.1, "calibration takes the spread out of log-odds that say nothing"


def test_one_outcome_only_is_no_ground_for_a_model(world):
    found = world.train(world.snapshots(n_customers=120, labels="all_stay"))
    assert found.card["decision"]["scored_by"] == "rule"
    assert all(step["n_churned"] == 0 and step["rate"] < 0.01 for step in found.card["rule"]["steps"])
    assert found.churn is None
    json.dumps(found.card, allow_nan=False)


def test_a_leak_is_named_and_leaves_the_scoring_to_the_rule(world):
    rows = world.snapshots(n_customers=150)
    leaking = world.with_feature(rows, "discount_share", rows.is_churned + np.linspace(0, 0.5, len(rows)))
    found = world.train(leaking)
    assert found.card["decision"]["scored_by"] == "rule"
    assert "leak alarm: discount_share" in found.card["decision"]["reason"]


def test_without_any_matured_cutoff_the_rule_without_parameters_scores(world):
    young = replace(world, plan=plan_cutoffs(date(2019, 1, 20), world.first_day, world.params))
    empty = world.snapshots(n_customers=5).where(np.zeros(0, dtype=int))
    found = young.train(empty)
    assert found.card["decision"] == {
        "scored_by": "rule",
        "candidate_model": "recency_rule",
        "reason": "no past outcome is known yet, and nobody bought twice: the rule scores",
        "kept_from": None,
    }
    assert found.card["metrics"] == []
    model = RetentionModel(found.card)
    assert model.churn_probability(world.matrix(5, np.random.default_rng(0))).shape == (5,)
    con = duckdb.connect()
    assert write_performance(con, found.card) == {
        "train.model_performance": 0,
        "train.reliability": 0,
        "train.model_selection": 0,
        "train.model_monitor": 0,
    }
    assert con.execute("select count(*) from train.model_performance where value > 0").fetchone() == (0,)


def test_performance_tables_hold_the_card(trained):
    con = duckdb.connect()
    write_performance(con, trained.card)
    rows = con.execute(
        "select candidate_model, is_scoring, count(*) from train.model_performance where cutoff_date is null "
        "group by all order by 1"
    ).fetchall()
    assert rows == [("model", True, 12), ("rule", False, 12)]
    found = con.execute(
        "select value from train.model_performance where candidate_model = 'model' and population = 'active' "
        "and metric = 'auc' "
        "and cutoff_date is null"
    ).fetchone()[0]
    assert found == _values(trained.card, "model", "auc")[None]
    assert con.execute("select count(distinct candidate_model), max(bin) from train.reliability").fetchone()[0] == 2


def test_the_margin_model_is_dropped_only_where_it_loses_by_more_than_the_luck_of_the_cutoffs(world):
    def cutoff(gain: float) -> backtest.CutoffResult:
        rows = world.snapshots(n_customers=150).at(world.plan.test[:1])
        bought = ~rows.is_churned
        actual = np.where(bought, 10.0, 0.0)
        rule = np.full(len(rows), 11.0)
        # A deviance lower by about `gain`, the same for every buyer: all uncertainty is between cutoffs.
        model = np.full(len(rows), 10.0 + 1.0 * np.sqrt(max(0.0, 1 - gain * 10)))
        return backtest.CutoffResult(
            world.plan.test[0], replace(rows, margin=actual), {}, {"rule": rule, "model": model}
        )

    def winner(*gains: float) -> str:
        return backtest._compare_margins([cutoff(gain) for gain in gains])["estimated_by"]

    assert winner(0.05, 0.05, 0.05) == "model"
    assert winner(-0.05, -0.05, -0.05) == "rule"
    assert winner(-0.05, -0.08, -0.02) == "model"  # 1.96 standard errors below zero, but of three cutoffs only
    assert winner(0.05) == "rule", "one cutoff cannot judge it"


def test_the_table_has_every_candidate_model_on_the_same_customers(trained):
    card = trained.card
    rows = [r for r in card["model_selection"] if r["metric"] == "auc"]
    assert {r["candidate_model"] for r in rows} == set(NAMES)
    counts = {
        m: {
            (r["cutoff_role"], r["cutoff_date"], r["population"], r["n_rows"], r["n_churned"])
            for r in rows
            if r["candidate_model"] == m
        }
        for m in NAMES
    }
    assert all(found == counts["recency_rule"] for found in counts.values())
    assert {r["cutoff_date"] for r in rows if r["cutoff_role"] == "validation"} - {None} == set(
        card["cutoffs"]["validation"]
    )
    assert {r["cutoff_date"] for r in rows if r["cutoff_role"] == "test"} - {None} == set(card["cutoffs"]["test"])
    assert {r["candidate_model"] for r in rows if r["is_chosen"]} == {card["decision"]["candidate_model"]}
    assert trained.files["model-selection.png"].startswith(b"\x89PNG")


def test_the_model_that_is_kept_is_the_candidate_model_that_was_chosen(world, monkeypatch):
    chosen = Choice("rfm_logit", "average", "a tie")
    monkeypatch.setattr(backtest, "choose_model", lambda *_: chosen)
    found = world.train(world.snapshots())
    assert (
        found.card["decision"]["candidate_model"]
        == found.churn.candidate_model
        == found.card["fitted_candidate_model"]
        == "rfm_logit"
    )
    newest = {
        (r["candidate_model"], r["cutoff_date"]): r["value"]
        for r in found.card["model_selection"]
        if (r["metric"], r["population"]) == ("auc", "active")
    }
    for cutoff, value in _values(found.card, "model", "auc").items():
        if cutoff:
            assert value == newest["rfm_logit", cutoff]


@pytest.mark.campaign
def test_a_reigning_champion_that_is_better_at_the_newest_cutoff_stays(world, trained):
    """The chosen model to be knows nothing of the newest days; the incumbents one was trained on the same world."""
    rows = world.snapshots()
    incumbents = {world.plan.test[0]: RetentionModel(trained.card, trained.churn, trained.margin)}
    found = world.train(rows, incumbents=incumbents)
    assert {r["cutoff_date"] for r in found.card["model_selection"] if r["candidate_model"] == "incumbent"} == {
        world.plan.test[0].isoformat(),
        None,
    }
    assert "incumbent" in found.card["decision"]["reason"]
    # Now the newest labels turn out as the incumbent says, and as nobody else could know.
    newest = rows.cutoff == np.datetime64(world.plan.test[0])
    sure = trained.churn.log_odds(rows.matrix) > np.median(trained.churn.log_odds(rows.matrix[newest]))
    steep = replace(trained.churn, slope=20 * trained.churn.slope)
    steep = replace(steep, intercept=-float(np.median(20 * trained.churn.log_odds(rows.matrix[newest]))))
    odd = replace(rows, is_churned=np.where(newest, sure, rows.is_churned)).in_content_order()
    card = {**trained.card, "model_id": "2019-11-01-00000000", "decision": {**trained.card["decision"]}}
    day, season = world.plan.test[0], {"shifts": {world.plan.test[0].isoformat(): 0.5}}
    incumbent = RetentionModel({**card, "season": season}, steep, trained.margin, shift=0.5 + 0.3)
    kept = world.train(odd, incumbents={day: incumbent})
    assert kept.card["decision"]["kept_from"] == "2019-11-01-00000000"
    # With its recalibration, without the season, which the card of the new model has.
    assert kept.churn.intercept == pytest.approx(steep.intercept + 0.3)
    assert replace(kept.churn, intercept=steep.intercept) == steep
    assert "stays" in kept.card["decision"]["reason"]


def test_simple_models_are_kept_calibrated_to_take_over(world, trained):
    assert set(trained.simple) == {"rfm_logit", "mbg_nbd"} - {trained.churn.candidate_model}
    rows = world.snapshots(n_customers=1000, seed=9)
    for name, kept in trained.simple.items():
        assert kept.candidate_model == name and (kept.intercept, kept.slope) != (0.0, 1.0)
        assert probability_of(kept.log_odds(rows.matrix)).mean() == pytest.approx(rows.is_churned.mean(), abs=0.08)


@pytest.mark.campaign
def test_a_choice_that_turned_out_worse_on_the_newest_outcomes_does_not_score(world):
    """What the average learned, from all features, is the wrong way round in the newest month; RFM knows none of it."""
    rows = world.snapshots()
    newest = rows.cutoff == np.datetime64(world.plan.test[0])
    ratio = rows.column("recency_over_gap_median")
    upside_down = np.where(newest, ratio < np.median(ratio), rows.is_churned)
    found = world.train(replace(rows, is_churned=upside_down).in_content_order())
    decision = found.card["decision"]
    assert decision["candidate_model"] in ("rfm_logit", "mbg_nbd", "recency_rule")
    assert f"at the newest cutoff, {world.plan.test[0]}" in decision["reason"]
    chosen = {r["candidate_model"] for r in found.card["model_selection"] if r["is_chosen"]}
    assert chosen == {decision["candidate_model"]}


def test_gains_curve_of_a_perfect_score():
    contacted, found = gains(np.array([True, True, False, False]), np.array([0.9, 0.8, 0.2, 0.2]))
    assert contacted.tolist() == [0, 0.25, 0.5, 1.0]
    assert found.tolist() == [0, 0.5, 1.0, 1.0]
