"""The value model: what customers will be worth over the horizon and a year, learned and judged out of time.

In: a warehouse with the snapshots of the cutoffs, what the churn model said at its own test cutoffs. Out: the files of
a `value_model.ValueModel` with everything known of it. Chooses by deviance on unseen dates; ties go to the simpler.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from assets.shared import value_model
from assets.shared.gamma_gamma import GammaGamma
from assets.shared.params import Params
from assets.shared.purchase_rhythm import PurchaseRhythm
from assets.shared.retention_model import one_thread
from assets.shared.value_model import (
    CANDIDATE_MODELS,
    COVERAGE,
    Interval,
    column,
    covered_share,
    over_horizon,
    simple_value,
    two_part,
)
from assets.train import metrics
from assets.train.judged import JudgedCutoff, to_parquet
from assets.train.spend import fit_gamma_gamma, fit_rhythm, rhythm_by_convention
from assets.train.value_cutoffs import ValueCutoffs
from assets.train.value_rows import ValueRows, Waits, later_margins, read_gaps, read_value_rows, read_waits

#: Fewest customers in a bin of the interval, and most bins.
BIN_ROWS, MAX_BINS = 50, 10
#: About how many customers the gamma-gamma model is learned from.
MAX_SPEND_ROWS = 5_000
#: Test cutoffs at which the purchase rhythm is judged, newest first.
N_RHYTHM_TESTS = 2
#: The margin of later windows is taken to fall by at most and at least this much a window when it is extrapolated.
LEAST_DECAY, MOST_DECAY = 1.0, 0.1
_TREES = {
    "max_iter": 120,
    "max_leaf_nodes": 7,
    "learning_rate": 0.05,
    "l2_regularization": 10.0,
    "early_stopping": False,
}


@dataclass(frozen=True)
class Prediction:
    """Expected margins at one test cutoff, by candidate model, and what came. bought: any purchase in the window."""

    cutoff: date
    expected: dict[str, np.ndarray]
    actual: np.ndarray


def fit_value(
    con: duckdb.DuckDBPyConnection,
    cutoffs: ValueCutoffs | None,
    judged: Sequence[JudgedCutoff],
    params: Params,
    anchor: date,
    is_contractual: bool = False,
) -> dict[str, bytes]:
    """Learn and judge the value model as of `anchor`; returns its files by name, for the folder of the churn model.

    judged: the churn model's test cutoffs, oldest first, with its probabilities and margins as they were said then.
    is_contractual: leaving is the end of a contract, until which a churner may still pay.
    """
    judged = list(judged)
    spend = _spend(judged)
    horizon = params.churn_horizon_days

    def churners_pay(before: Sequence[JudgedCutoff]) -> float | None:
        return learn_churners_pay(before, horizon) if is_contractual else None

    # A test cutoff knows what churners of cutoffs closed before it paid, never its own.
    tests = [
        _speak_horizon(test, params, churners_pay([t for t in judged if t.cutoff + timedelta(horizon) <= test.cutoff]))
        for test in judged
    ]
    rows_of_all = _performance("horizon", params.churn_horizon_days, tests, "two_part")
    window, any_purchase, how_much, window_tests = None, None, None, []
    if cutoffs is not None:
        rows = read_value_rows(con, cutoffs.cutoffs, cutoffs.window)
        window_tests = [
            test
            for cutoff, known in sorted(cutoffs.tests.items())
            if (test := _speak_window(rows, cutoff, known, cutoffs.days, params)) is not None
        ]
        if window_tests:
            candidate_model = choose_candidate_model(window_tests)
            training = rows.at(cutoffs.training)
            spend = _fit_spend(training.matrix) or spend
            if candidate_model == "two_part":
                any_purchase, how_much = fit_two_part(training, params.train_seed)
            window = {"name": cutoffs.window, "days": cutoffs.days, "candidate_model": candidate_model}
            rows_of_all += _performance("window", cutoffs.days, window_tests, candidate_model)
    extrapolation_factor = _extrapolation_factor(con, window, params, anchor, judged)
    rhythm, rhythm_rows = _rhythm(con, judged, params, anchor)
    days = window["days"] if window else params.churn_horizon_days
    card = {
        "anchor": anchor.isoformat(),
        "horizon_days": params.churn_horizon_days,
        "value_horizon_days": params.value_horizon_days,
        "margin_share": params.value_margin_share,
        "window": window,
        "label_days": days,
        "basis": "labels" if days == params.value_horizon_days else "extrapolated",
        "extrapolation_factor": extrapolation_factor,
        "churners_pay": churners_pay(judged),
        "gamma_gamma": spend.to_dict() if spend else None,
        "rhythm": {**rhythm.gaps.to_dict(), "n_customers": rhythm.n_customers},
        "coverage": COVERAGE,
        "intervals": {
            "horizon": _interval([(t.expected["two_part"], t.actual) for t in tests]),
            # Without a window of its own the year is the horizon, extrapolated, and so is its interval.
            "window": _interval(
                [(t.expected[window["candidate_model"]], t.actual) for t in window_tests]
                if window
                else [(t.expected["two_part"], t.actual) for t in tests]
            ),
        },
        "performance": _plain(rows_of_all + rhythm_rows),
    }
    files = {**value_model.to_files(card, any_purchase, how_much), **to_parquet(judged)}
    return {**files, **_for_people(card, window_tests or tests, judged, params)}


def _for_people(
    card: dict[str, Any], tests: Sequence[Prediction], judged: Sequence[JudgedCutoff], params: Params
) -> dict[str, bytes]:
    """Pictures, and `value.md`, the part of the model's card that speaks of money."""
    from assets.train import value_card, value_plots
    from assets.train.value_tables import curve_rows, economics

    terms = economics(params)
    rows = curve_rows(judged, params, terms)
    files = {"value.md": value_card.write_out(card, rows, terms).encode()}
    if tests:
        candidate_models = [m for m in CANDIDATE_MODELS if all(m in test.expected for test in tests)]
        said = {m: np.concatenate([test.expected[m] for test in tests]) for m in reversed(candidate_models)}
        actual = np.concatenate([test.actual for test in tests])
        files["value.png"] = value_plots.draw_captured(said, actual, card["label_days"])
    if rows:
        files["profit.png"] = value_plots.draw_profit(rows, params.profit_contact_cost, params.profit_offer_cost)
    return files


def fit_two_part(rows: ValueRows, seed: int) -> tuple[Any, Any]:
    """P(any purchase) by logistic regression (None where all bought) and E[margin | purchase] by boosted trees on a
    Poisson loss, learned from buyers; negative margins count as zero. (None, None) where nobody brought a margin."""
    bought = rows.where(rows.bought)
    amount = np.maximum(bought.margin, 0.0)
    if not (amount > 0).any():
        return None, None
    any_purchase = None
    with one_thread():
        if not rows.bought.all():
            any_purchase = Pipeline(
                [
                    ("columns", _keep(rows.matrix)),
                    (
                        "logistic",
                        make_pipeline(
                            FunctionTransformer(np.arcsinh),
                            SimpleImputer(strategy="median", add_indicator=True),
                            StandardScaler(),
                            LogisticRegression(C=0.03, max_iter=1000),
                        ),
                    ),
                ]
            ).fit(rows.matrix, rows.bought.astype(int))
        leaf = int(min(80, max(5, len(bought) // 50)))
        how_much = Pipeline(
            [
                ("columns", _keep(bought.matrix)),
                (
                    "trees",
                    HistGradientBoostingRegressor(**_TREES, loss="poisson", min_samples_leaf=leaf, random_state=seed),
                ),
            ]
        ).fit(bought.matrix, amount)
    return any_purchase, how_much


def choose_candidate_model(tests: Sequence[Prediction]) -> str:
    """Who speaks for the year: each candidate model, simplest first, gives way to the next only if that one's Poisson
    deviance on the test cutoffs is lower by more than its standard error twice over."""
    chosen = CANDIDATE_MODELS[0]
    for candidate_model in CANDIDATE_MODELS[1:]:
        if any(candidate_model not in test.expected for test in tests):
            continue
        gains = np.concatenate(
            [
                metrics.poisson_deviances(np.maximum(test.actual, 0), test.expected[chosen])
                - metrics.poisson_deviances(np.maximum(test.actual, 0), test.expected[candidate_model])
                for test in tests
            ]
        )
        mean, error = metrics.mean_and_error(gains)
        if np.isfinite(error) and mean > metrics.Z95 * error:
            chosen = candidate_model
    return chosen


def learn_interval(expected: np.ndarray, actual: np.ndarray) -> Interval | None:
    """Interval of `COVERAGE` from pairs of expectation and outcome that the model had not seen; None below BIN_ROWS
    pairs. Ranks as in split conformal prediction, so that coverage holds for few pairs too."""
    e, a = np.asarray(expected, dtype=float), np.asarray(actual, dtype=float)
    n = len(e)
    if n < BIN_ROWS:
        return None
    # Without something added an expectation of nearly nothing would turn every cent into an endless ratio.
    offset = float(max(0.05 * np.abs(a).mean(), 1e-6))
    n_bins = int(min(MAX_BINS, n // BIN_ROWS))
    edges = np.unique(np.quantile(e, np.arange(1, n_bins) / n_bins))
    place = np.searchsorted(edges, e, side="left")
    # Equal expectations share a bin; a bin left with few pairs joins the one below.
    kept = [edge for i, edge in enumerate(edges) if (place == i).sum() >= BIN_ROWS // 2]
    edges = np.array(kept)
    place = np.searchsorted(edges, e, side="left")
    ratio, tail = a / (e + offset), (1 - COVERAGE) / 2
    low, high = [], []
    for i in range(len(edges) + 1):
        inside = np.sort(ratio[place == i])
        m = len(inside)
        if m == 0:
            inside, m = np.sort(ratio), n
        low.append(float(inside[max(int(np.floor((m + 1) * tail)) - 1, 0)]))
        high.append(float(inside[min(int(np.ceil((m + 1) * (1 - tail))) - 1, m - 1)]))
    return Interval(tuple(edges.tolist()), tuple(low), tuple(high), offset)


def money_metrics(expected: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    """Ranking and money errors of expected margins, (n,) each.

    spearman: rank correlation. gini: that of the expectation over that of the outcome itself (1: ranks as the outcome
    would). captured_by_top_tenth, oracle_by_top_tenth: share of all margin that the tenth with the highest expectation,
    or outcome, brought. actual_over_expected: total over total. mae: mean absolute error, money. deviance: Poisson.
    """
    from scipy.stats import rankdata

    gained = np.maximum(actual, 0.0)
    ranks = np.corrcoef(rankdata(expected), rankdata(actual))[0, 1] if _varies(expected, actual) else np.nan
    total = expected.sum()
    own = _gini(gained, gained)
    return {
        "spearman": float(ranks),
        "gini": float(_gini(gained, expected) / own) if own > 0 else float("nan"),
        "captured_by_top_tenth": metrics.captured_share(gained, expected),
        "oracle_by_top_tenth": metrics.captured_share(gained, gained),
        "actual_over_expected": float(actual.sum() / total) if total > 0 else float("nan"),
        "mae": float(np.abs(actual - expected).mean()),
        "deviance": metrics.mean_and_error(metrics.poisson_deviances(gained, expected))[0],
    }


def _gini(amount: np.ndarray, score: np.ndarray) -> float:
    """Gini of the concentration curve of `amount`, lowest score first; equal scores count half."""
    from scipy.stats import rankdata

    n, total = len(amount), amount.sum()
    if n < 2 or total <= 0:
        return float("nan")
    return float(2 * (rankdata(score) * amount).sum() / (n * total) - (n + 1) / n)


def _varies(*arrays: np.ndarray) -> bool:
    return all(len(a) > 1 and np.ptp(a) > 0 for a in arrays)


def _keep(matrix: np.ndarray) -> ColumnTransformer:
    """Columns with at least one value; an all-missing column crashes the trees."""
    kept = np.flatnonzero((~np.isnan(matrix)).any(axis=0))
    return ColumnTransformer([("kept", "passthrough", kept.tolist())])


def _fit_spend(matrix: np.ndarray) -> GammaGamma | None:
    """Three parameters are known well from some thousand customers; rows are in content order: every k-th will do."""
    some = matrix[:: max(1, len(matrix) // MAX_SPEND_ROWS)]
    return fit_gamma_gamma(column(some, "n_orders"), column(some, "average_order_value"))


def _spend(judged: Sequence[JudgedCutoff]) -> GammaGamma | None:
    return _fit_spend(judged[-1].matrix) if judged else None


def _simple(matrix: np.ndarray, days: int, params: Params, spend: GammaGamma | None) -> dict[str, np.ndarray]:
    said = {"average_spend": simple_value(matrix, days, params.value_margin_share, params.churn_horizon_days)}
    if spend is not None:
        said["gamma_gamma"] = simple_value(matrix, days, params.value_margin_share, params.churn_horizon_days, spend)
    return said


def learn_churners_pay(judged: Sequence[JudgedCutoff], horizon_days: int) -> float:
    """What those who left paid until their contract ended, as a multiple of what their share of the horizon would have
    brought at the margin of somebody who stays: 1 for even payments (and while fewer than BIN_ROWS churners are known),
    0 where everything was paid before."""
    if sum(int(test.is_churned.sum()) for test in judged) < BIN_ROWS:
        return 1.0
    paid = sum(float(np.maximum(test.margin[test.is_churned], 0.0).sum()) for test in judged)
    even = sum(
        float((covered_share(test.matrix, horizon_days) * test.margin_if_retained)[test.is_churned].sum())
        for test in judged
    )
    return paid / even if even > 0 else 1.0


def _speak_horizon(test: JudgedCutoff, params: Params, churners_pay: float | None) -> Prediction:
    """What was said of the horizon at a test cutoff. Gamma-gamma sees the order values of that day, never outcomes."""
    said = _simple(test.matrix, params.churn_horizon_days, params, _fit_spend(test.matrix))
    said["two_part"] = over_horizon(
        test.matrix, test.churn_probability, test.margin_if_retained, churners_pay, params.churn_horizon_days
    )
    return Prediction(test.cutoff, said, test.margin)


def _speak_window(rows: ValueRows, cutoff: date, known: Sequence[date], days: int, params: Params) -> Prediction | None:
    here, before = rows.at([cutoff]), rows.at(known)
    if len(here) == 0 or len(before) < params.train_min_customers:
        return None
    said = _simple(here.matrix, days, params, _fit_spend(here.matrix))
    any_purchase, how_much = fit_two_part(before, params.train_seed)
    if how_much is not None:
        said["two_part"] = two_part(any_purchase, how_much, here.matrix)
    return Prediction(cutoff, said, here.margin)


def _interval(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any] | None:
    if not pairs:
        return None
    found = learn_interval(*(np.concatenate(side) for side in zip(*pairs, strict=True)))
    return found.to_dict() if found else None


def _coverage(tests: Sequence[Prediction], candidate_model: str) -> dict[date, tuple[float, int]]:
    """Share of outcomes within their interval by test cutoff, each interval learned from earlier test cutoffs only;
    with one test cutoff, from every other customer of it and checked on the rest."""
    found = {}
    if len(tests) == 1:
        expected, actual = tests[0].expected[candidate_model], tests[0].actual
        learned = learn_interval(expected[::2], actual[::2])
        pairs = [(tests[0].cutoff, expected[1::2], actual[1::2], learned)]
    else:
        pairs = [
            (
                test.cutoff,
                test.expected[candidate_model],
                test.actual,
                learn_interval(
                    np.concatenate([t.expected[candidate_model] for t in tests[:i]]),
                    np.concatenate([t.actual for t in tests[:i]]),
                ),
            )
            for i, test in enumerate(tests)
            if i
        ]
    for cutoff, expected, actual, learned in pairs:
        if learned is not None and len(expected):
            low, high = learned.around(expected)
            found[cutoff] = (float(((actual >= low) & (actual <= high)).mean()), len(expected))
    return found


def _performance(target: str, days: int, tests: Sequence[Prediction], chosen: str) -> list[dict[str, Any]]:
    """Rows of value_performance: every candidate model and metric at each test cutoff, and the mean over them
    (cutoff_date None)."""
    rows = []
    for candidate_model in CANDIDATE_MODELS:
        if not tests or any(candidate_model not in test.expected for test in tests):
            continue
        measured = {test.cutoff: money_metrics(test.expected[candidate_model], test.actual) for test in tests}
        counts = {test.cutoff: len(test.actual) for test in tests}
        if candidate_model == chosen:
            for cutoff, (share, _) in _coverage(tests, candidate_model).items():
                measured[cutoff]["coverage"] = share
        rows += _rows(target, days, candidate_model, candidate_model == chosen, measured, counts)
    return rows


def _rows(
    target: str,
    days: int,
    candidate_model: str,
    is_scoring: bool,
    measured: dict[date, dict[str, float]],
    counts: dict[date, int],
) -> list[dict[str, Any]]:
    rows = []
    names = list(dict.fromkeys(name for found in measured.values() for name in found))
    for name in names:
        values = {cutoff: found[name] for cutoff, found in measured.items() if name in found}
        known = [v for v in values.values() if np.isfinite(v)]
        mean = float(np.mean(known)) if known else float("nan")
        for cutoff, value in [*values.items(), (None, mean)]:
            rows.append(
                {
                    "target": target,
                    "window_days": days,
                    "candidate_model": candidate_model,
                    "is_scoring": is_scoring,
                    "cutoff_date": cutoff,
                    "metric": name,
                    "value": value,
                    "n_rows": sum(counts[c] for c in values) if cutoff is None else counts[cutoff],
                }
            )
    return rows


def _extrapolation_factor(
    con: duckdb.DuckDBPyConnection,
    window: dict[str, Any] | None,
    params: Params,
    anchor: date,
    judged: Sequence[JudgedCutoff],
) -> float:
    """Margin over the value horizon as a multiple of that over the label window, from how the margin of an earlier
    cohort went on; beyond what was seen, falling by its mean rate."""
    days = window["days"] if window else params.churn_horizon_days
    if days >= params.value_horizon_days:
        return 1.0
    cutoffs = con.execute(
        "select min(cutoff_date) from features.training_snapshots where label_available_on <= ? and horizon_days = ?",
        [anchor, params.churn_horizon_days],
    ).fetchone()
    amounts = later_margins(con, cutoffs[0], days, anchor) if cutoffs and cutoffs[0] else np.empty(0)
    return extrapolation_of(amounts, params.value_horizon_days / days)


def extrapolation_of(amounts: np.ndarray, n_windows: float) -> float:
    """Sum of `n_windows` windows (not whole at the end) over the first one, given the amounts of the first few: later
    ones follow at the mean rate of those seen, between MOST_DECAY and LEAST_DECAY a window; without two of them, level.
    """
    seen = np.maximum(np.asarray(amounts, dtype=float), 0.0)
    if len(seen) == 0 or seen[0] <= 1e-9 * max(seen.max(), 1.0):
        seen = np.ones(1)
    rate = (
        1.0 if len(seen) < 2 else float(np.clip((seen[-1] / seen[0]) ** (1 / (len(seen) - 1)), MOST_DECAY, LEAST_DECAY))
    )
    relative = list(np.minimum(seen / seen[0], 2.0))
    while len(relative) < n_windows:
        relative.append(relative[-1] * rate)
    whole = math.floor(n_windows)
    return float(sum(relative[:whole]) + (n_windows - whole) * (relative[whole] if whole < len(relative) else 0.0))


def _rhythm(
    con: duckdb.DuckDBPyConnection, judged: Sequence[JudgedCutoff], params: Params, anchor: date
) -> tuple[PurchaseRhythm, list[dict[str, Any]]]:
    """The purchase rhythm as of the anchor, and how well that of each test cutoff told the days to the next
    purchase."""

    def learned(before: date) -> PurchaseRhythm:
        gaps = read_gaps(con, before, params.lifecycle_lost_days)
        found = fit_rhythm(gaps.n, gaps.total, gaps.logs, gaps.silent)
        return found or rhythm_by_convention(params.churn_horizon_days / 2)

    measured: dict[str, dict[date, dict[str, float]]] = {"rhythm": {}, "own_gap": {}}
    counts = {}
    for cutoff in [test.cutoff for test in judged][-N_RHYTHM_TESTS:]:
        waits = read_waits(con, cutoff, params.churn_horizon_days)
        for candidate_model, values in wait_metrics(learned(cutoff), waits, params.churn_horizon_days).items():
            measured[candidate_model][cutoff] = values
        counts[cutoff] = len(waits.days)
    rows = []
    for candidate_model, by_cutoff in measured.items():
        rows += _rows(
            "next_order", params.churn_horizon_days, candidate_model, candidate_model == "rhythm", by_cutoff, counts
        )
    return learned(anchor), rows


def wait_metrics(rhythm: PurchaseRhythm, waits: Waits, horizon_days: int) -> dict[str, dict[str, float]]:
    """Days to the next purchase of those who bought within the horizon: mean absolute error, mean error (expected less
    actual) and rank correlation, beside the simple guess that the own mean gap is kept to the day."""
    from scipy.stats import rankdata

    said = {
        "rhythm": rhythm.expected_wait_within(waits.n, waits.total, waits.silent, float(horizon_days)),
        "own_gap": np.clip(waits.total / np.maximum(waits.n, 1) - waits.silent, 0.0, float(horizon_days)),
    }
    found = {}
    for candidate_model, expected in said.items():
        known = np.isfinite(expected)
        e, a = expected[known], waits.days[known]
        found[candidate_model] = {
            "mae_days": float(np.abs(e - a).mean()) if len(a) else float("nan"),
            "bias_days": float((e - a).mean()) if len(a) else float("nan"),
            "spearman": float(np.corrcoef(rankdata(e), rankdata(a))[0, 1]) if _varies(e, a) else float("nan"),
        }
    return found


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            **row,
            "cutoff_date": row["cutoff_date"].isoformat() if row["cutoff_date"] else None,
            "value": float(row["value"]) if np.isfinite(row["value"]) else None,
            "is_scoring": bool(row["is_scoring"]),
        }
        for row in rows
    ]
