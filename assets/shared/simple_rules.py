"""The simple rules that any model has to beat: churn from the length of the silence (or, where leaving is the end of a
contract, from the days it still covers), margin from the usual order.

In: a customer's own numbers. Out: a probability or an amount, and the rule in words. Nothing is fitted here:
a learned rule arrives as its steps (training learns them, the model store keeps them).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


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

    #: The number that the rule reads, and the sentence that says it of one customer.
    feature = "days_since_last_order"
    opening = "no_purchase_for"
    is_contractual = False

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
    opening = "contract_covers"
    is_contractual = True

    @property
    def is_learned(self) -> bool:
        return bool(self.steps)

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

    def words(self, days_left: float) -> str:
        """The rule for one customer in words, for example `contracts that cover 1 to 29 more days: 12 % had no
        contract left 30 days later`."""
        if not self.steps:
            p = float(self.probability(np.array([days_left]))[0])
            return (
                f"no outcome is known yet, so one contract in two is taken not to go on, which gives {100 * p:.0f} % "
                f"without a contract {self.horizon_days} days later"
            )
        where, step = self._place(days_left)
        return f"{where}: {100 * step.rate:.0f} % had no contract left {self.horizon_days} days later"

    def words_zh(self, days_left: float) -> str:
        """As `words`, in Chinese."""
        if not self.steps:
            p = float(self.probability(np.array([days_left]))[0])
            return f"尚无已知结果，因此按半数合同不再延续估计，{self.horizon_days} 天后无合同的机会为 {100 * p:.0f} %"
        if np.isnan(days_left) and self.open_end is not None:
            span, step = "合同没有到期日的客户", self.open_end
        else:
            index = int(self.step_of(np.array([days_left]))[0])
            low, high = self._range(index)
            days = f"{low} 天以上" if high is None else f"{low} 至 {high} 天" if high > low else f"{low} 天"
            span, step = f"合同还剩 {days}的客户", self.steps[index]
        return f"{span}中，{100 * step.rate:.0f} % 在 {self.horizon_days} 天后已无合同"

    def description(self) -> str:
        """The whole rule in words, one line a step."""
        if not self.steps:
            return (
                "No outcome is known yet. One contract in two is taken not to go on, its end evenly spread over the "
                f"days that it covers; within the next {self.horizon_days} days where it covers less."
            )
        places = [(self._covering(i), step) for i, step in enumerate(self.steps)]
        if self.open_end is not None:
            places.append((_NO_END, self.open_end))
        return "\n".join(
            f"{where.capitalize()}: {100 * step.rate:.1f} % ({step.n_churned:,} of {step.n_customers:,} cases)"
            for where, step in places
        )

    def _place(self, days_left: float) -> tuple[str, RuleStep]:
        if np.isnan(days_left) and self.open_end is not None:
            return _NO_END, self.open_end
        index = int(self.step_of(np.array([days_left]))[0])
        return self._covering(index), self.steps[index]

    def _covering(self, index: int) -> str:
        low, high = self._range(index)
        if high is None:
            return f"contracts that cover {_days(low)} or more"
        return f"contracts that cover {low} to {high} more days" if high > low else f"contracts that cover {_days(low)}"

    def _range(self, index: int) -> tuple[int, int | None]:
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


_NO_END = "contracts without an end"


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


def _days(n: int) -> str:
    return "1 day" if n == 1 else f"{n} days"
