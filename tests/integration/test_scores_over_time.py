"""The real job over two nights a horizon apart: past dates scored by the model of then, changes explained, drift shown,
published scores judged by what happened, other features refused."""

import json
import math
from datetime import date, timedelta

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from assets.model import model_store
from tests.integration import shop
from tests.integration.command_line import contents, holdfast, published, ran

pytestmark = pytest.mark.campaign

HORIZON = 30
JULY = date(2024, 7, 25)
AUGUST = JULY + timedelta(days=HORIZON)
#: With nodes of the shop's own rhythm most of its customers would be lost, and too few scored to look at.
FIXED = ("--param", "lifecycle_mode=fixed")
PARTS = "change_from_data + change_from_definition + change_from_model + change_from_recalibration"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return shop.write(tmp_path_factory.mktemp("shop"), shop.lines(n_customers=220))


@pytest.fixture(scope="module")
def home(tmp_path_factory, source):
    """A home with a night in July and one when its horizon has just closed, each month with a model of its own."""
    home = tmp_path_factory.mktemp("months") / "home"
    for night in (JULY, AUGUST):
        ran(home, "--source", str(source), "--as-of", str(night), *FIXED)
    return home


def _models(home) -> dict[date, str]:
    with published(home) as con:
        found = con.execute("select distinct as_of_date, model_version from history.churn_scores").fetchall()
    assert len(found) == len(dict(found)), "one model a night"
    return dict(found)


def test_each_night_is_explained_against_the_one_before(home):
    assert {day: model[:10] for day, model in _models(home).items()} == {JULY: "2024-07-01", AUGUST: "2024-08-01"}
    with published(home) as con:
        july = con.execute(
            "select distinct previous_as_of_date, change_reason from history.churn_scores"
            f" where as_of_date = '{JULY}' and is_explained"
        ).fetchall()
        assert july == [(None, "First published score")]
        n, adds_up, published_then, by_data, by_model = con.execute(
            f"""
            select
                count(august.probability_change),
                max(abs(probability_change - ({PARTS}))),
                max(abs(august.previous_probability - july.churn_probability)),
                max(abs(change_from_data)),
                max(abs(change_from_model))
            from marts.churn_scores as august
            left join (
                select customer_id, churn_probability from history.churn_scores where as_of_date = '{JULY}'
            ) as july using (customer_id)
            """
        ).fetchone()
        assert n > 100 and adds_up < 1e-8 and published_then == 0 and by_data > 0.01 and by_model > 0
        texts = con.execute(
            "select count(*), count(change_reason), count(change_reason_zh) from marts.churn_scores where is_explained"
        ).fetchone()
        assert texts[0] == texts[1] == texts[2] > 100


def test_contributions_of_the_real_job_are_the_log_odds_of_its_probabilities(home):
    with published(home) as con:
        groups = [
            row[0]
            for row in con.execute("describe marts.churn_scores").fetchall()
            if row[0].startswith("contribution_")
        ]
        worst, n = con.execute(
            f"select max(abs({' + '.join(groups)} - ln(churn_probability / (1 - churn_probability)))), count(*)"
            " from marts.churn_scores where is_explained"
        ).fetchone()
    assert n > 100 and worst < 1e-4


def test_drift_is_told_for_every_feature_of_the_model_and_for_its_score(home):
    model = _models(home)[AUGUST]
    card = json.loads((home / "models" / model / "card.json").read_text())
    with published(home) as con:
        rows = con.execute("select name, kind, model_version, n_reference, verdict from marts.model_drift").fetchall()
    names = [name for name, *_ in rows]
    assert len(names) == len(set(names)) and set(names) == {*card["kept_features"], "churn_probability"}
    assert {version for _, _, version, *_ in rows} == {model}
    assert [name for name, kind, *_ in rows if kind == "score"] == ["churn_probability"]
    assert all(n > 50 and verdict in ("stable", "shifted", "drifted", "ages") for *_, n, verdict in rows)


@pytest.mark.parametrize("population", ["all", "active"])
def test_published_scores_are_judged_by_what_happened(home, population):
    """July's scores, when their horizon has closed, against the lines of the shop themselves."""
    with published(home) as con:
        july = con.execute(
            "select customer_id, churn_probability, scored_by from history.churn_scores"
            f" where as_of_date = '{JULY}' and is_eligible and (is_active or {population == 'all'})"
        ).fetchall()
        found = {
            row[0]: row[1:]
            for row in con.execute(
                "select metric, value, n_rows, n_churned, model_version, candidate_model from marts.model_performance"
                f" where basis = 'realised' and cutoff_date = '{JULY}' and population = '{population}'"
                " and slice_kind = 'all' and is_scoring"
            ).fetchall()
        }
    bought = {line.customer for line in shop.lines(n_customers=220) if JULY <= line.time.date() < AUGUST}
    y = np.array([customer not in bought for customer, *_ in july])
    p = np.array([probability for _, probability, _ in july])
    assert 0 < y.sum() < len(y)
    assert {row[1:] for row in found.values()} == {(len(y), y.sum(), _models(home)[JULY], july[0][2])}
    expected = {
        "auc": roc_auc_score(y, p.round(4)),
        "brier": np.mean((y - p) ** 2),
        "observed_share": y.mean(),
        "mean_predicted": p.mean(),
        "log_loss": -np.mean(np.log(np.where(y, p, 1 - p))),
    }
    for metric, value in expected.items():
        assert math.isclose(found[metric][0], value, abs_tol=1e-6), metric


def test_nothing_is_judged_before_its_horizon_has_closed(home):
    with published(home) as con:
        by_night = con.execute(
            "select as_of_date, count(*) filter (where basis = 'realised') from history.model_performance"
            " group by 1 order by 1"
        ).fetchall()
    assert [day for day, _ in by_night] == [JULY, AUGUST] and by_night[0][1] == 0 and by_night[1][1] > 0


def test_a_past_date_is_scored_by_the_model_that_was_champion_then(home, source):
    """Time travel: July again, after August has its own model, gives July's rows by July's model."""
    before, models = contents(home, "history")["churn_scores"], _models(home)
    ran(home, "--source", str(source), "--as-of", str(JULY), *FIXED)
    assert _models(home) == models
    assert contents(home, "history")["churn_scores"] == before


def test_nobody_on_the_plan_is_without_reasons_in_a_large_business(home, source):
    """As if the business were too large to explain everybody: the calendar still chooses by dates. The night is one
    that a simple model scores since the newest check, and says so wherever it says who scores."""
    model = _models(home)[AUGUST]
    check = {**model_store.checks(home / "models", model)[-1], "verdict": "replaced", "scoring_model": "rfm_logit"}
    model_store.save_check(home / "models", model, {**check, "reason": "RFM was better on the newest outcomes"})
    little = ("explain_all_up_to=0", "explain_top_share=0.02", "actions_value_at_risk_top_share=0.02")
    given = [word for setting in little for word in ("--param", setting)]
    said = ran(home, "--source", str(source), "--as-of", str(AUGUST), *FIXED, *given)
    assert "Scored by the model (rfm_logit)" in said and "RFM was better on the newest outcomes" in said
    with published(home) as con:
        who = con.execute("select distinct scored_by, scoring_model, model_version from marts.churn_scores").fetchall()
        assert who == [("model", "rfm_logit", model)]
        why = con.execute(
            "select distinct candidate_model, reason from marts.model_selection where is_chosen"
        ).fetchall()
        assert len(why) == 1 and why[0][0] == "rfm_logit"
        assert why[0][1].startswith("RFM was better on the newest outcomes. As trained: ")
        listed, without, eligible, explained = con.execute(
            """
            with plan as (
                select distinct customer_id from marts.retention_actions where decision in ('contact', 'holdout')
            )

            select
                count(*) filter (where plan.customer_id is not null and is_eligible),
                count(*) filter (where plan.customer_id is not null and is_eligible
                    and (not is_explained or reason_1 is null or reason_1_zh is null)),
                count(*) filter (where is_eligible),
                count(*) filter (where is_explained)
            from marts.churn_scores as scores
            left join plan on scores.customer_id = plan.customer_id
            """
        ).fetchone()
    assert without == 0
    assert listed > 0.02 * eligible, "the plan holds more than the explained share, or this shows nothing"
    assert listed <= explained < eligible


def test_a_model_refuses_features_that_are_not_those_it_was_trained_on(home, source):
    """Last, because it spoils the model: readers keep what they have, and the run says what to do."""
    before, model = contents(home), _models(home)[AUGUST]
    path = home / "models" / model / "card.json"
    card = json.loads(path.read_text())
    assert card["feature_types"]["n_orders"] == "DOUBLE"
    card["feature_types"]["n_orders"] = "BIGINT"
    card["features"].append("visits_30d")
    path.write_text(json.dumps(card))
    done = holdfast(home, "run", "--source", str(source), "--as-of", str(AUGUST), *FIXED)
    assert done.returncode == 1
    for words in (
        model,
        "feature n_orders is DOUBLE (expected BIGINT)",
        "feature visits_30d is missing (expected DOUBLE)",
        "holdfast retrain",
    ):
        assert words in done.stderr, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert contents(home) == before
