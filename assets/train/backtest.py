"""Model against rule, out of time: who would have scored better on days that neither had seen?

In: snapshots, a cut plan. Out: predictions at each test cut, metrics with intervals, the decision who scores. Both
are learned from the same rows and judged on the same customers. Fits through `estimator` and `rule`; writes nothing.
"""

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from assets.shared.params import Params
from assets.shared.retention_model import PROBABILITY_DECIMALS, one_thread, probability_of
from assets.shared.simple_rules import usual_margin
from assets.train import estimator, metrics
from assets.train.cuts import CutPlan
from assets.train.rule import learn_rule
from assets.train.snapshots import Snapshots

MEMBERS = ("model", "rule")
POPULATIONS = ("active", "all")
#: Above this AUC on its own a feature is taken to know the future.
LEAK_AUC = 0.97


@dataclass(frozen=True)
class CutResult:
    """What was predicted at one test cut and what happened. Probabilities by member; None where no model was fitted.
    margins: expected margin given a purchase, by member."""

    cut: date
    rows: Snapshots
    probability: dict[str, np.ndarray]
    margins: dict[str, np.ndarray]

    def population(self, name: str) -> np.ndarray:
        return self.rows.is_active if name == "active" else np.ones(len(self.rows), dtype=bool)


@dataclass(frozen=True)
class Backtest:
    """Results over the test cuts, oldest first.

    metric_rows: one dict a member, population, cut (None = mean) and metric. calibration: intercept and slope from
    all out-of-time predictions, for the model to be kept. fitted: whether a model took part.
    """

    tests: tuple[CutResult, ...]
    metric_rows: tuple[dict, ...]
    differences: dict[str, dict[str, float]]
    calibration: tuple[float, float]
    margin: dict
    fitted: bool = field(default=False)


@dataclass(frozen=True)
class Decision:
    scored_by: str  # model | rule
    reason: str


def enough_to_fit(rows: Snapshots, params: Params) -> str | None:
    """None when a model may be learned from these rows, else why not, in words."""
    churned, stayed = int(rows.is_churned.sum()), int((~rows.is_churned).sum())
    if min(churned, stayed) < params.train_min_events:
        return (
            f"{churned:,} customers who left and {stayed:,} who stayed are known; "
            f"{params.train_min_events:,} of each are needed (train_min_events)"
        )
    if len(estimator.usable_columns(rows.matrix)) == 0:
        return "no feature differs between customers"
    return None


def run_backtest(rows: Snapshots, plan: CutPlan, params: Params, fit_models: bool) -> Backtest:
    """Predict every test cut from the cuts closed before it, by the rule and, if `fit_models`, by the model.

    The model's calibration at a test cut is learned from its own earlier out-of-time predictions only (the label window
    of one test cut ends where the next begins), so no number here has seen its own outcome.
    """
    tests: list[CutResult] = []
    pool_z: list[np.ndarray] = []
    pool_y: list[np.ndarray] = []
    for cut in plan.out_of_time:
        known, here = rows.at(plan.known_before(cut)), rows.at([cut])
        if len(here) == 0 or len(known) == 0:
            continue
        can_fit = fit_models and enough_to_fit(known, params) is None
        log_odds = None
        if can_fit:
            churn = estimator.fit_churn(known, params.train_seed)
            log_odds = estimator.mean_log_odds(churn, here.matrix)
        if cut in plan.test and (can_fit or not fit_models):
            tests.append(_judge(cut, known, here, log_odds, pool_z, pool_y, params))
        if log_odds is not None:
            pool_z.append(log_odds)
            pool_y.append(here.is_churned)
    calibration = _calibration(pool_z, pool_y)
    metric_rows, differences = _measure(tests, params.train_seed)
    fitted = bool(tests) and "model" in tests[0].probability
    return Backtest(tuple(tests), tuple(metric_rows), differences, calibration, _measure_margin(tests), fitted)


def decide(backtest: Backtest, leak: tuple[str | None, float]) -> Decision:
    """The model scores only if, on customers still active, it ranks better than the rule by more than its uncertainty
    over the test cuts (`metrics.mean_margin`), and its squared error is not worse. Ties go to the rule."""
    if not backtest.fitted or len(backtest.tests) < 2:
        return Decision("rule", "the model could not be judged on at least two test cuts, so the rule scores")
    feature, auc = leak
    if feature is not None and auc > LEAK_AUC:
        return Decision(
            "rule",
            f"leak alarm: {feature} alone separates those who left from those who stayed with AUC {auc:.3f} "
            f"(limit {LEAK_AUC}); it seems to know the future, so the rule scores",
        )
    gain, brier = backtest.differences["auc"], backtest.differences["brier"]
    words = (
        f"on active customers over {len(backtest.tests)} test cuts the model's AUC minus the rule's is "
        f"{gain['value']:+.3f} (95 % interval {gain['low']:+.3f} to {gain['high']:+.3f}) and its Brier score minus the "
        f"rule's {brier['value']:+.4f} (lower is better)"
    )
    if not np.isfinite(gain["low"]) or not np.isfinite(brier["value"]):
        return Decision("rule", "some test cut has one outcome only, so the two cannot be compared and the rule scores")
    if gain["low"] > 0 and brier["value"] <= 0:
        return Decision("model", f"{words}: the model scores")
    return Decision("rule", f"{words}: not better beyond doubt, so the rule scores")


def _judge(cut, known, here, log_odds, pool_z, pool_y, params: Params) -> CutResult:
    rule = learn_rule(known.column("days_since_last_order"), known.is_churned, params.churn_horizon_days)
    probability = {"rule": rule.probability(here.column("days_since_last_order")).round(PROBABILITY_DECIMALS)}
    margins = {
        "rule": usual_margin(
            here.column("average_order_value"), here.column("n_orders"), here.column("tenure_days"),
            params.churn_horizon_days, params.value_margin_share,
        )
    }
    if log_odds is not None:
        intercept, slope = _calibration(pool_z, pool_y)
        probability["model"] = probability_of(intercept + slope * log_odds).round(PROBABILITY_DECIMALS)
        if (known.margin[~known.is_churned] > 0).any():
            fitted = estimator.fit_margin(known, params.train_seed)
            with one_thread():
                margins["model"] = np.maximum(fitted.predict(here.matrix), 0.0)
    return CutResult(cut, here, probability, margins)


def _calibration(pool_z: list[np.ndarray], pool_y: list[np.ndarray]) -> tuple[float, float]:
    if not pool_z:
        return 0.0, 1.0
    return estimator.fit_calibration(np.concatenate(pool_z), np.concatenate(pool_y))


def _measure(tests: list[CutResult], seed: int) -> tuple[list[dict], dict[str, dict[str, float]]]:
    """Metric rows, and the paired differences model − rule on active customers (mean over cuts with 95 % interval)."""
    rows: list[dict] = []
    differences: dict[str, dict[str, float]] = {}
    for population in POPULATIONS:
        values: dict[str, list] = {m: [] for m in MEMBERS}
        spreads: dict[str, list] = {m: [] for m in MEMBERS}
        paired_spreads, counts = [], []
        for number, test in enumerate(tests):
            inside = test.population(population)
            y = test.rows.is_churned[inside]
            counts.append((len(y), int(y.sum())))
            resamples = metrics.draw_resamples(len(y), [seed, number, POPULATIONS.index(population)])
            drawn = {}
            for member, probability in test.probability.items():
                values[member].append(metrics.measure(y, probability[inside]))
                drawn[member] = metrics.measure_resamples(y, probability[inside], resamples)
                spreads[member].append(_spread(drawn[member]))
                margins = metrics.Z95 * spreads[member][-1]
                rows += _rows(member, population, test.cut, values[member][-1], margins, counts[-1])
            if len(drawn) == 2:
                paired_spreads.append(_spread(drawn["model"] - drawn["rule"]))
        for member in MEMBERS:
            if not values[member]:
                continue
            table, errors = np.array(values[member]), np.array(spreads[member])
            margins = np.array([metrics.mean_margin(table[:, j], errors[:, j]) for j in range(table.shape[1])])
            total = (sum(n for n, _ in counts), sum(k for _, k in counts))
            rows += _rows(member, population, None, table.mean(axis=0), margins, total)
        if population == "active" and paired_spreads:
            gaps = np.array(values["model"]) - np.array(values["rule"])
            errors = np.array(paired_spreads)
            for j, metric in enumerate(metrics.METRICS):
                mean = float(gaps[:, j].mean())
                margin = metrics.mean_margin(gaps[:, j], errors[:, j])
                differences[metric] = {"value": mean, "low": mean - margin, "high": mean + margin}
    return rows, differences


def _spread(resampled: np.ndarray) -> np.ndarray:
    """Standard deviation over resamples; those with one class only say nothing of a ranking and are left out."""
    if len(resampled) == 0 or np.isfinite(resampled).all(axis=1).sum() < 2:
        return np.full(len(metrics.METRICS), np.nan)
    return np.nanstd(resampled[np.isfinite(resampled).all(axis=1)], axis=0, ddof=1)


def _rows(member, population, cut, values, margins, counts) -> list[dict]:
    rows = []
    for metric, value, margin in zip(metrics.METRICS, values, margins, strict=True):
        found = metrics.estimate(metric, value, margin)
        rows.append({
            "member": member, "population": population, "cut_date": cut, "metric": metric,
            "value": found.value, "low": found.low, "high": found.high,
            "n_rows": counts[0], "n_churned": counts[1],
        })
    return rows


def _measure_margin(tests: list[CutResult]) -> dict:
    """Margin estimates compared on the test cuts: deviance among those who bought, actual over expected total among
    them, and the share of all margin that the tenth with the highest expectation brought. `estimated_by` says who is
    used: the model only if its deviance is lower by more than the uncertainty over the test cuts."""
    comparison: dict[str, dict[str, float]] = {}
    complete = [test for test in tests if len(test.margins) == 2]
    for member in MEMBERS:
        found = []
        for test in complete if member == "model" else tests:
            actual, bought = np.maximum(test.rows.margin, 0.0), ~test.rows.is_churned
            expected = test.margins[member]
            total = expected[bought].sum()
            found.append((
                metrics.mean_and_error(metrics.poisson_deviances(actual[bought], expected[bought]))[0],
                actual[bought].sum() / total if total > 0 else np.nan,
                metrics.captured_share(actual, expected),
            ))
        if found:
            means = np.array(found).mean(axis=0)
            comparison[member] = {
                name: (float(v) if np.isfinite(v) else None)
                for name, v in zip(("deviance", "actual_over_expected", "captured_by_top_tenth"), means, strict=True)
            }
    estimated_by = "rule"
    if len(complete) >= 2 and len(complete) == len(tests):
        gains, errors = np.array([_margin_gain(test) for test in complete]).T
        if gains.mean() - metrics.mean_margin(gains, errors) > 0:
            estimated_by = "model"
    return {"estimated_by": estimated_by, "comparison": comparison}


def _margin_gain(test: CutResult) -> tuple[float, float]:
    """Deviance of the rule's margins minus the model's, mean over those who bought, with its standard error."""
    bought = ~test.rows.is_churned
    actual = np.maximum(test.rows.margin, 0.0)[bought]
    rule, model = (metrics.poisson_deviances(actual, test.margins[m][bought]) for m in ("rule", "model"))
    return metrics.mean_and_error(rule - model)
