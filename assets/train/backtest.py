"""Members against each other, out of time: who would have scored better on days that none had seen?

In: snapshots, a cut plan, the models that reigned. Out: predictions at each cut, the contest's choice, metrics with
intervals of the champion beside the rule. All are learned from the same rows and judged on the same customers. Fits
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
from assets.train import contest, estimator, metrics
from assets.train.contest import Choice, Judged
from assets.train.cuts import CutPlan
from assets.train.rule import learn_rule_from
from assets.train.season_fit import learn_share
from assets.train.snapshots import Snapshots

MEMBERS = ("model", "rule")
POPULATIONS = contest.POPULATIONS
#: Above this AUC on its own a feature is taken to know the future.
LEAK_AUC = 0.97


@dataclass(frozen=True)
class CutResult:
    """What was predicted at one outer cut and what happened, by `model` (who scores, or else the best) and `rule`.
    margins: expected margin given a purchase, by member."""

    cut: date
    rows: Snapshots
    probability: dict[str, np.ndarray]
    margins: dict[str, np.ndarray]

    def population(self, name: str) -> np.ndarray:
        return self.rows.is_active if name == "active" else np.ones(len(self.rows), dtype=bool)


@dataclass(frozen=True)
class Backtest:
    """Results, oldest first.

    tests: the outer cuts. judged: inner and outer cuts with all members. choice: what the inner cuts say.
    metric_rows: one dict a member, population, outer cut (None = mean) and metric. calibration: from all out-of-time
    predictions of that member, for the model to be kept.
    """

    tests: tuple[CutResult, ...]
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
    """Calibrated log-odds = intercept + shift + slope × log-odds + season × by how much the member was off one
    year before. n_rows: out-of-time predictions it rests on; n_newest: those of the newest cut, fitted by the shift."""

    intercept: float = 0.0
    slope: float = 1.0
    shift: float = 0.0
    n_rows: int = 0
    n_newest: int = 0
    season: float = 0.0
    season_newest: float = 0.0  # the season's part at the newest cut, in log-odds

    def of(self, log_odds: np.ndarray, off_year_before: float = float("nan")) -> np.ndarray:
        return self.intercept + self.shift + self.slope * log_odds + self.seasonal(off_year_before)

    def seasonal(self, off_year_before: float) -> float:
        """The season's part of the log-odds; none where the year before is not known."""
        return self.season * off_year_before if np.isfinite(off_year_before) else 0.0


@dataclass(frozen=True)
class Decision:
    scored_by: str  # model | rule
    reason: str
    member: str = contest.RULE
    kept: bool = field(default=False)  # the reigning champion stays


@dataclass
class _Pool:
    """Out-of-time predictions of one member so far: cut, uncalibrated log-odds, outcomes, and by how much the same
    fitted member was off one year before (NaN: not known)."""

    cuts: list[date] = field(default_factory=list)
    log_odds: list[np.ndarray] = field(default_factory=list)
    is_churned: list[np.ndarray] = field(default_factory=list)
    off_year_before: list[float] = field(default_factory=list)

    def calibration(self, closed_by: date, horizon_days: int, with_season: bool = True) -> Calibration:
        """From the predictions whose outcomes are closed by a day: what happened later is not known yet. Without the
        year before the day that is to be predicted no season can be applied, and none may be taken out."""
        closed = [i for i, cut in enumerate(self.cuts) if cut + timedelta(horizon_days) <= closed_by]
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
        newest = max(closed, key=lambda i: self.cuts[i])
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
    plan: CutPlan,
    params: Params,
    fit_models: bool,
    reigning: Mapping[date, RetentionModel] | None = None,
    is_contractual: bool = False,
) -> Backtest:
    """Predict every out-of-time cut from the cuts closed before it, by the rule and, if `fit_models`, by all members.

    reigning: cut → the model that was in force on that day and had been trained by then; it takes part as it was.
    is_contractual: leaving is the end of a contract, and the rule reads the days that it still covers.
    A member's calibration at a cut is learned from its own earlier out-of-time predictions only, as far as their
    outcomes were closed by then, so no number here has seen its own outcome.
    """
    judged: list[Judged] = []
    known_at: dict[date, Snapshots] = {}
    pools: dict[str, _Pool] = {}
    for cut in plan.out_of_time:
        known, here = _most(rows.at(plan.known_before(cut)), params), _most(rows.at([cut]), params)
        if len(here) == 0 or len(known) == 0:
            continue
        year_before = _most(rows.at([cut - YEAR]), params)
        rule = learn_rule_from(known, params.churn_horizon_days, is_contractual)
        probability = {contest.RULE: rule.probability(here.column(rule.feature))}
        can_fit = fit_models and enough_to_fit(known, params) is None
        if can_fit:
            for name, member in estimator.fit_members(known, params.churn_horizon_days, params.train_seed).items():
                pool = pools.setdefault(name, _Pool())
                with one_thread():
                    log_odds = member.uncalibrated(here.matrix)
                off = off_at(member, year_before, params.churn_horizon_days, known_by=cut)
                calibration = pool.calibration(cut, params.churn_horizon_days, np.isfinite(off))
                probability[name] = probability_of(calibration.of(log_odds, off))
                pool.off_year_before.append(off)
                pool.cuts.append(cut)
                pool.log_odds.append(log_odds)
                pool.is_churned.append(here.is_churned)
        if reigning and cut in reigning:
            probability[contest.REIGNING] = reigning[cut].churn_probability(here.matrix)
        if plan.role(cut) != "calibration" and (can_fit or not fit_models):
            known_at[cut] = known
            judged.append(
                Judged(cut, plan.role(cut), here, {m: p.round(PROBABILITY_DECIMALS) for m, p in probability.items()})
            )
    choice = contest.choose(judged)
    tests = [_outer(cut, known_at[cut.cut], choice, params) for cut in judged if cut.role == "outer"]
    calibration = Calibration()
    if choice.fitted is not None:
        calibration = pools[choice.fitted].calibration(plan.anchor, params.churn_horizon_days, bool(plan.season))
    metric_rows, differences = _measure(tests, params.train_seed)
    return Backtest(
        tuple(tests), tuple(judged), choice, tuple(metric_rows), differences, calibration, _measure_margin(tests)
    )


def off_at(member: ChurnModel, rows: Snapshots, horizon_days: int, known_by: date) -> float:
    """The shift under which the member's uncalibrated log-odds fit what the customers of one past cut did; NaN where
    there are none, or their outcomes are not closed by `known_by`."""
    if len(rows) == 0 or rows.cut.max().item() + timedelta(horizon_days) > known_by:
        return float("nan")
    with one_thread():
        return estimator.fit_shift(member.uncalibrated(rows.matrix), rows.is_churned)


def season_shifts(
    member: ChurnModel, calibration: Calibration, rows: Snapshots, plan: CutPlan, params: Params
) -> dict[date, float]:
    """Day → what the season adds to the log-odds, relative to the newest ripe cut, whose outcomes the shift fits; empty
    where no season was found."""
    if not calibration.season or not plan.season:
        return {}
    off = {
        day: off_at(member, _most(rows.at([day - YEAR]), params), plan.horizon_days, plan.anchor)
        for day in plan.season_days
    }
    if not all(np.isfinite(value) for value in off.values()):
        return {}
    newest = plan.anchor - timedelta(plan.horizon_days)
    return {day: calibration.seasonal(value - off[newest]) for day, value in off.items()}


def decide(backtest: Backtest, leak: tuple[str | None, float]) -> Decision:
    """The contest's choice, unless a feature seems to know the future (then the rule scores), or the champion that
    reigns did better at the newest ripe cut (then it stays)."""
    choice = backtest.choice
    feature, auc = leak
    if choice.member != contest.RULE and feature is not None and auc > LEAK_AUC:
        return Decision(
            "rule",
            f"leak alarm: {feature} alone separates those who left from those who stayed with AUC {auc:.3f} "
            f"(limit {LEAK_AUC}); it seems to know the future, so the rule scores",
        )
    newest = max((cut for cut in backtest.judged if cut.role == "outer"), key=lambda cut: cut.cut, default=None)
    verdict = None if newest is None else contest.is_worse(newest, choice.member)
    reason = choice.reason
    if verdict is not None:
        worse, words = verdict
        if worse:
            return Decision("model", f"{reason}; but {words}: the reigning champion stays", contest.REIGNING, True)
        reason += f"; {words}: not worse"
    return Decision("rule" if choice.member == contest.RULE else "model", reason, choice.member)


def _most(rows: Snapshots, params: Params) -> Snapshots:
    """At most `train_contest_max_rows`, the first in content order, which is that of a hash of what a row holds: the
    same rows on every machine, drawn at random with regard to any question."""
    return rows.where(slice(0, params.train_contest_max_rows)) if len(rows) > params.train_contest_max_rows else rows


def _outer(cut: Judged, known: Snapshots, choice: Choice, params: Params) -> CutResult:
    here = cut.rows
    probability = {"rule": cut.probability[contest.RULE]}
    margins = {
        "rule": usual_margin(
            here.column("average_order_value"),
            here.column("n_orders"),
            here.column("tenure_days"),
            params.churn_horizon_days,
            params.value_margin_share,
        )
    }
    if choice.fitted is not None and choice.fitted in cut.probability:
        probability["model"] = cut.probability[choice.fitted]
        if (known.margin[~known.is_churned] > 0).any():
            fitted = estimator.fit_margin(known, params.train_seed)
            with one_thread():
                margins["model"] = np.maximum(fitted.predict(here.matrix), 0.0)
    return CutResult(cut.cut, here, probability, margins)


def kept_model(member: ChurnModel, calibration: Calibration) -> ChurnModel:
    """The fitted member with its calibration in place, as of the season of the newest ripe cut."""
    intercept = calibration.intercept + calibration.shift + calibration.season_newest
    return replace(member, intercept=intercept, slope=calibration.slope)


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
        rows.append(
            {
                "member": member,
                "population": population,
                "cut_date": cut,
                "metric": metric,
                "value": found.value,
                "low": found.low,
                "high": found.high,
                "n_rows": counts[0],
                "n_churned": counts[1],
            }
        )
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
            found.append(
                (
                    metrics.mean_and_error(metrics.poisson_deviances(actual[bought], expected[bought]))[0],
                    actual[bought].sum() / total if total > 0 else np.nan,
                    metrics.captured_share(actual, expected),
                )
            )
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
