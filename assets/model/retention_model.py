"""A model that can score: the fitted pipelines with their feature list, the simple rule, and who of them scores.

In: a matrix with one row a customer and one column a feature of `features`, NaN where a feature is not defined.
Out: probabilities and margins. Knows nothing of tables and files (`model_store` keeps it); never fits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from assets.model.churn_model import ChurnModel
from assets.model.season import season_shift
from assets.model.simple_rules import RULE, ChurnRule, ContractRule, rule_from_dict, usual_margin
from assets.model.threads import one_thread

#: Numbers are published with this many decimals: beyond it the last bits of a sum depend on how many rows were
#: scored together and on the machine, and the same customer must get the same score in any batch.
PROBABILITY_DECIMALS = 9
MARGIN_DECIMALS = 6


@dataclass(frozen=True)
class RetentionModel:
    """One entry of the model store, ready to score.

    card: everything known about it, JSON types only (`train.card` makes it).
    churn: the fitted parts with their weights and calibration, or None when nothing was fitted. margin: a fitted
    sklearn pipeline or None. shift: added to the log-odds for the day that is scored: the season's part (`season`), and
    a recalibration after training, with the id of that adjustment. margin_shift: the season's part of the log of
    margins on that day. simple: calibrated candidate models of few features
    by name, kept to take over where they turn out better (`model_store.decision_on`).

    What `log_odds` returns is exactly
    `shift + churn.intercept + churn.slope × Σ part.weight × part.log_odds(churn.extend(matrix), …)`
    over `churn.parts`; whoever takes a score apart starts from there.
    """

    card: Mapping[str, Any]
    churn: ChurnModel | None = None
    margin: Any = None
    shift: float = 0.0
    adjustment_id: str | None = None
    simple: Mapping[str, ChurnModel] = field(default_factory=dict)
    margin_shift: float = 0.0

    @property
    def model_id(self) -> str:
        return self.card["model_id"]

    @property
    def features(self) -> tuple[str, ...]:
        """Column order of the matrix."""
        return tuple(self.card["features"])

    @property
    def kept_features(self) -> frozenset[str]:
        """Features that the fitted model uses; empty when none was fitted."""
        return frozenset(self.card["kept_features"])

    @property
    def horizon_days(self) -> int:
        return int(self.card["horizon_days"])

    @property
    def scored_by(self) -> str:
        """`model` or `rule`, as the backtest decided."""
        return self.card["decision"]["scored_by"]

    @property
    def candidate_model(self) -> str:
        """Who of model selection scores: `recency_rule` when `scored_by` is `rule`, else the fitted candidate model's
        name."""
        return RULE if self.scored_by == "rule" or self.churn is None else self.churn.candidate_model

    @property
    def rule(self) -> ChurnRule | ContractRule:
        return rule_from_dict(self.card["rule"])

    @property
    def typical(self) -> np.ndarray:
        """What is usual for customers: the value of each feature in the middle of the active ones, NaN if unknown."""
        values = self.card["typical"]
        return np.array([np.nan if values[f] is None else values[f] for f in self.features], dtype=float)

    def column(self, matrix: np.ndarray, feature: str) -> np.ndarray:
        return matrix[:, self.features.index(feature)]

    def log_odds(self, matrix: np.ndarray) -> np.ndarray:
        """Final calibrated log-odds of churn by the fitted model, whoever scores."""
        return self.shift + self.unshifted_log_odds(matrix)

    def unshifted_log_odds(self, matrix: np.ndarray) -> np.ndarray:
        """The same without `shift`: what the model says on any day."""
        if self.churn is None:
            raise ValueError(f"nothing was fitted for {self.model_id}: only its rule scores")
        with one_thread():
            return self.churn.log_odds(matrix)

    def probability_at(self, unshifted_log_odds: np.ndarray) -> np.ndarray:
        """Churn probability by the fitted model, on the day whose shift this is."""
        return probability_of(self.shift + unshifted_log_odds).round(PROBABILITY_DECIMALS)

    def baseline_probability(self, matrix: np.ndarray) -> np.ndarray:
        """Churn probability by the simple rule."""
        rule = self.rule
        return rule.probability(self.column(matrix, rule.feature)).round(PROBABILITY_DECIMALS)

    def churn_probability(self, matrix: np.ndarray) -> np.ndarray:
        """Churn probability by whoever scores."""
        if self.scored_by == "rule":
            return self.baseline_probability(matrix)
        return self.probability_at(self.unshifted_log_odds(matrix))

    def margin_if_retained(self, matrix: np.ndarray) -> np.ndarray:
        """Expected margin over the horizon given a purchase, source currency, never negative, at the newest level and
        the season of the day."""
        level = float(self.card["margin"]["level"]) * float(np.exp(self.margin_shift))
        return (level * self._unleveled_margin(matrix)).round(MARGIN_DECIMALS)

    def _unleveled_margin(self, matrix: np.ndarray) -> np.ndarray:
        if self.card["margin"]["estimated_by"] == "model":
            with one_thread():
                return np.maximum(self.margin.predict(matrix), 0.0)
        return usual_margin(
            self.column(matrix, "average_order_value"),
            self.column(matrix, "n_orders"),
            self.column(matrix, "tenure_days"),
            self.horizon_days,
            float(self.card["parameters"]["value_margin_share"]),
        )


def model_on(
    day: date, card: Mapping[str, Any], churn: ChurnModel | None, margin: Any, simple: Mapping[str, ChurnModel]
) -> RetentionModel:
    """A model of the store as it scores on a day: with the season of that day, as its card has it."""
    season, margin_season = season_shift(card, day), season_shift(card["margin"], day)
    return RetentionModel(card, churn, margin, season, simple=simple, margin_shift=margin_season)


def probability_of(log_odds: np.ndarray) -> np.ndarray:
    """Probability for log-odds; safe for any size."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(log_odds, dtype=float)))
