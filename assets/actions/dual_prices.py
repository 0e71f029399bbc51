"""Prices of scarce resources: what one more contact of a channel, or one more unit of money, is worth tonight.

In: NumPy arrays, one entry an option (a possible contact of a customer), and the limit of each resource. Out: one price
a resource, and the bound that no plan can exceed. Pure. Making a plan from the prices is `plan`'s.

Choosing one option a customer under a few shared limits is a multiple-choice knapsack of many dimensions. Its
Lagrangian dual has one multiplier a resource (Everett 1963): given prices, each customer takes the option with the
largest profit less the price of what it uses, if that is positive. The dual function is convex and piecewise linear;
its minimum is found by cutting planes (Kelley 1960): every evaluation gives a tangent, a small linear program over the
prices gives the next point. With many customers the prices are found on random samples first. In a box around them most
customers take the same option whatever the prices; only the others are asked again, which is exact as long as the
prices lie inside the box.
"""

from dataclasses import dataclass, replace

import numpy as np

#: The difference between the dual function and what its tangents allow, as a share, at which the prices are good
#: enough.
TOLERANCE, _OF_A_SAMPLE = 1e-6, 1e-4
_MOST_CUTS = 200
#: Customers of each sample, and half the width of the box around its prices, as a share of them. A sample is worth it
#: where there are twice as many customers.
_SAMPLES = ((25_000, 0.1), (250_000, 0.03))
_GOLDEN = 0.6180339887498949
#: The least half width of the box, as a share of the highest price.
_LEAST_BOX = 0.001


@dataclass(frozen=True)
class Problem:
    """Options of customers, sorted by customer. Arrays of n entries.

    customer: 0.. rising, equal over a customer's options; the numbers are in random order, so that the first ones are a
    sample. profit: money, above 0. channel: index into the first resources. cost: whole units of money. action: index
    into the action budgets, -1 where the action has none. limits: one whole number a resource: contacts of each
    channel, then the money of the night, then the money of each action budget.
    """

    customer: np.ndarray
    profit: np.ndarray
    channel: np.ndarray
    cost: np.ndarray
    action: np.ndarray
    limits: np.ndarray
    n_channels: int

    def subset(self, rows: np.ndarray | slice, limits: np.ndarray | None = None) -> "Problem":
        """The same with these options (mask or rising rows), and other limits where given."""
        columns = {name: getattr(self, name)[rows] for name in ("customer", "profit", "channel", "cost", "action")}
        return replace(self, **columns, limits=self.limits if limits is None else limits)

    def reduced(self, prices: np.ndarray) -> np.ndarray:
        """Profit less the price of what is used, (n,)."""
        of_channel, of_money = prices[: self.n_channels], prices[self.n_channels]
        # The last one is for -1: an action without a budget of its own.
        per_unit = of_money + np.r_[prices[self.n_channels + 1 :], 0.0]
        return self.profit - of_channel[self.channel] - self.cost * per_unit[self.action]

    def usage(self, rows: np.ndarray) -> np.ndarray:
        """What these options use of each resource, whole numbers."""
        used = np.zeros(len(self.limits), dtype=np.int64)
        used[: self.n_channels] = np.bincount(self.channel[rows], minlength=self.n_channels)
        cost, action = self.cost[rows], self.action[rows]
        used[self.n_channels] = cost.sum()
        for budget in range(len(self.limits) - self.n_channels - 1):
            used[self.n_channels + 1 + budget] = cost[action == budget].sum()
        return used

    def best(self, reduced: np.ndarray) -> np.ndarray:
        """Rows of each customer's best option by `reduced`, where that is positive; the first of equal ones."""
        if not len(reduced):
            return np.empty(0, dtype=np.int64)
        starts = np.flatnonzero(np.r_[True, np.diff(self.customer) != 0])
        largest = np.maximum.reduceat(reduced, starts)
        lengths = np.diff(np.r_[starts, len(reduced)])
        rows = np.flatnonzero((reduced == np.repeat(largest, lengths)) & (reduced > 0))
        return rows[np.r_[True, np.diff(self.customer[rows]) != 0]] if len(rows) else rows


@dataclass(frozen=True)
class Dual:
    """prices: a price a resource, money of profit a unit of it, 0 where it does not bind. bound: the profit that no
    plan within the limits can exceed. rows: an option each of customers who take one; together they use about what
    there is, because customers to whom two options are worth the same at these prices are spread over both."""

    prices: np.ndarray
    bound: float
    rows: np.ndarray


def dual_prices(problem: Problem) -> Dual:
    """The prices at which the options wanted fit the limits as well as any."""
    n_resources = len(problem.limits)
    if not len(problem.profit):
        return Dual(np.zeros(n_resources), 0.0, np.empty(0, dtype=np.int64))
    rows = problem.best(problem.profit)
    if np.all(problem.usage(rows) <= problem.limits):
        return Dual(np.zeros(n_resources), _total(problem.profit[rows]), rows)
    highest = _highest(problem)
    n_customers = int(problem.customer[-1]) + 1
    prices, width = np.zeros(n_resources), np.inf
    for size, next_width in _SAMPLES:
        if n_customers >= 2 * size:
            first = slice(0, int(np.searchsorted(problem.customer, size)))
            sample = problem.subset(first, problem.limits * (size / n_customers))
            prices = _minimum_near(sample, prices, width, highest, _OF_A_SAMPLE).prices
            width = next_width
    return _minimum_near(problem, prices, width, highest, TOLERANCE)


def _minimum_near(problem: Problem, centre: np.ndarray, width: float, highest: np.ndarray, tolerance: float) -> Dual:
    """The least dual function and its prices, sought within a share `width` of `centre`, then farther out."""
    while True:
        slack = highest if width >= 1 else np.maximum(width * centre, _LEAST_BOX * highest)
        low, high = np.maximum(centre - slack, 0), np.minimum(centre + slack, highest)
        undecided, decided = _undecided(problem, low, high)
        rest = problem.subset(undecided, problem.limits - problem.usage(decided))
        found = _minimum(rest, low, high, _total(problem.profit[decided]), tolerance)
        is_outside = ((found.prices <= low) & (low > 0)) | ((found.prices >= high) & (high < highest))
        if width >= 1 or not is_outside.any():
            return replace(found, rows=np.sort(np.r_[decided, undecided[found.rows]]))
        centre, width = found.prices, width * 4


def _undecided(problem: Problem, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the options that are taken at some prices of the box and not at others, and of those that are taken at
    every price of it."""
    dear, cheap = problem.reduced(high), problem.reduced(low)
    starts = np.flatnonzero(np.r_[True, np.diff(problem.customer) != 0])
    lengths = np.diff(np.r_[starts, len(dear)])
    sure = np.maximum(np.maximum.reduceat(dear, starts), 0.0)
    is_possible = (cheap > 0) & (cheap >= np.repeat(sure, lengths))
    is_alone = (np.add.reduceat(is_possible.astype(np.int64), starts) == 1) & (sure > 0)
    is_decided = np.repeat(is_alone, lengths)
    decided = np.flatnonzero(is_possible & is_decided)
    return np.flatnonzero(is_possible & ~is_decided), decided


def _highest(problem: Problem) -> np.ndarray:
    """A price of each resource at which nobody uses it any more."""
    channel, money = problem.n_channels, problem.n_channels
    highest = np.zeros(len(problem.limits))
    np.maximum.at(highest, problem.channel, problem.profit)
    costly = problem.cost > 0
    if costly.any():
        ratio = problem.profit[costly] / problem.cost[costly]
        highest[money] = ratio.max()
        own = problem.action[costly]
        for budget in range(len(problem.limits) - channel - 1):
            highest[money + 1 + budget] = ratio[own == budget].max(initial=0.0)
    return highest


def _minimum(problem: Problem, low: np.ndarray, high: np.ndarray, profit: float, tolerance: float) -> Dual:
    """The prices between `low` and `high` with the least dual function, and its value there, `profit` included."""
    from scipy.optimize import linprog

    prices = low.copy()
    slopes: list[np.ndarray] = []
    offsets: list[float] = []
    tried: list[np.ndarray] = []
    weights = np.ones(1)
    best_prices, best_value = prices, np.inf
    for _ in range(_MOST_CUTS):
        rows = problem.best(problem.reduced(prices))
        # Whole numbers and sums of chosen profits: the same on every machine.
        slope = problem.limits - problem.usage(rows)
        value = profit + _total(problem.profit[rows]) + float(slope @ prices)
        if value < best_value:
            best_prices, best_value = prices, value
        tried.append(prices)
        slopes.append(slope)
        offsets.append(value - float(slope @ prices))
        scale = np.maximum(high, 1e-300)
        found = linprog(
            np.r_[np.zeros(len(prices)), 1.0],
            A_ub=np.c_[np.array(slopes) * scale, -np.ones(len(slopes))],
            b_ub=-np.array(offsets),
            bounds=[*zip(low / scale, high / scale, strict=True), (None, None)],
            method="highs",
        )
        if found.success:
            weights = -found.ineqlin.marginals
        if not found.success or best_value - found.fun <= tolerance * max(abs(best_value), 1e-12):
            break
        prices = np.clip(_rounded(found.x[:-1] * scale), low, high)
    return Dual(best_prices, best_value, _mixture(problem, tried, weights))


def _mixture(problem: Problem, tried: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """The plan between those at the `tried` prices: customers are dealt out to them by weight. The mean of those plans
    by weight is the best fractional plan (Dantzig and Wolfe 1960), which keeps the limits."""
    if not len(problem.profit):
        return np.empty(0, dtype=np.int64)
    # Evenly spread over [0, 1), and the same in every run.
    draw = (problem.customer * _GOLDEN) % 1.0
    ends = np.cumsum(np.maximum(weights, 0.0))
    ends = ends / ends[-1]
    parts, begin = [], 0.0
    for prices, end in zip(tried, ends, strict=False):
        if end - begin > 1e-9:
            rows = problem.best(problem.reduced(prices))
            parts.append(rows[(draw[rows] >= begin) & (draw[rows] < end)])
            begin = float(end)
    return np.sort(np.concatenate(parts))


def _rounded(prices: np.ndarray) -> np.ndarray:
    """Ten digits are left, so that the last bits of a solver change nothing."""
    return np.array([float(f"{price:.9e}") for price in prices])


def _total(money: np.ndarray) -> float:
    """Sum of amounts, in whole millionths so that the order does not matter."""
    return float(np.round(money * 1e6).astype(np.int64).sum()) / 1e6
