"""Allocation: which candidate gets which channel tonight, under budget, capacity and one contact a customer.

In: NumPy arrays, one entry a possible channel of a candidate. Out: one outcome a candidate. Pure: no engine, no clock,
no files. Who is a candidate, and what it is worth, is decided before (`candidates`).

Contacts that must pay for themselves are a knapsack with a choice per customer. Candidates are taken greedily by
expected profit less a price on the money they spend; several prices are tried and the plan with the largest summed
profit is kept (a Lagrangian relaxation of the budget, Everett 1963, on a fixed grid). At price 0 it is plain greedy by
profit, which is what runs whenever the budget does not bind. A candidate whose turn comes and whose first channel is
full takes its next one.

Contacts that need no profit go by the margin at stake. Service (an open complaint) goes before everything. Care (a
thank-you, an interview) gets the money and the capacity that the paying contacts, planned without it, would leave: so
it takes no contact from anybody else. Of its own customer's actions it goes first, because a call that says thank you
and a message that sells do not belong in one week.

Held-out candidates take part in their turn but use up nothing: they are recorded as held out only where they would have
been contacted. So both arms of the comparison lie above the same stop line.
"""

from dataclasses import dataclass, replace

import numpy as np

#: Outcomes of a candidate.
CONTACT, HELD_OUT, OTHER_ACTION, NO_CAPACITY, NO_BUDGET, CARE_FIRST = range(6)

#: Kinds of a candidate: must pay for itself; needs no profit; needs no profit and answers the customer.
PROFIT, CARE, SERVICE = range(3)

#: Money is counted in whole ten-thousandths, so that sums are exact in any order.
MONEY_UNIT = 10_000

#: Prices of money tried when the budget binds: what a unit spent must bring beyond itself.
PRICES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True)
class Options:
    """Possible contacts, one entry a candidate and channel. All arrays have one length.

    candidate: 0..n-1, rising, every candidate at least once; its channels in the order they are to be tried.
    customer: number of the customer, equal over a candidate. channel: index into the capacities.
    profit: expected incremental profit by this channel, above 0 for kind PROFIT, anything (unknown: NaN) for others.
    spend: money, 0 upwards. value_at_risk: breaks ties of profit. is_held: held out, by the global group or the
    action's slice. kind: PROFIT, CARE or SERVICE, equal over a candidate. margin: margin at stake, orders the last two.
    """

    candidate: np.ndarray
    customer: np.ndarray
    channel: np.ndarray
    profit: np.ndarray
    spend: np.ndarray
    value_at_risk: np.ndarray
    is_held: np.ndarray
    kind: np.ndarray
    margin: np.ndarray


@dataclass(frozen=True)
class Allocation:
    """`outcome` of each candidate and the `option` (row of the options) it takes, -1 where none."""

    outcome: np.ndarray
    option: np.ndarray
    price: float
    is_budget_binding: bool


def allocate(options: Options, capacities: list[int], budget: float) -> Allocation:
    """Choose contacts. `capacities` is contacts a night by channel index, `budget` money a night.

    Ties: larger profit (or margin), then larger value at risk, then the lower candidate number. Never more than one
    option of a customer is taken, and none of kind PROFIT whose profit is not positive. Raises ValueError for arrays
    that break these terms.
    """
    _check(options)
    if len(options.candidate) == 0:
        empty = np.empty(0, dtype=np.int64)
        return Allocation(outcome=empty, option=empty, price=0.0, is_budget_binding=False)
    problem = _Problem(options)
    state = _State(
        taken=[-1] * problem.n_candidates,
        served={},
        capacity=list(capacities),
        money=int(np.floor(budget * MONEY_UNIT + 1e-6)),
    )
    state = problem.fill(state, problem.by_margin(SERVICE))
    care = problem.by_margin(CARE)
    if care:
        alone, _, _ = problem.fill_profit(state)
        left = problem.fill(replace(state, capacity=alone.capacity, money=alone.money), care)
        state = replace(
            left,
            capacity=[
                own - used + rest for own, used, rest in zip(state.capacity, alone.capacity, left.capacity, strict=True)
            ],
            money=state.money - alone.money + left.money,
        )
    state, price, binding = problem.fill_profit(state)
    # Customers that care took from the paying contacts may have freed a place or some money.
    state = problem.fill(state, care)
    outcome = problem.outcomes(state)
    return Allocation(
        outcome, np.array(state.taken, dtype=np.int64), price, binding or bool((outcome == NO_BUDGET).any())
    )


@dataclass(frozen=True)
class _State:
    """How far an allocation got: the option of each candidate, the kind each customer is served by, what is left."""

    taken: list[int]
    served: dict[int, int]
    capacity: list[int]
    money: int


class _Problem:
    """The options as plain lists, one entry an option or one a candidate."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.starts = np.flatnonzero(np.r_[True, np.diff(options.candidate) > 0])
        self.n_candidates = len(self.starts)
        self.spend = np.ceil(options.spend * MONEY_UNIT - 1e-6).astype(np.int64)
        self.kind = options.kind[self.starts]
        self.customers = options.customer[self.starts]
        self._channel, self._cost = options.channel.tolist(), self.spend.tolist()
        self._first, self._last = self.starts.tolist(), np.r_[self.starts[1:], len(options.candidate)].tolist()
        self._is_held, self._customer = options.is_held[self.starts].tolist(), self.customers.tolist()
        self._kinds = self.kind.tolist()

    def by_margin(self, kind: int) -> list[int]:
        """Candidates of a kind, the largest margin at stake first."""
        return self._ordered(kind, self.options.margin[self.starts])

    def by_profit(self, price: float) -> list[int]:
        """Candidates that must pay for themselves, the largest profit less the price of their money first."""
        profit = self.options.profit[self.starts]
        return self._ordered(PROFIT, profit - price * self.spend[self.starts] / MONEY_UNIT, profit)

    def _ordered(self, kind: int, *keys: np.ndarray) -> list[int]:
        value_at_risk = self.options.value_at_risk[self.starts]
        falling = [-key for key in (*keys, value_at_risk)]
        order = np.lexsort((np.arange(self.n_candidates), *falling[::-1]))
        return order[self.kind[order] == kind].tolist()

    def fill(self, before: _State, order: list[int]) -> _State:
        """Give each candidate, in turn, the first of its channels that has room, while its customer is not served."""
        taken, served, capacity, money = list(before.taken), dict(before.served), list(before.capacity), before.money
        least_cost = min(self._cost)
        for candidate in order:
            if money < least_cost or not any(capacity):
                break
            if self._customer[candidate] in served:
                continue
            for option in range(self._first[candidate], self._last[candidate]):
                if capacity[self._channel[option]] > 0 and self._cost[option] <= money:
                    taken[candidate] = option
                    served[self._customer[candidate]] = self._kinds[candidate]
                    if not self._is_held[candidate]:
                        capacity[self._channel[option]] -= 1
                        money -= self._cost[option]
                    break
        return _State(taken, served, capacity, money)

    def fill_profit(self, before: _State) -> tuple[_State, float, bool]:
        """The best filling over the prices of money, its price, and whether the budget binds."""
        best, best_price = self.fill(before, self.by_profit(0.0)), 0.0
        binding = bool(((self.outcomes(best) == NO_BUDGET) & (self.kind == PROFIT)).any())
        for price in PRICES[1:] if binding else ():
            other = self.fill(before, self.by_profit(price))
            if self._profit(other) > self._profit(best) + 1e-9:
                best, best_price = other, price
        return best, best_price, binding

    def outcomes(self, state: _State) -> np.ndarray:
        """The outcome of each candidate in a state."""
        is_taken = np.array(state.taken, dtype=np.int64) >= 0
        is_held = self.options.is_held[self.starts].astype(bool)
        served_by = np.array([state.served.get(customer, -1) for customer in self._customer])
        has_room = np.array([left > 0 for left in state.capacity])[self.options.channel]
        has_capacity = np.logical_or.reduceat(has_room, self.starts)
        return np.select(
            [is_taken & is_held, is_taken, served_by > self.kind, served_by >= 0, ~has_capacity],
            [HELD_OUT, CONTACT, CARE_FIRST, OTHER_ACTION, NO_CAPACITY],
            default=NO_BUDGET,
        )

    def _profit(self, state: _State) -> float:
        taken = np.array(state.taken, dtype=np.int64)
        counted = (taken >= 0) & (self.kind == PROFIT) & ~self.options.is_held[self.starts].astype(bool)
        return float(self.options.profit[taken[counted]].sum())


def _check(options: Options) -> None:
    candidate = options.candidate
    if len({len(getattr(options, name)) for name in Options.__dataclass_fields__}) != 1:
        raise ValueError("arrays of options differ in length")
    if len(candidate) and (candidate[0] != 0 or np.any((np.diff(candidate) != 0) & (np.diff(candidate) != 1))):
        raise ValueError("candidates must be numbered 0..n-1, rising, options of one candidate together")
    if np.any(~(options.profit > 0) & (options.kind == PROFIT)):
        raise ValueError("an option that must pay, without positive expected profit, must not be offered")
    if np.any(~(options.spend >= 0)):
        raise ValueError("spend must be 0 or more")
