"""What a customer will be worth: expected margin over the churn horizon and over a year, with intervals, and the day
of the next purchase.

In: a matrix with one row a customer and one column a feature of `churn_features.FEATURES` (NaN where undefined), the
churn probability and the margin of a customer who stays, both by whoever scores. Out: arrays. Fits nothing
(`value_fit`) and knows no files (`model_store`).

Two parts throughout: expected margin = P(any purchase) x E[margin, given a purchase]. Over the horizon these are the
published score and margin. Over a year they are fitted on outcomes of a whole year once these have closed; before,
on the longest window that has, extrapolated by how the margin of earlier customers went on (`extrapolation_factor`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assets.model.churn_features import FEATURES
from assets.model.gamma_gamma import GammaGamma
from assets.model.retention_model import MARGIN_DECIMALS, PROBABILITY_DECIMALS
from assets.model.return_curve import History, ReturnCurve
from assets.model.threads import one_thread

#: Who can say what a window is worth, simplest first.
CANDIDATE_MODELS = ("average_spend", "gamma_gamma", "two_part")

#: Days for which the return curve is published: a week, a month, a quarter, half a year, a year.
PUBLISHED_DAYS = (7, 30, 90, 180, 365)
#: Share of customers whose actual margin lies within the published interval.
COVERAGE = 0.8
#: Churn probability from which on no next order is expected.
LIKELIER_THAN_NOT = 0.5


@dataclass(frozen=True)
class Interval:
    """Where the actual amount lies in `COVERAGE` of cases, as a function of the expected one.

    Split conformal within bins of the expectation (Vovk 2012): in bin i, whose expectations lie above edges[i - 1] and
    up to edges[i], the actual lies between low[i] and high[i] times (expected + offset). Learned from outcomes after
    the model.
    """

    edges: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    offset: float

    def around(self, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end for each expectation; they always hold the expectation itself."""
        e = np.asarray(expected, dtype=float)
        place = np.searchsorted(np.array(self.edges), e, side="left")
        low, high = (np.array(ratios)[place] * (e + self.offset) for ratios in (self.low, self.high))
        return np.minimum(low, e), np.maximum(high, e)

    def to_dict(self) -> dict[str, Any]:
        return {"edges": list(self.edges), "low": list(self.low), "high": list(self.high), "offset": self.offset}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any] | None) -> "Interval | None":
        if value is None:
            return None
        edges, low, high = (tuple(value[name]) for name in ("edges", "low", "high"))
        return cls(edges, low, high, float(value["offset"]))


@dataclass(frozen=True)
class Value:
    """Per customer, source currency; intervals NaN where none could be learned. year_at_risk: P(leave within the window
    of the year) x margin of the same window if they stay, extrapolated as the year is."""

    horizon: np.ndarray
    horizon_low: np.ndarray
    horizon_high: np.ndarray
    year: np.ndarray
    year_low: np.ndarray
    year_high: np.ndarray
    year_at_risk: np.ndarray


@dataclass(frozen=True)
class NextPurchase:
    """Per customer. usual_gap: days; overdue: ratio to it; both NaN for customers who never purchased. none_within:
    (n, len(PUBLISHED_DAYS)) chance of no order within each, NaN where not scored or churn is the end of a contract.
    low, expected, high: whole days from now to the next order, with its interval; NaN unless an order within the
    horizon is likelier than none."""

    usual_gap: np.ndarray
    overdue: np.ndarray
    none_within: np.ndarray
    low: np.ndarray
    expected: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class ValueModel:
    """card: JSON types (`train.value.training` makes it). any_purchase, how_much: fitted pipelines of the label window.
    how_much is None where a simple candidate model speaks, any_purchase where everybody bought or nothing was fitted.
    """

    card: Mapping[str, Any]
    any_purchase: Any = None
    how_much: Any = None

    @property
    def return_curve(self) -> ReturnCurve:
        return ReturnCurve.from_dict(self.card["return_curve"])

    @property
    def is_contractual(self) -> bool:
        """Whether churn is the end of a contract: the churn probability then says nothing of orders."""
        return self.card.get("churners_pay") is not None

    @property
    def basis(self) -> str:
        """`labels`: fitted on outcomes of the whole value horizon; `extrapolated`: on a shorter window,
        extrapolated."""
        return self.card["basis"]

    def expect(self, matrix: np.ndarray, churn_probability: np.ndarray, margin_if_retained: np.ndarray) -> Value:
        """Expected margins of customers, (n,) each."""
        horizon = over_horizon(
            matrix, churn_probability, margin_if_retained, self.card.get("churners_pay"), int(self.card["horizon_days"])
        )
        window = self.card["window"]
        if window is None:
            over_window, leaves, if_stays = horizon, churn_probability, margin_if_retained
        else:
            leaves = self._leaves_within_window(matrix)
            is_two_part = window["candidate_model"] == "two_part"
            if_stays = amount_if_any(self.how_much, matrix) if is_two_part else self._at_own_pace(matrix, window)
            if_stays = if_stays * float(window["level"])
            over_window = (1 - leaves) * if_stays if is_two_part else if_stays
        extrapolation_factor = float(self.card["extrapolation_factor"])
        # A year holds the horizon.
        year = np.maximum(over_window * extrapolation_factor, horizon)
        nothing = np.full(len(horizon), np.nan)
        ends = {}
        for name, expected, learned in (("horizon", horizon, "horizon"), ("year", year, "window")):
            interval = Interval.from_dict(self.card["intervals"].get(learned))
            scale = extrapolation_factor if name == "year" else 1.0
            ends[name] = (
                (nothing, nothing)
                if interval is None
                else tuple(end * scale for end in interval.around(expected / scale))
            )
        at_risk = leaves * if_stays * extrapolation_factor
        amounts = (horizon, *ends["horizon"], year, *ends["year"], at_risk)
        return Value(*(np.round(a, MARGIN_DECIMALS) for a in amounts))

    def next_purchase(self, matrix: np.ndarray, churn_probability: np.ndarray) -> NextPurchase:
        """What the return curve says of customers, (n,) each but none_within."""
        curve, history = self.return_curve, History.of(matrix)
        scored = np.flatnonzero(np.isfinite(churn_probability) & np.isfinite(history.silent_days))
        none_within = np.full((len(matrix), len(PUBLISHED_DAYS)), np.nan)
        low, expected, high = (np.full(len(matrix), np.nan) for _ in range(3))
        if len(scored):
            own, churn = curve.own_hazard(history.where(scored)), churn_probability[scored]
            at_horizon = curve.none_by_history(own) if self.is_contractual else churn
            if not self.is_contractual:
                none_within[scored] = curve.none_within(own, churn, PUBLISHED_DAYS).round(PROBABILITY_DECIMALS)
            dated = has_date(churn)
            places = scored[dated]
            low[places], expected[places], high[places] = curve.days(own.where(dated), at_horizon[dated])
        return NextPurchase(
            np.where(
                np.isnan(history.silent_days),
                np.nan,
                curve.rhythm.usual_gap(history.frequency, history.recency_days),
            ),
            curve.rhythm.overdue_ratio(history.frequency, history.recency_days, history.silent_days),
            none_within,
            low,
            expected,
            high,
        )

    def _leaves_within_window(self, matrix: np.ndarray) -> np.ndarray:
        """P(no purchase within the label window), (n,)."""
        if self.any_purchase is None or len(matrix) == 0:
            return np.zeros(len(matrix))
        with one_thread():
            return self.any_purchase.predict_proba(matrix)[:, 0]

    def _at_own_pace(self, matrix: np.ndarray, window: Mapping[str, Any]) -> np.ndarray:
        """Margin over the label window by a simple candidate model, (n,)."""
        spend = self.card["gamma_gamma"]
        return simple_value(
            matrix,
            window["days"],
            float(self.card["margin_share"]),
            int(self.card["horizon_days"]),
            GammaGamma.from_dict(spend) if window["candidate_model"] == "gamma_gamma" and spend else None,
        )


def over_horizon(
    matrix: np.ndarray,
    churn_probability: np.ndarray,
    margin_if_retained: np.ndarray,
    churners_pay: float | None,
    horizon_days: int,
) -> np.ndarray:
    """Expected margin over the churn horizon, (n,).

    Somebody who leaves by not buying pays nothing (churners_pay None). Somebody whose contract ends pays until then
    `churners_pay` times the share of the horizon that is covered, never more than who stays.
    """
    staying = (1 - churn_probability) * margin_if_retained
    if churners_pay is None:
        return staying
    share = np.minimum(churners_pay * covered_share(matrix, horizon_days), 1.0)
    return staying + churn_probability * share * margin_if_retained


def covered_share(matrix: np.ndarray, horizon_days: int) -> np.ndarray:
    """Share of the horizon that somebody who leaves within it is covered, (n,): until the contract's end or, where it
    lies beyond the horizon or there is none, half, for an early end falls on any day."""
    left = column(matrix, "contract_days_left")
    with np.errstate(invalid="ignore"):
        return np.where(left < horizon_days, np.maximum(left, 0.0) / horizon_days, 0.5)


def column(matrix: np.ndarray, feature: str) -> np.ndarray:
    return matrix[:, FEATURES.index(feature)]


def two_part(any_purchase: Any, how_much: Any, matrix: np.ndarray) -> np.ndarray:
    """P(any purchase) x E[margin given a purchase], by fitted pipelines, never negative."""
    amount = amount_if_any(how_much, matrix)
    if any_purchase is None or len(matrix) == 0:
        return amount
    with one_thread():
        return any_purchase.predict_proba(matrix)[:, 1] * amount


def amount_if_any(how_much: Any, matrix: np.ndarray) -> np.ndarray:
    """E[margin given a purchase], by a fitted pipeline, never negative, (n,)."""
    if len(matrix) == 0:
        return np.empty(0)
    with one_thread():
        return np.maximum(how_much.predict(matrix), 0.0)


def simple_value(
    matrix: np.ndarray, days: int, margin_share: float, least_days: int, spend: GammaGamma | None = None
) -> np.ndarray:
    """Margin share x order value x orders per day x `days`: the average order of the customer, or with `spend` the one
    that gamma-gamma expects. The pace is that since the first order, over `least_days` at least. 0 where unknown."""
    orders = np.nan_to_num(column(matrix, "n_orders"), nan=0.0)
    average = np.maximum(np.nan_to_num(column(matrix, "average_order_value"), nan=0.0), 0.0)
    if spend is not None:
        level = spend.expected_level(orders, average)
        average = np.where(np.isfinite(level), level, average)
    tenure = np.maximum(np.nan_to_num(column(matrix, "tenure_days"), nan=0.0), float(least_days))
    return margin_share * average * orders / tenure * days


def has_date(churn_probability: np.ndarray) -> np.ndarray:
    """Whose next order has a date: of somebody who more likely than not does not come it would be no expectation."""
    return np.asarray(churn_probability, dtype=float) < LIKELIER_THAN_NOT
