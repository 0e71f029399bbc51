"""The value model: what customers will be worth over the horizon and a year, learned and judged out of time.

In: a warehouse with the snapshots of the cutoffs, what the churn model said at its own test cutoffs. Out: the files of
a `ValueModel` with everything known of it. Chooses by deviance on unseen dates; ties go to the simpler.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import duckdb
import numpy as np

from assets.model import model_store
from assets.model.gamma_gamma import GammaGamma
from assets.model.interval_fit import learn_interval
from assets.model.value_fit import fit_order_values, fit_two_part
from assets.model.value_model import COVERAGE, simple_value, two_part
from assets.shared.params import Params
from assets.shared.plots import in_currency
from assets.train.judged import JudgedCutoff, to_parquet
from assets.train.value import plots
from assets.train.value.card_text import write_out
from assets.train.value.cutoffs import ValueCutoffs
from assets.train.value.extrapolation import factor_of_year_ago, learn_extrapolation_factor
from assets.train.value.performance import choose_candidate_model, measure_predictions
from assets.train.value.predictions import (
    Prediction,
    at_their_window_level,
    candidate_models_of,
    learn_churners_pay,
    learn_window_level,
    predict_horizon,
    predict_window,
)
from assets.train.value.profit_curve import curve_rows, economics
from assets.train.value.return_curve import (
    Said,
    as_published,
    learn_base,
    learn_from_waits,
    measure_curve,
    measure_next_order,
    waits_of,
)
from assets.train.value.rows import ValueRows, read_value_rows


@dataclass(frozen=True)
class ValueTask:
    """What a value model is learned from, apart from the warehouse.

    judged: the churn model's test cutoffs, oldest first, with its probabilities and margins as they were said then.
    cutoffs: of a longer window, None where the history has none. is_contractual: leaving is the end of a contract,
    until which a churner may still pay. said: the churn model's probabilities at all its out-of-time cutoffs.
    """

    anchor: date
    judged: tuple[JudgedCutoff, ...]
    cutoffs: ValueCutoffs | None
    params: Params
    is_contractual: bool = False
    said: tuple[Said, ...] = ()


@dataclass(frozen=True)
class FittedWindow:
    """Who speaks for a window longer than the horizon, fitted (how_much is None where a simple candidate model speaks),
    and what was said at its test cutoffs. order_values: None where too few customers were known. level: what its
    margins are multiplied by. year_ago: what it says now of the customers of a year ago, and what they gave since; None
    where the window is a year or the history shorter."""

    cutoffs: ValueCutoffs
    candidate_model: str
    tests: tuple[Prediction, ...]
    order_values: GammaGamma | None
    any_purchase: Any = None
    how_much: Any = None
    level: float = 1.0
    year_ago: Prediction | None = None

    def to_card(self) -> dict[str, Any]:
        return {
            "name": self.cutoffs.window,
            "days": self.cutoffs.days,
            "candidate_model": self.candidate_model,
            "level": self.level,
        }


def fit_value(con: duckdb.DuckDBPyConnection, task: ValueTask) -> dict[str, bytes]:
    """Learn and judge the value model as of `task.anchor`; returns its files by name, for the folder of the churn
    model, with the part of that model's card that speaks of money as `value.md`."""
    horizon_tests = predict_horizon(task.judged, task.params, task.is_contractual)
    window = _fit_window(con, task)
    card = _card(con, task, horizon_tests, window)
    fitted = (None, None) if window is None else (window.any_purchase, window.how_much)
    return {
        **model_store.value_files(card, *fitted),
        **to_parquet(task.judged),
        **_files_for_people(card, window.tests if window else horizon_tests, task, in_currency(con)),
    }


def _fit_window(con: duckdb.DuckDBPyConnection, task: ValueTask) -> FittedWindow | None:
    if task.cutoffs is None:
        return None
    cutoffs = task.cutoffs
    rows = read_value_rows(con, cutoffs.cutoffs, cutoffs.window)
    unleveled = predict_window(rows, cutoffs, task.params)
    if not unleveled:
        return None
    tests = at_their_window_level(unleveled, cutoffs.days, task.params.value_horizon_days)
    chosen, training = choose_candidate_model(tests), rows.at(cutoffs.training)
    any_purchase, how_much = fit_two_part(training.matrix, training.bought, training.margin, task.params.train_seed)
    if chosen != "two_part":
        how_much = None
    order_values = fit_order_values(training.matrix)
    fitted = FittedWindow(cutoffs, chosen, tuple(tests), order_values, any_purchase, how_much)
    if cutoffs.days == task.params.value_horizon_days:
        return replace(fitted, level=learn_window_level(unleveled, chosen))
    if cutoffs.year_ago is None:
        return fitted
    before = read_value_rows(con, [cutoffs.year_ago], "year")
    return replace(fitted, year_ago=Prediction(cutoffs.year_ago, {chosen: _said(fitted, before, task)}, before.margin))


def _said(fitted: FittedWindow, rows: ValueRows, task: ValueTask) -> np.ndarray:
    """What the fitted candidate model says of a window from the cutoff of these rows, (n,)."""
    if fitted.how_much is not None:
        return two_part(fitted.any_purchase, fitted.how_much, rows.matrix)
    spend = fitted.order_values if fitted.candidate_model == "gamma_gamma" else None
    params = task.params
    share, least = params.value_margin_share, params.churn_horizon_days
    return simple_value(rows.matrix, fitted.cutoffs.days, share, least, spend)


def _card(
    con: duckdb.DuckDBPyConnection, task: ValueTask, horizon_tests: Sequence[Prediction], window: FittedWindow | None
) -> dict[str, Any]:
    """The card of the value model, JSON types."""
    params, judged = task.params, task.judged
    horizon, days = params.churn_horizon_days, window.cutoffs.days if window else params.churn_horizon_days
    order_values = window.order_values if window else None
    if order_values is None and judged:
        order_values = fit_order_values(judged[-1].matrix)
    waits = waits_of(con, task.said, params, task.is_contractual)
    curve = learn_from_waits(learn_base(con, task.anchor, params), waits, task.anchor)
    performance = measure_predictions("horizon", horizon, horizon_tests, "two_part")
    if window:
        performance += measure_predictions("window", days, window.tests, window.candidate_model)
    published = as_published(waits)
    performance += measure_next_order(published, [test.cutoff for test in judged])
    performance += [] if task.is_contractual else measure_curve(published, task.anchor)
    # Without a window of its own the year is the horizon, extrapolated, and so is its interval.
    year = (window.tests, window.candidate_model) if window else (horizon_tests, "two_part")
    factor = learn_extrapolation_factor(con, days, params, task.anchor)
    interval = _interval(*year)
    if window and window.year_ago:
        n_windows = params.value_horizon_days / days
        factor = factor_of_year_ago(window.year_ago, window.candidate_model, n_windows) or factor
        said, came = window.year_ago.expected, window.year_ago.actual
        interval = _interval([replace(window.year_ago, expected=said, actual=came / factor)], window.candidate_model)
    return {
        "anchor": task.anchor.isoformat(),
        "horizon_days": horizon,
        "value_horizon_days": params.value_horizon_days,
        "margin_share": params.value_margin_share,
        "window": window.to_card() if window else None,
        "label_days": days,
        "basis": "labels" if days == params.value_horizon_days else "extrapolated",
        "extrapolation_factor": factor,
        "churners_pay": learn_churners_pay(judged, horizon) if task.is_contractual else None,
        "gamma_gamma": order_values.to_dict() if order_values else None,
        "return_curve": curve.to_dict(),
        "coverage": COVERAGE,
        "intervals": {"horizon": _interval(horizon_tests, "two_part"), "window": interval},
        "performance": performance,
    }


def _interval(tests: Sequence[Prediction], candidate_model: str) -> dict[str, Any] | None:
    if not tests:
        return None
    found = learn_interval(
        np.concatenate([test.expected[candidate_model] for test in tests]),
        np.concatenate([test.actual for test in tests]),
    )
    return found.to_dict() if found else None


def _files_for_people(
    card: dict[str, Any], tests: Sequence[Prediction], task: ValueTask, currency: str
) -> dict[str, bytes]:
    """Pictures, and `value.md`, the part of the model's card that speaks of money."""
    terms = economics(task.params)
    curve = curve_rows(task.judged, task.params, terms)
    files = {"value.md": write_out(card, curve, terms).encode()}
    if tests:
        expected = {
            name: np.concatenate([test.expected[name] for test in tests])
            for name in reversed(candidate_models_of(tests))
        }
        actual = np.concatenate([test.actual for test in tests])
        files["value.png"] = plots.draw_captured(expected, actual, card["label_days"])
    if curve:
        files["profit.png"] = plots.draw_profit(curve, terms.contact_cost, terms.offer_cost, currency)
    return files
