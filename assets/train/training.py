"""Train one model as of a day: learn, judge, decide who scores, write it down.

In: a warehouse with `features.training_snapshots` of the planned cutoffs. Out: a `Trained`, everything that the model
store and the performance tables need. Does not touch the store.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import duckdb
import numpy as np

from assets.shared import drift, model_store
from assets.shared.churn_features import FEATURES
from assets.shared.churn_model import DERIVED, PROCESS_FEATURES, ChurnModel
from assets.shared.params import Params
from assets.shared.retention_model import RetentionModel
from assets.train import backtest, estimator, metrics, model_selection, plots, slices
from assets.train.card import build_card, json_types, write_out
from assets.train.cutoffs import CutoffPlan
from assets.train.judged import JudgedCutoff
from assets.train.rule import learn_rule_from
from assets.train.snapshots import Snapshots, data_span, read_snapshots
from assets.train.value import fit_value
from assets.train.value_cutoffs import plan_value_cutoffs
from assets.train.value_rows import enough_customers_on


@dataclass(frozen=True)
class Trained:
    """A model to be kept. churn, margin: fitted, None when the data were too few. files: card.md and plots
    by file name, as bytes. judged: what whoever scores said at the test cutoffs, oldest first."""

    card: dict[str, Any]
    churn: ChurnModel | None
    margin: Any
    files: dict[str, bytes]
    judged: tuple[JudgedCutoff, ...] = ()


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
    span = data_span(con, plan.anchor)
    is_contractual = _is_contractual(con, plan, params)
    trained = train_on(rows, plan, params, sources, trained_at, span, incumbents, is_contractual)
    enough = enough_customers_on(con, params.train_min_customers, plan.anchor)
    value = fit_value(
        con, plan_value_cutoffs(plan.anchor, enough, params), trained.judged, params, plan.anchor, is_contractual
    )
    card = trained.files["card.md"] + value.pop("value.md")
    return replace(trained, files={**trained.files, **value, "card.md": card})


def _is_contractual(con: duckdb.DuckDBPyConnection, plan: CutoffPlan, params: Params) -> bool:
    """Whether leaving means the end of a contract: in the snapshots of the plan or, while there are none, by what macro
    is_contractual asks, as of the anchor."""
    found = con.execute(
        "select bool_or(label_kind = 'contract') from features.training_snapshots "
        "where cutoff_date in (select unnest($cutoffs::date[])) and horizon_days = $horizon",
        {"cutoffs": [cutoff.isoformat() for cutoff in plan.cutoffs], "horizon": plan.horizon_days},
    ).fetchone()
    if found[0] is not None or params.churn_kind != "auto":
        return bool(found[0]) if found[0] is not None else params.churn_kind == "contract"
    return bool(
        con.execute("select count(*) > 0 from staging.stg_contracts where started_on < ?", [plan.anchor]).fetchone()[0]
    )


def train_on(
    rows: Snapshots,
    plan: CutoffPlan,
    params: Params,
    sources: tuple[str, ...],
    trained_at: datetime,
    span: tuple[date | None, date | None],
    incumbents: Mapping[date, RetentionModel] | None = None,
    is_contractual: bool = False,
) -> Trained:
    """As `train`, on rows already read (in content order). is_contractual: leaving is the end of a contract."""
    training = rows.at(plan.training)
    newest = rows.at(plan.training[:1])
    too_few = _too_few(training, newest, params)
    result = backtest.run_backtest(
        rows, plan, params, fit_models=too_few is None, incumbents=incumbents, is_contractual=is_contractual
    )
    leak = (None, float("nan"))
    churn = margin = None
    season: dict[date, float] = {}
    if too_few is None:
        leak = estimator.strongest_feature(training.where(training.is_active), FEATURES)
    decision = (
        backtest.Decision("rule", f"{too_few}: the rule scores")
        if too_few
        else backtest.decide_who_scores(result, leak)
    )
    kept = incumbents[max(incumbents)] if decision.kept and incumbents else None
    if kept is not None:
        churn, margin = kept.churn, kept.margin
        season = {date.fromisoformat(d): s for d, s in kept.card["season"]["shifts"].items()}
        decision = replace(decision, scored_by=kept.scored_by, candidate_model=kept.candidate_model)
    elif too_few is None:
        # Where the rule scores, the best of the others is kept for inspection.
        churn = backtest.kept_model(
            estimator.fit_candidate_models(training, plan.horizon_days, params.train_seed)[
                result.choice.fitted or "blend"
            ],
            result.calibration,
        )
        uncalibrated = replace(churn, intercept=0.0, slope=1.0)
        season = backtest.season_shifts(uncalibrated, result.calibration, rows, plan, params)
        if (training.margin[~training.is_churned] > 0).any():
            margin = estimator.fit_margin(training, params.train_seed)
    reliability = {
        candidate_model: metrics.reliability(*_pooled(result, candidate_model))
        for candidate_model in _candidate_models(result)
    }
    card = build_card(
        model_id=model_store.model_id(plan.anchor, model_store.fingerprint(params, sources)),
        plan=plan,
        params=params,
        sources=sources,
        trained_at=trained_at,
        span=span,
        training=training,
        rule=learn_rule_from(training, plan.horizon_days, is_contractual),
        kept_features=features_used(churn),
        kept_from=None if kept is None else kept.model_id,
        churn=churn,
        typical=typical_values(newest.where(newest.is_active) if newest.is_active.any() else training),
        result=result,
        decision=decision,
        leak=leak,
        reliability=reliability,
        has_margin_model=margin is not None,
    )
    card["season"] = {
        "share": result.calibration.season if season else 0.0,
        "shifts": {day.isoformat(): round(shift, 9) for day, shift in season.items()},
    }
    card["model_selection"] = json_types(
        model_selection.table(result.judged, replace(result.choice, candidate_model=decision.candidate_model))
    )
    card["reliability_by_slice"] = {
        candidate_model: json_types(
            slices.reliability_by_slice(
                [(t.cutoff, t.rows, t.probability[candidate_model]) for t in result.tests], params
            )
        )
        for candidate_model in _candidate_models(result)
    }
    card["reference"] = reference_of(RetentionModel(card, churn, margin), newest)
    files = {"card.md": write_out(card).encode()}
    if card["model_selection"]:
        files["model-selection.png"] = plots.draw_model_selection(card["model_selection"], decision.candidate_model)
    if result.tests:
        scores = {candidate_model: _pooled(result, candidate_model) for candidate_model in _candidate_models(result)}
        files["reliability.png"] = plots.draw_reliability(reliability, decision.scored_by)
        files["calibration.png"] = plots.draw_slices(
            card["reliability_by_slice"].get("model") or card["reliability_by_slice"]["rule"]
        )
        files["lift.png"] = plots.draw_lift(scores, decision.scored_by)
        files["scores.png"] = plots.draw_scores(*scores[decision.scored_by], decision.scored_by)
    return Trained(card, churn, margin, files, _judged(result, card))


#: Rows of the newest cutoff that the reference of drift is made of: more move a share of a tenth in its third digit
#: only.
REFERENCE_ROWS = 100_000


def reference_of(model: RetentionModel, newest: Snapshots) -> dict[str, Any]:
    """How the newest training cutoff is spread, for drift (`assets.shared.drift`): each feature that the model reads
    (the rule's own where nothing was fitted), and `churn_probability` as whoever scores gives it. Empty without
    rows."""
    if len(newest) == 0:
        return {}
    rows = newest.where(slice(0, REFERENCE_ROWS))  # in content order, which is that of a hash
    names = model.card["kept_features"] or [model.rule.feature]
    found = {name: drift.reference(rows.column(name)) for name in names}
    return {**found, "churn_probability": drift.reference(model.churn_probability(rows.matrix))}


def features_used(churn: ChurnModel | None) -> list[str]:
    """Features that a fitted model reads, in the order of `FEATURES`."""
    if churn is None:
        return []
    used: set[str] = set()
    for part in churn.parts:
        if part.kind == "purchase_process":
            used |= set(PROCESS_FEATURES)
        else:
            used |= {churn.inputs[j] for j in part.columns}
    if used & set(DERIVED):
        used |= set(PROCESS_FEATURES)
    return [name for name in FEATURES if name in used]


def typical_values(rows: Snapshots) -> dict[str, float | None]:
    """What is usual for customers: the median of each feature where defined, None where it never is."""
    known = np.isfinite(rows.matrix)
    return {
        name: (float(np.median(rows.matrix[known[:, j], j])) if known[:, j].any() else None)
        for j, name in enumerate(FEATURES)
    }


def _too_few(training: Snapshots, newest: Snapshots, params: Params) -> str | None:
    if len(training) == 0:
        return "no past outcome is known yet"
    if len(newest) < params.train_min_customers:
        return (
            f"{len(newest):,} customers could be judged at the newest cutoff; {params.train_min_customers:,} are "
            "needed "
            "(train_min_customers)"
        )
    return backtest.enough_to_fit(training, params)


def _judged(result: backtest.Backtest, card: dict[str, Any]) -> tuple[JudgedCutoff, ...]:
    scored_by, estimated_by = card["decision"]["scored_by"], card["margin"]["estimated_by"]
    return tuple(
        JudgedCutoff(
            test.cutoff,
            test.rows.matrix,
            test.rows.is_churned,
            test.rows.is_active,
            test.rows.margin,
            test.probability[scored_by],
            test.probability["rule"],
            test.margins[estimated_by],
        )
        for test in result.tests
    )


def _candidate_models(result: backtest.Backtest) -> list[str]:
    return [m for m in backtest.CANDIDATE_MODELS if result.tests and m in result.tests[0].probability]


def _pooled(result: backtest.Backtest, candidate_model: str) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes and probabilities of active customers over all test cutoffs."""
    return (
        np.concatenate([t.rows.is_churned[t.rows.is_active] for t in result.tests]),
        np.concatenate([t.probability[candidate_model][t.rows.is_active] for t in result.tests]),
    )
