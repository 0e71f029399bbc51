"""The simple rules that any model is compared with: churn from the length of the silence (or, where leaving is the end
of a contract, from the days it still covers), margin from the usual order.

In: a customer's own numbers. Out: a probability or an amount. Nothing is fitted here: a learned rule arrives as its
steps (`rule_fit` learns them, the model store keeps them). Words are in `rule_words`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

#: The rule's name among the candidate models.
RULE = "recency_rule"


@dataclass(frozen=True)
class RuleStep:
    """Customers whose number of days is `from_days` up to the next step: their churn rate and the cases it rests on."""

    from_days: int
    rate: float
    n_customers: int
    n_churned: int


@dataclass(frozen=True)
class ChurnRule:
    """Churn probability as a rising function of days_since_last_order.

    With steps it was learned from outcomes. Without (`steps == ()`) no outcome is known yet, and a silence of r days
    is expected to last another H with probability r / (r + H): what follows from knowing nothing of the scale of
    silences (density proportional to 1 / length), and thus free of parameters.
    """

    horizon_days: int
    steps: tuple[RuleStep, ...] = ()

    #: The number that the rule reads.
    feature = "days_since_last_order"
    is_contractual = False

    def step_of(self, silent_days: np.ndarray) -> np.ndarray:
        """Index of the step for each silence (days); below the first step's start, the first."""
        starts = np.array([step.from_days for step in self.steps], dtype=float)
        return np.clip(np.searchsorted(starts, silent_days, side="right") - 1, 0, len(starts) - 1)

    def probability(self, silent_days: np.ndarray) -> np.ndarray:
        """Probability of no purchase within the horizon; NaN where the silence is NaN (never purchased)."""
        silent = np.asarray(silent_days, dtype=float)
        if not self.steps:
            known = np.maximum(silent, 1.0)
            return known / (known + self.horizon_days)
        rates = np.array([step.rate for step in self.steps])
        return np.where(np.isnan(silent), np.nan, rates[self.step_of(silent)])

    def days_of(self, index: int) -> tuple[int, int | None]:
        """First and last day of a step; the last step has no last day."""
        low = self.steps[index].from_days if index else min(self.steps[0].from_days, 1)
        return low, None if index + 1 == len(self.steps) else self.steps[index + 1].from_days - 1

    def to_dict(self) -> dict[str, Any]:
        return {"horizon_days": self.horizon_days, "steps": [vars(step) for step in self.steps]}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ChurnRule":
        return cls(int(value["horizon_days"]), tuple(RuleStep(**step) for step in value["steps"]))


#: A contract without an end is taken to last this long while no outcome is known.
OPEN_END_DAYS = 365


@dataclass(frozen=True)
class ContractRule:
    """Churn probability as a falling function of the days that a contract still covers; NaN days: it has no end.

    open_end: contracts without an end, where enough of them are known; else they count as the longest. Without steps
    no outcome is known yet: one contract in two is taken not to go on, its end evenly spread over the days that
    it covers, but surely within the horizon where it covers less.
    """

    horizon_days: int
    steps: tuple[RuleStep, ...] = ()
    open_end: RuleStep | None = None

    feature = "contract_days_left"
    is_contractual = True

    def step_of(self, days_left: np.ndarray) -> np.ndarray:
        """Index of the step for each number of days; below the first step's start, the first; NaN: the last."""
        starts = np.array([step.from_days for step in self.steps], dtype=float)
        return np.clip(np.searchsorted(starts, days_left, side="right") - 1, 0, len(starts) - 1)

    def probability(self, days_left: np.ndarray) -> np.ndarray:
        """Probability of no contract at the end of the horizon."""
        left = np.asarray(days_left, dtype=float)
        if not self.steps:
            covered = np.where(np.isnan(left), OPEN_END_DAYS, left)
            return 0.5 * np.minimum(1.0, self.horizon_days / np.maximum(covered, 1.0))
        found = np.array([step.rate for step in self.steps])[self.step_of(left)]
        return found if self.open_end is None else np.where(np.isnan(left), self.open_end.rate, found)

    def days_of(self, index: int) -> tuple[int, int | None]:
        """First and last day of a step; the last step has no last day."""
        low = self.steps[index].from_days
        return low, None if index + 1 == len(self.steps) else self.steps[index + 1].from_days - 1

    def to_dict(self) -> dict[str, Any]:
        return {
            "horizon_days": self.horizon_days,
            "steps": [vars(step) for step in self.steps],
            "open_end": None if self.open_end is None else vars(self.open_end),
            "is_contractual": True,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ContractRule":
        return cls(
            int(value["horizon_days"]),
            tuple(RuleStep(**step) for step in value["steps"]),
            None if value["open_end"] is None else RuleStep(**value["open_end"]),
        )


def rule_from_dict(value: Mapping[str, Any]) -> ChurnRule | ContractRule:
    """The rule of a model's card."""
    return (ContractRule if "open_end" in value else ChurnRule).from_dict(value)


def usual_margin(
    average_order_value: np.ndarray,
    n_orders: np.ndarray,
    tenure_days: np.ndarray,
    horizon_days: int,
    margin_share: float,
) -> np.ndarray:
    """Expected margin over the horizon given at least one purchase: margin share × average order × the orders that
    the customer's own pace gives in a horizon, but never less than one order. Source currency; 0 where the average
    order is unknown or negative.

    The pace is that of repeat orders (the first one is there by definition) over the days since the first, or over
    the horizon where the customer is younger: two orders in a week say little about a quarter.
    """
    order = np.nan_to_num(np.asarray(average_order_value, dtype=float), nan=0.0)
    repeats = np.maximum(np.nan_to_num(np.asarray(n_orders, dtype=float), nan=0.0) - 1, 0.0)
    days = np.maximum(np.nan_to_num(np.asarray(tenure_days, dtype=float), nan=0.0), float(horizon_days))
    return margin_share * np.maximum(order, 0.0) * np.maximum(repeats / days * horizon_days, 1.0)
