"""Candidate models against each other, out of time: who would have scored better on days that none had seen?

In: snapshots, a cutoff plan, the incumbents. Out: predictions at each cutoff, model selection's choice, metrics with
intervals of the chosen model beside the rule. All are learned from the same rows and judged on the same customers. Fits
through `estimator` and `rule`; writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np

from assets.shared.churn_model import ChurnModel
from assets.shared.params import Params
from assets.shared.retention_model import PROBABILITY_DECIMALS, RetentionModel, one_thread, probability_of
from assets.shared.season import YEAR
from assets.shared.simple_rules import usual_margin
from assets.train import estimator, metrics, model_selection
from assets.train.cutoffs import CutoffPlan
from assets.train.model_selection import Choice, Judged
from assets.train.rule import learn_rule_from
from assets.train.season_fit import learn_share
from assets.train.snapshots import Snapshots

CANDIDATE_MODELS = ("model", "rule")
POPULATIONS = model_selection.POPULATIONS
#: Above this AUC on its own a feature is taken to know the future.
LEAK_AUC = 0.97


@dataclass(frozen=True)
class CutoffResult:
    """What was predicted at one test cutoff and what happened, by `model` (who scores, or else the best) and `rule`.
    margins: expected margin given a purchase, by candidate model."""

    cutoff: date
    rows: Snapshots
    probability: dict[str, np.ndarray]
    margins: dict[str, np.ndarray]

    def population(self, name: str) -> np.ndarray:
        return self.rows.is_active if name == "active" else np.ones(len(self.rows), dtype=bool)


@dataclass(frozen=True)
class Backtest:
    """Results, oldest first.

    tests: the test cutoffs. judged: validation and test cutoffs with all candidate models. choice: what the validation
    cutoffs say. metric_rows: one dict a candidate model, population, test cutoff (None = mean) and metric. calibration:
    from all out-of-time predictions of that candidate model, for the model to be kept.
    """

    tests: tuple[CutoffResult, ...]
    judged: tuple[Judged, ...]
    choice: Choice
    metric_rows: tuple[dict, ...]
    differences: dict[str, dict[str, float]]
    calibration: "Calibration"
    margin: dict

    @property
    def fitted(self) -> bool:
        return self.choice.is_fitted


@dataclass(frozen=True)
class Calibration:
    """Calibrated log-odds = intercept + shift + slope × log-odds + season × by how much the candidate model was off one
    year before. n_rows: out-of-time predictions it rests on; n_newest: those of the newest cutoff, fitted by the
    shift."""

    intercept: float = 0.0
    slope: float = 1.0
    shift: float = 0.0
    n_rows: int = 0
    n_newest: int = 0
    season: float = 0.0
    season_newest: float = 0.0  # the season's part at the newest cutoff, in log-odds

    def of(self, log_odds: np.ndarray, off_year_before: float = float("nan")) -> np.ndarray:
        return self.intercept + self.shift + self.slope * log_odds + self.seasonal(off_year_before)

    def seasonal(self, off_year_before: float) -> float:
        """The season's part of the log-odds; none where the year before is not known."""
        return self.season * off_year_before if np.isfinite(off_year_before) else 0.0


@dataclass(frozen=True)
class Decision:
    scored_by: str  # model | rule
    reason: str
    candidate_model: str = model_selection.RULE
    kept: bool = field(default=False)  # the incumbent stays


@dataclass
class _Pool:
    """Out-of-time predictions of one candidate model so far: cutoff, uncalibrated log-odds, outcomes, and by how much
    the same fitted candidate model was off one year before (NaN: not known)."""

    cutoffs: list[date] = field(default_factory=list)
    log_odds: list[np.ndarray] = field(default_factory=list)
    is_churned: list[np.ndarray] = field(default_factory=list)
    off_year_before: list[float] = field(default_factory=list)

    def calibration(self, closed_by: date, horizon_days: int, with_season: bool = True) -> Calibration:
        """From the predictions whose outcomes are closed by a day: what happened later is not known yet. Without the
        year before the day that is to be predicted no season can be applied, and none may be taken out."""
        closed = [i for i, cutoff in enumerate(self.cutoffs) if cutoff + timedelta(horizon_days) <= closed_by]
        if not closed:
            return Calibration()
        z = np.concatenate([self.log_odds[i] for i in closed])
        y = np.concatenate([self.is_churned[i] for i in closed])
        season = 0.0
        if with_season:
            off = [estimator.fit_shift(self.log_odds[i], self.is_churned[i]) for i in closed]
            season = learn_share(off, [self.off_year_before[i] for i in closed])
        seasonal = {
            i: season * self.off_year_before[i] if season and np.isfinite(self.off_year_before[i]) else 0.0
            for i in closed
        }
        offsets = np.concatenate([np.full(len(self.log_odds[i]), seasonal[i]) for i in closed])
        intercept, slope = estimator.fit_calibration(z, y, offsets)
        newest = max(closed, key=lambda i: self.cutoffs[i])
        shift = estimator.fit_shift(
            intercept + slope * self.log_odds[newest] + seasonal[newest], self.is_churned[newest]
        )
        return Calibration(intercept, slope, shift, len(y), len(self.is_churned[newest]), season, seasonal[newest])


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


def run_backtest(
    rows: Snapshots,
    plan: CutoffPlan,
    params: Params,
    fit_models: bool,
    incumbents: Mapping[date, RetentionModel] | None = None,
    is_contractual: bool = False,
) -> Backtest:
    """Predict every out-of-time cutoff from the cutoffs closed before it, by the rule and, if `fit_models`, by all
    candidate models.

    incumbents: cutoff → the model that was active on that day and had been trained by then; it takes part as it was.
    is_contractual: leaving is the end of a contract, and the rule reads the days that it still covers.
    A candidate model's calibration at a cutoff is learned from its own earlier out-of-time predictions only, as far as
    their outcomes were closed by then, so no number here has seen its own outcome.
    """
    judged: list[Judged] = []
    known_by_cutoff: dict[date, Snapshots] = {}
    pools: dict[str, _Pool] = {}
    for cutoff in plan.out_of_time:
        known, here = _most(rows.at(plan.known_before(cutoff)), params), _most(rows.at([cutoff]), params)
        if len(here) == 0 or len(known) == 0:
            continue
        year_before = _most(rows.at([cutoff - YEAR]), params)
        rule = learn_rule_from(known, params.churn_horizon_days, is_contractual)
        probability = {model_selection.RULE: rule.probability(here.column(rule.feature))}
        can_fit = fit_models and enough_to_fit(known, params) is None
        if can_fit:
            for name, candidate_model in estimator.fit_candidate_models(
                known, params.churn_horizon_days, params.train_seed
            ).items():
                pool = pools.setdefault(name, _Pool())
                with one_thread():
                    log_odds = candidate_model.uncalibrated(here.matrix)
                off = off_at(candidate_model, year_before, params.churn_horizon_days, known_by=cutoff)
                calibration = pool.calibration(cutoff, params.churn_horizon_days, np.isfinite(off))
                probability[name] = probability_of(calibration.of(log_odds, off))
                pool.off_year_before.append(off)
                pool.cutoffs.append(cutoff)
                pool.log_odds.append(log_odds)
                pool.is_churned.append(here.is_churned)
        if incumbents and cutoff in incumbents:
            probability[model_selection.INCUMBENT] = incumbents[cutoff].churn_probability(here.matrix)
        if plan.role(cutoff) != "calibration" and (can_fit or not fit_models):
            known_by_cutoff[cutoff] = known
            judged.append(
                Judged(
                    cutoff, plan.role(cutoff), here, {m: p.round(PROBABILITY_DECIMALS) for m, p in probability.items()}
                )
            )
    choice = model_selection.choose_model(judged)
    tests = [
        _test_result(cutoff, known_by_cutoff[cutoff.cutoff], choice, params)
        for cutoff in judged
        if cutoff.role == "test"
    ]
    calibration = Calibration()
    if choice.fitted is not None:
        calibration = pools[choice.fitted].calibration(plan.anchor, params.churn_horizon_days, bool(plan.season))
    metric_rows, differences = _measure(tests, params.train_seed)
    return Backtest(
        tuple(tests), tuple(judged), choice, tuple(metric_rows), differences, calibration, _measure_margin(tests)
    )


def off_at(candidate_model: ChurnModel, rows: Snapshots, horizon_days: int, known_by: date) -> float:
    """The shift under which the candidate model's uncalibrated log-odds fit what the customers of one past cutoff did;
    NaN where there are none, or their outcomes are not closed by `known_by`."""
    if len(rows) == 0 or rows.cutoff.max().item() + timedelta(horizon_days) > known_by:
        return float("nan")
    with one_thread():
        return estimator.fit_shift(candidate_model.uncalibrated(rows.matrix), rows.is_churned)


def season_shifts(
    candidate_model: ChurnModel, calibration: Calibration, rows: Snapshots, plan: CutoffPlan, params: Params
) -> dict[date, float]:
    """Day → what the season adds to the log-odds, relative to the newest matured cutoff, whose outcomes the shift fits;
    empty where no season was found."""
    if not calibration.season or not plan.season:
        return {}
    off = {
        day: off_at(candidate_model, _most(rows.at([day - YEAR]), params), plan.horizon_days, plan.anchor)
        for day in plan.season_days
    }
    if not all(np.isfinite(value) for value in off.values()):
        return {}
    newest = plan.anchor - timedelta(plan.horizon_days)
    return {day: calibration.seasonal(value - off[newest]) for day, value in off.items()}


def decide_who_scores(backtest: Backtest, leak: tuple[str | None, float]) -> Decision:
    """Model selection's choice, unless a feature seems to know the future (then the rule scores), or the chosen model
    that is active did better at the newest matured cutoff (then it stays)."""
    choice = backtest.choice
    feature, auc = leak
    if choice.candidate_model != model_selection.RULE and feature is not None and auc > LEAK_AUC:
        return Decision(
            "rule",
            f"leak alarm: {feature} alone separates those who left from those who stayed with AUC {auc:.3f} "
            f"(limit {LEAK_AUC}); it seems to know the future, so the rule scores",
        )
    newest = max(
        (cutoff for cutoff in backtest.judged if cutoff.role == "test"), key=lambda cutoff: cutoff.cutoff, default=None
    )
    verdict = None if newest is None else model_selection.is_worse(newest, choice.candidate_model)
    reason = choice.reason
    if verdict is not None:
        worse, words = verdict
        if worse:
            return Decision("model", f"{reason}; but {words}: the incumbent stays", model_selection.INCUMBENT, True)
        reason += f"; {words}: not worse"
    return Decision(
        "rule" if choice.candidate_model == model_selection.RULE else "model", reason, choice.candidate_model
    )


def _most(rows: Snapshots, params: Params) -> Snapshots:
    """At most `train_selection_max_rows`, the first in content order, which is that of a hash of what a row holds: the
    same rows on every machine, drawn at random with regard to any question."""
    return (
        rows.where(slice(0, params.train_selection_max_rows)) if len(rows) > params.train_selection_max_rows else rows
    )


def _test_result(cutoff: Judged, known: Snapshots, choice: Choice, params: Params) -> CutoffResult:
    here = cutoff.rows
    probability = {"rule": cutoff.probability[model_selection.RULE]}
    margins = {
        "rule": usual_margin(
            here.column("average_order_value"),
            here.column("n_orders"),
            here.column("tenure_days"),
            params.churn_horizon_days,
            params.value_margin_share,
        )
    }
    if choice.fitted is not None and choice.fitted in cutoff.probability:
        probability["model"] = cutoff.probability[choice.fitted]
        if (known.margin[~known.is_churned] > 0).any():
            fitted = estimator.fit_margin(known, params.train_seed)
            with one_thread():
                margins["model"] = np.maximum(fitted.predict(here.matrix), 0.0)
    return CutoffResult(cutoff.cutoff, here, probability, margins)


def kept_model(candidate_model: ChurnModel, calibration: Calibration) -> ChurnModel:
    """The fitted candidate model with its calibration in place, as of the season of the newest matured cutoff."""
    intercept = calibration.intercept + calibration.shift + calibration.season_newest
    return replace(candidate_model, intercept=intercept, slope=calibration.slope)


def _measure(tests: list[CutoffResult], seed: int) -> tuple[list[dict], dict[str, dict[str, float]]]:
    """Metric rows, and the paired differences model − rule on active customers (mean over cutoffs with 95 %
    interval)."""
    rows: list[dict] = []
    differences: dict[str, dict[str, float]] = {}
    for population in POPULATIONS:
        values: dict[str, list] = {m: [] for m in CANDIDATE_MODELS}
        spreads: dict[str, list] = {m: [] for m in CANDIDATE_MODELS}
        paired_spreads, counts = [], []
        for number, test in enumerate(tests):
            inside = test.population(population)
            y = test.rows.is_churned[inside]
            counts.append((len(y), int(y.sum())))
            resamples = metrics.draw_resamples(len(y), [seed, number, POPULATIONS.index(population)])
            drawn = {}
            for candidate_model, probability in test.probability.items():
                values[candidate_model].append(metrics.measure_scores(y, probability[inside]))
                drawn[candidate_model] = metrics.measure_resamples(y, probability[inside], resamples)
                spreads[candidate_model].append(_spread(drawn[candidate_model]))
                margins = metrics.Z95 * spreads[candidate_model][-1]
                rows += _rows(
                    candidate_model, population, test.cutoff, values[candidate_model][-1], margins, counts[-1]
                )
            if len(drawn) == 2:
                paired_spreads.append(_spread(drawn["model"] - drawn["rule"]))
        for candidate_model in CANDIDATE_MODELS:
            if not values[candidate_model]:
                continue
            table, errors = np.array(values[candidate_model]), np.array(spreads[candidate_model])
            margins = np.array([metrics.mean_margin(table[:, j], errors[:, j]) for j in range(table.shape[1])])
            total = (sum(n for n, _ in counts), sum(k for _, k in counts))
            rows += _rows(candidate_model, population, None, table.mean(axis=0), margins, total)
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


def _rows(candidate_model, population, cutoff, values, margins, counts) -> list[dict]:
    rows = []
    for metric, value, margin in zip(metrics.METRICS, values, margins, strict=True):
        found = metrics.estimate(metric, value, margin)
        rows.append(
            {
                "candidate_model": candidate_model,
                "population": population,
                "cutoff_date": cutoff,
                "metric": metric,
                "value": found.value,
                "low": found.low,
                "high": found.high,
                "n_rows": counts[0],
                "n_churned": counts[1],
            }
        )
    return rows


def _measure_margin(tests: list[CutoffResult]) -> dict:
    """Margin estimates compared on the test cutoffs: deviance among those who bought, actual over expected total among
    them, and the share of all margin that the tenth with the highest expectation brought. `estimated_by` says who is
    used: the model only if its deviance is lower by more than the uncertainty over the test cutoffs."""
    comparison: dict[str, dict[str, float]] = {}
    complete = [test for test in tests if len(test.margins) == 2]
    for candidate_model in CANDIDATE_MODELS:
        found = []
        for test in complete if candidate_model == "model" else tests:
            actual, bought = np.maximum(test.rows.margin, 0.0), ~test.rows.is_churned
            expected = test.margins[candidate_model]
            total = expected[bought].sum()
            found.append(
                (
                    metrics.mean_and_error(metrics.poisson_deviances(actual[bought], expected[bought]))[0],
                    actual[bought].sum() / total if total > 0 else np.nan,
                    metrics.captured_share(actual, expected),
                )
            )
        if found:
            means = np.array(found).mean(axis=0)
            comparison[candidate_model] = {
                name: (float(v) if np.isfinite(v) else None)
                for name, v in zip(("deviance", "actual_over_expected", "captured_by_top_tenth"), means, strict=True)
            }
    estimated_by = "rule"
    if len(complete) >= 2 and len(complete) == len(tests):
        gains, errors = np.array([_margin_gain(test) for test in complete]).T
        if gains.mean() - metrics.mean_margin(gains, errors) > 0:
            estimated_by = "model"
    return {"estimated_by": estimated_by, "comparison": comparison}


def _margin_gain(test: CutoffResult) -> tuple[float, float]:
    """Deviance of the rule's margins minus the model's, mean over those who bought, with its standard error."""
    bought = ~test.rows.is_churned
    actual = np.maximum(test.rows.margin, 0.0)[bought]
    rule, model = (metrics.poisson_deviances(actual, test.margins[m][bought]) for m in ("rule", "model"))
    return metrics.mean_and_error(rule - model)
