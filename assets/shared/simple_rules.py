"""The simple rules that any model has to beat: churn from the length of the silence, margin from the usual order.

In: a customer's own numbers. Out: a probability or an amount, and the rule in words. Nothing is fitted here:
a learned rule arrives as its steps (training learns them, the model store keeps them).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class RuleStep:
    """Customers silent for `from_days` up to the next step: their churn rate and the cases it rests on."""

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
    #: Whether leaving is the end of a contract; changes the words only.
    is_contractual: bool = False

    @property
    def is_learned(self) -> bool:
        return bool(self.steps)

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

    def words(self, silent_days: float) -> str:
        """The rule for one customer in words, for example `customers silent for 21 to 28 days: 41 % made no
        purchase in the next 30 days`."""
        if not self.steps:
            return (
                f"no outcome is known yet, so a silence of {int(silent_days)} days is taken to last another "
                f"{self.horizon_days} days with chance {int(silent_days)} in {int(silent_days) + self.horizon_days}"
            )
        index = int(self.step_of(np.array([silent_days]))[0])
        rate = f"{100 * self.steps[index].rate:.0f} %"
        if self.is_contractual:
            return f"{self._silence(index)}: {rate} had no contract left {self.horizon_days} days later"
        return f"{self._silence(index)}: {rate} made no purchase in the next {self.horizon_days} days"

    def words_zh(self, silent_days: float) -> str:
        """As `words`, in Chinese."""
        if not self.steps:
            days = int(silent_days)
            return (
                f"尚无已知结果，因此按 {days} 天的沉默再持续 {self.horizon_days} 天的机会为 "
                f"{days}/{days + self.horizon_days} 估计"
            )
        index = int(self.step_of(np.array([silent_days]))[0])
        low, high = self._range(index)
        span = f"{low} 天以上" if high is None else f"{low} 至 {high} 天" if high > low else f"{low} 天"
        rate = f"{100 * self.steps[index].rate:.0f} %"
        if self.is_contractual:
            return f"{span}未购买的客户中，{rate} 在 {self.horizon_days} 天后已无合同"
        return f"{span}未购买的客户中，{rate} 在接下来 {self.horizon_days} 天内没有购买"

    def description(self) -> str:
        """The whole rule in words, one line a step."""
        if not self.steps:
            return (
                f"No outcome is known yet. A silence of r days is taken to last another {self.horizon_days} days "
                f"with probability r / (r + {self.horizon_days})."
            )
        lines = []
        for i, step in enumerate(self.steps):
            cases = f"{step.n_churned:,} of {step.n_customers:,} cases"
            lines.append(f"{self._silence(i).capitalize()}: {100 * step.rate:.1f} % ({cases})")
        return "\n".join(lines)

    def _silence(self, index: int) -> str:
        low, high = self._range(index)
        if high is None:
            return f"customers silent for {low} days or more"
        return f"customers silent for {low} to {high} days" if high > low else f"customers silent for {_days(low)}"

    def _range(self, index: int) -> tuple[int, int | None]:
        """First and last day of a step; the last step has no last day."""
        low = self.steps[index].from_days if index else min(self.steps[0].from_days, 1)
        return low, None if index + 1 == len(self.steps) else self.steps[index + 1].from_days - 1

    def to_dict(self) -> dict[str, Any]:
        return {
            "horizon_days": self.horizon_days, "steps": [vars(step) for step in self.steps],
            "is_contractual": self.is_contractual,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ChurnRule":
        return cls(
            int(value["horizon_days"]), tuple(RuleStep(**step) for step in value["steps"]),
            bool(value.get("is_contractual", False)),
        )


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


def _days(n: int) -> str:
    return "1 day" if n == 1 else f"{n} days"
