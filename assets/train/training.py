"""Train one model as of a day: learn, judge, decide who scores, write it down.

In: a warehouse with `features.training_snapshots` of the planned cutoffs. Out: a `Trained`, everything that the model
store and the performance tables need. Does not touch the store.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import duckdb
import numpy as np

from assets.model.calibration import Calibration, PredictionPool, off_at
from assets.model.candidate_models import AVERAGE, SIMPLE, fit_candidate_models
from assets.model.churn_model import ChurnModel
from assets.model.margin_fit import can_fit_margin, fit_margin
from assets.model.process_model import PROCESS, fit_process_alone
from assets.model.retention_model import RetentionModel
from assets.model.season import YEAR, season_shift
from assets.model.simple_rules import RULE
from assets.shared.params import Params
from assets.shared.warehouse import fetch_value
from assets.train import plots, selection_words
from assets.train.backtest import Backtest, run_backtest
from assets.train.card import Findings, KeptModel, build_card
from assets.train.card_text import write_out
from assets.train.cutoffs import CutoffPlan
from assets.train.decision import Decision, decide_who_scores
from assets.train.judged import JudgedCutoff
from assets.train.leak_check import StrongestFeature, find_strongest_feature
from assets.train.out_of_time import fittable, nothing_to_learn
from assets.train.snapshot_rows import data_span, read_histories, read_snapshots
from assets.train.training_data import Origin, TrainingData
from assets.train.value.cutoffs import plan_value_cutoffs
from assets.train.value.return_curve import Said
from assets.train.value.rows import enough_customers_on
from assets.train.value.training import ValueTask, fit_value


@dataclass(frozen=True)
class Trained:
    """A model to be kept. churn, margin: fitted, None when the data were too few. files: card.md and plots
    by file name, as bytes. judged: what whoever scores said at the test cutoffs, oldest first; said: at all out-of-time
    cutoffs, and when customers came. simple: candidate models that may take over from it."""

    card: dict[str, Any]
    churn: ChurnModel | None
    margin: Any
    files: dict[str, bytes]
    judged: tuple[JudgedCutoff, ...] = ()
    said: tuple[Said, ...] = ()
    simple: Mapping[str, ChurnModel] = field(default_factory=dict)


def train_model(
    con: duckdb.DuckDBPyConnection,
    plan: CutoffPlan,
    params: Params,
    sources: tuple[str, ...],
    trained_at: datetime,
    incumbents: Mapping[date, RetentionModel] | None = None,
) -> Trained:
    """Train as of `plan.anchor` on the snapshots of `plan.cutoffs`, which must have been built.

    sources: names, for the card and the model id. trained_at: the clock's time, for the card only. incumbents: cutoff →
    the active model on that day, for model selection.
    """
    rows = read_snapshots(con, plan.cutoffs, plan.horizon_days, params.train_max_rows, plan.anchor)
    data = TrainingData(rows, plan, params, incumbents or {}, is_contractual(con, plan, params))
    if nothing_to_learn(data.training) is not None:
        data = replace(data, histories=read_histories(con, plan.anchor))
    trained = train_on(
        data,
        Origin(sources, trained_at, *data_span(con, plan.anchor)),
    )
    enough = enough_customers_on(con, params.train_min_customers, plan.anchor)
    cutoffs = plan_value_cutoffs(plan.anchor, enough, params)
    task = ValueTask(plan.anchor, trained.judged, cutoffs, params, data.is_contractual, trained.said)
    value = fit_value(con, task)
    card = trained.files["card.md"] + value.pop("value.md")
    return replace(trained, files={**trained.files, **value, "card.md": card})


def train_on(data: TrainingData, origin: Origin) -> Trained:
    """As `train_model`, on rows already read, without the value model."""
    too_few = nothing_to_learn(data.training)
    backtest = run_backtest(data, fit_models=too_few is None)
    if too_few is not None:
        leak, decision = StrongestFeature(), _decide_without_outcomes(data, too_few)
    else:
        leak = find_strongest_feature(data.training.where(data.training.is_active))
        decision = decide_who_scores(backtest.choice, backtest.predictions.tests, leak)
    kept, decision = _keep(data, backtest, decision, can_fit=too_few is None)
    card = build_card(Findings(data, origin, backtest, leak, decision, kept))
    files = {"card.md": write_out(card).encode(), **_pictures(card, backtest)}
    return Trained(card, kept.churn, kept.margin, files, _judged(backtest, card), _said(backtest, card), kept.simple)


def is_contractual(con: duckdb.DuckDBPyConnection, plan: CutoffPlan, params: Params) -> bool:
    """Whether leaving means the end of a contract: in the snapshots of the plan or, while there are none, by what macro
    is_contractual asks, as of the anchor."""
    found = fetch_value(
        con,
        "select bool_or(label_kind = 'contract') from features.training_snapshots "
        "where cutoff_date in (select unnest($cutoffs::date[])) and horizon_days = $horizon",
        {"cutoffs": [cutoff.isoformat() for cutoff in plan.cutoffs], "horizon": plan.horizon_days},
    )
    if found is not None:
        return bool(found)
    if params.churn_kind != "auto":
        return params.churn_kind == "contract"
    return fetch_value(con, "select count(*) > 0 from staging.stg_contracts where started_on < ?", [plan.anchor])


def _decide_without_outcomes(data: TrainingData, why: str) -> Decision:
    """A purchase process needs no outcomes, only somebody who bought twice; it says nothing of contracts."""
    if data.is_contractual:
        return Decision("rule", f"{why}: the rule scores, by the days that contracts still cover")
    if not data.histories.somebody_returned:
        return Decision("rule", f"{why}, and nobody bought twice: the rule scores")
    return Decision("model", selection_words.only_process(why), PROCESS)


def _keep(data: TrainingData, backtest: Backtest, decision: Decision, can_fit: bool) -> tuple[KeptModel, Decision]:
    """What is kept, and the decision with the name of who scores: the incumbent as it is where it stays, else the
    chosen candidate model fitted to all training rows (where the rule scores the best of them, for inspection)."""
    if decision.keeps_incumbent and data.incumbents:
        day = max(data.incumbents)
        kept = data.incumbents[day]
        season = {date.fromisoformat(day): shift for day, shift in kept.card["season"]["shifts"].items()}
        churn = _at_level(kept.churn, kept.shift - season_shift(kept.card, day))
        taken_over = KeptModel(churn, kept.margin, Calibration(), season, kept.model_id, kept.simple)
        return taken_over, decision.as_scored_by(kept)
    if not can_fit:
        churn = fit_process_alone(data.histories, data.plan.horizon_days) if decision.scored_by == "model" else None
        return KeptModel(churn), decision
    seed = data.params.train_seed
    candidates = fit_candidate_models(data.training, data.plan.horizon_days, seed, fittable(data.training, data.params))
    name = backtest.choice.fitted
    if name == AVERAGE:
        candidate, pool = backtest.predictions.average.weigh(candidates[name], data.training, data.plan.anchor)
        words = selection_words.weights_of_average(candidate.weights, len(pool.predictions))
        decision = replace(decision, reason=f"{decision.reason}; {words}")
    else:
        candidate, pool = candidates[name], backtest.predictions.pools[name]

    def calibrate(pool: PredictionPool) -> Calibration:
        return pool.calibration(data.plan.anchor, data.params.churn_horizon_days, with_season=bool(data.plan.season))

    calibration = calibrate(pool)
    margin = fit_margin(data.training, seed) if can_fit_margin(data.training) else None
    season = season_shifts(candidate, calibration, data)
    pools = backtest.predictions.pools
    simple = {n: calibrate(pools[n]).put_into(candidates[n]) for n in SIMPLE if n in pools and n != name}
    return KeptModel(calibration.put_into(candidate), margin, calibration, season, simple=simple), decision


def _at_level(churn: ChurnModel | None, recalibration: float) -> ChurnModel | None:
    """A model with what a check added to its log-odds after training: checks stay with the model they were made of."""
    return None if churn is None else replace(churn, intercept=churn.intercept + recalibration)


def season_shifts(candidate: ChurnModel, calibration: Calibration, data: TrainingData) -> dict[date, float]:
    """Day → what the season adds to the log-odds, relative to the newest matured cutoff, whose season the model is at;
    empty where no season was found. candidate: uncalibrated."""
    plan = data.plan
    if not calibration.season or not plan.season:
        return {}
    off = {day: off_at(candidate, data.some_at(day - YEAR), plan.horizon_days, plan.anchor) for day in plan.season_days}
    if not all(np.isfinite(value) for value in off.values()):
        return {}
    return {day: calibration.seasonal(value - off[plan.newest_matured]) for day, value in off.items()}


def _judged(backtest: Backtest, card: Mapping[str, Any]) -> tuple[JudgedCutoff, ...]:
    """Nothing where a model scores that no test cutoff could judge: one of purchase histories alone."""
    scored_by, estimated_by = card["decision"]["scored_by"], card["margin"]["estimated_by"]
    return tuple(
        JudgedCutoff(
            cutoff=test.cutoff,
            matrix=test.rows.matrix,
            is_churned=test.rows.is_churned,
            is_active=test.rows.is_active,
            margin=test.rows.margin,
            churn_probability=test.probability[scored_by],
            baseline_probability=test.probability["rule"],
            margin_if_retained=test.margins[estimated_by],
        )
        for test in backtest.tests
        if scored_by in test.probability
    )


def _said(backtest: Backtest, card: Mapping[str, Any]) -> tuple[Said, ...]:
    """Nothing where a model scores that no cutoff could judge, as in `_judged`."""
    who = RULE if card["decision"]["scored_by"] == "rule" else backtest.choice.fitted
    return tuple(
        Said(judged.cutoff, judged.rows.matrix, judged.probability[who], judged.rows.wait_days)
        for judged in backtest.predictions.judged
        if who in judged.probability
    )


def _pictures(card: Mapping[str, Any], backtest: Backtest) -> dict[str, bytes]:
    """Plots by file name."""
    files, scored_by = {}, card["decision"]["scored_by"]
    if card["model_selection"]:
        files["model-selection.png"] = plots.draw_model_selection(
            card["model_selection"], card["decision"]["candidate_model"]
        )
    if backtest.tests:
        scores = {name: backtest.pooled(name) for name in backtest.compared}
        by_slice = card["reliability_by_slice"]
        shown = scored_by if scored_by in scores else "rule"
        files["reliability.png"] = plots.draw_reliability(card["reliability"], scored_by)
        files["calibration.png"] = plots.draw_slices(by_slice.get("model") or by_slice["rule"])
        files["lift.png"] = plots.draw_lift(scores, scored_by)
        files["scores.png"] = plots.draw_scores(*scores[shown], shown)
    return files
