"""Allocation: which candidate gets which channel tonight, under budget, capacity and one contact a customer.

In: NumPy arrays, one entry a possible channel of a candidate. Out: one outcome a candidate. Pure: no engine, no clock,
no files. Who is a candidate, and what it is worth, is decided before (`candidates`).

The problem is a knapsack with a choice per customer. Candidates are taken greedily by expected profit less a price on
the money they spend; several prices are tried and the plan with the largest summed profit is kept (a Lagrangian
relaxation of the budget, Everett 1963, on a fixed grid). At price 0 it is plain greedy by profit, which is what runs
whenever the budget does not bind. A candidate whose turn comes and whose first channel is full takes its next one.

Held-out candidates take part in their turn but use up nothing: they are recorded as held out only where they would have
been contacted. So both arms of the comparison lie above the same stop line.
"""

from dataclasses import dataclass

import numpy as np

#: Outcomes of a candidate.
CONTACT, HELD_OUT, OTHER_ACTION, NO_CAPACITY, NO_BUDGET = range(5)

#: Money is counted in whole ten-thousandths, so that sums are exact in any order.
MONEY_UNIT = 10_000

#: Prices of money tried when the budget binds: what a unit spent must bring beyond itself.
PRICES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True)
class Options:
    """Possible contacts, one entry a candidate and channel. All arrays have one length.

    candidate: 0..n-1, rising, every candidate at least once; its channels in the order they are to be tried.
    customer: number of the customer, equal over a candidate. channel: index into the capacities.
    profit: expected incremental profit by this channel, above 0. spend: money, 0 upwards.
    value_at_risk: breaks ties of profit. is_held: held out, by the global group or the action's slice.
    """

    candidate: np.ndarray
    customer: np.ndarray
    channel: np.ndarray
    profit: np.ndarray
    spend: np.ndarray
    value_at_risk: np.ndarray
    is_held: np.ndarray


@dataclass(frozen=True)
class Allocation:
    """`outcome` of each candidate and the `option` (row of the options) it takes, -1 where none."""

    outcome: np.ndarray
    option: np.ndarray
    price: float
    is_budget_binding: bool


def allocate(options: Options, capacities: list[int], budget: float) -> Allocation:
    """Choose contacts. `capacities` is contacts a night by channel index, `budget` money a night.

    Ties: larger profit, then larger value at risk, then the lower candidate number. Never more than one option of a
    customer is taken, and none whose profit is not positive. Raises ValueError for arrays that break these terms.
    """
    _check(options)
    if len(options.candidate) == 0:
        empty = np.empty(0, dtype=np.int64)
        return Allocation(outcome=empty, option=empty, price=0.0, is_budget_binding=False)
    money = int(np.floor(budget * MONEY_UNIT + 1e-6))
    spend = np.ceil(options.spend * MONEY_UNIT - 1e-6).astype(np.int64)
    starts = np.flatnonzero(np.r_[True, np.diff(options.candidate) > 0])

    best = _greedy(options, spend, starts, capacities, money, 0.0)
    binding = best.is_budget_binding
    if binding:
        for price in PRICES[1:]:
            other = _greedy(options, spend, starts, capacities, money, price)
            if _total(options, other) > _total(options, best) + 1e-9:
                best = other
    return Allocation(best.outcome, best.option, best.price, binding)


def _greedy(
    options: Options, spend: np.ndarray, starts: np.ndarray, capacities: list[int], money: int, price: float
) -> Allocation:
    n_candidates = len(starts)
    ends = np.r_[starts[1:], len(options.candidate)]
    first_profit = options.profit[starts]
    score = first_profit - price * spend[starts] / MONEY_UNIT
    order = np.lexsort((np.arange(n_candidates), -options.value_at_risk[starts], -first_profit, -score))

    channel, cost, is_held = options.channel.tolist(), spend.tolist(), options.is_held[starts].tolist()
    customer, first, last = options.customer[starts].tolist(), starts.tolist(), ends.tolist()
    capacity_left, money_left = list(capacities), money
    least_cost = min(cost)
    taken = [-1] * n_candidates
    served: set[int] = set()
    for candidate in order.tolist():
        if money_left < least_cost or not any(capacity_left):
            break
        if customer[candidate] in served:
            continue
        for option in range(first[candidate], last[candidate]):
            if capacity_left[channel[option]] > 0 and cost[option] <= money_left:
                taken[candidate] = option
                served.add(customer[candidate])
                if not is_held[candidate]:
                    capacity_left[channel[option]] -= 1
                    money_left -= cost[option]
                break

    option = np.array(taken, dtype=np.int64)
    is_taken = option >= 0
    held = options.is_held[starts].astype(bool)
    is_served = np.isin(options.customer[starts], np.fromiter(served, dtype=np.int64, count=len(served)))
    has_room = np.array([left > 0 for left in capacity_left])[options.channel]
    has_capacity = np.logical_or.reduceat(has_room, starts)
    outcome = np.select(
        [is_taken & held, is_taken, is_served, ~has_capacity],
        [HELD_OUT, CONTACT, OTHER_ACTION, NO_CAPACITY],
        default=NO_BUDGET,
    )
    return Allocation(outcome, option, price, bool((outcome == NO_BUDGET).any()))


def _total(options: Options, allocation: Allocation) -> float:
    return float(options.profit[allocation.option[allocation.outcome == CONTACT]].sum())


def _check(options: Options) -> None:
    candidate = options.candidate
    if len({len(getattr(options, name)) for name in Options.__dataclass_fields__}) != 1:
        raise ValueError("arrays of options differ in length")
    if len(candidate) and (candidate[0] != 0 or np.any((np.diff(candidate) != 0) & (np.diff(candidate) != 1))):
        raise ValueError("candidates must be numbered 0..n-1, rising, options of one candidate together")
    if np.any(~(options.profit > 0)):
        raise ValueError("an option without positive expected profit must not be offered")
    if np.any(~(options.spend >= 0)):
        raise ValueError("spend must be 0 or more")
