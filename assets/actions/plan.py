"""Allocation: which candidate gets which channel tonight, under budgets, capacity and one contact a customer.

In: NumPy arrays, one entry a possible channel of a candidate. Out: one outcome a candidate, the prices of what is
scarce, and how far the plan may be from the best one. Pure: no engine, no clock, no files. Who is a candidate, and what
it is worth, is decided before (`candidates`).

Contacts that must pay for themselves are chosen by prices (`dual_prices`): each customer gets the option with the
largest profit less the price of the room and the money that it uses. Where that asks for more than there is, the least
of it is left out; what is then left over is filled in the same order.

Contacts that need no profit go by the margin at stake and have a budget of their own. Service (an open complaint) goes
before everything. Care (a thank-you, an interview) gets the capacity that the paying contacts, planned without it,
would leave: so it takes no contact from anybody else. Of its own customer's actions it goes first, because a call that
says thank you and a message that sells do not belong in one week.

Held-out candidates take part but use up nothing: they are recorded as held out only where they would have been
contacted. So both arms of the comparison lie above the same stop line.
"""

from dataclasses import dataclass

import numpy as np

from assets.actions.dual_prices import Problem, dual_prices

#: Outcomes of a candidate.
CONTACT, HELD_OUT, OTHER_ACTION, NO_CAPACITY, NO_BUDGET, CARE_FIRST, NO_ACTION_BUDGET, NO_CARE_BUDGET = range(8)

#: Kinds of a candidate: must pay for itself; needs no profit; needs no profit and answers the customer.
PROFIT, CARE, SERVICE = range(3)

#: Money is counted in whole ten-thousandths, so that sums are exact in any order.
MONEY_UNIT = 10_000

#: As a share of the largest profit, how much above the price of what it uses an option is worth no more than nothing.
_AT_THE_LINE = 1e-6
#: How many options are put in order at once while room is filled.
_AT_ONCE = 50_000
#: Contacts and options that are tried against each other at the end, how often, and the share of the bound that may be
#: missing without it.
_EXCHANGED, _EXCHANGES, _NEAR_ENOUGH = 60, 60, 2e-4
_EXCHANGED_UP_TO = 500_000


@dataclass(frozen=True)
class Options:
    """Possible contacts, one entry a candidate and channel. All arrays have one length.

    candidate: 0..n-1, rising, every candidate at least once; its channels in the order they are to be tried.
    customer: number of the customer, equal over a candidate; in random order. channel: index into the capacities (a
    channel, or the calls of one owner).
    action: index into the action budgets, -1 where the action has none. profit: by which the plan decides, above 0 for
    kind PROFIT, anything (unknown: NaN) for others. spend: money, 0 upwards. value_at_risk: breaks ties of profit.
    is_held: held out, by the global group or the action's slice. kind: PROFIT, CARE or SERVICE, equal over a candidate.
    margin: margin at stake, orders the last two.
    """

    candidate: np.ndarray
    customer: np.ndarray
    channel: np.ndarray
    action: np.ndarray
    profit: np.ndarray
    spend: np.ndarray
    value_at_risk: np.ndarray
    is_held: np.ndarray
    kind: np.ndarray
    margin: np.ndarray


@dataclass(frozen=True)
class Limits:
    """What a night has: contacts a channel and calls an owner, money for contacts that must pay, money for care and
    service, and money for each action that has a budget of its own (of either kind)."""

    capacities: tuple[int, ...]
    budget: float
    care_budget: float
    action_budgets: tuple[float, ...] = ()


@dataclass(frozen=True)
class Allocation:
    """`outcome` of each candidate and the `option` (row of the options) it takes, -1 where none.

    profit: of the paying contacts; bound: what no plan of the same people can exceed, people held out left aside.
    channel_prices, money_price, action_prices: what one more contact, or one more unit of money, would earn.
    """

    outcome: np.ndarray
    option: np.ndarray
    profit: float
    bound: float
    channel_prices: tuple[float, ...]
    money_price: float
    action_prices: tuple[float, ...]


def allocate(options: Options, limits: Limits) -> Allocation:
    """Choose contacts. Ties: larger profit (or margin), then larger value at risk, then the lower candidate number.
    Never more than one option of a customer is taken, and none of kind PROFIT whose profit is not positive. Raises
    ValueError for arrays that break these terms."""
    _check(options)
    n_prices = len(limits.capacities), len(limits.action_budgets)
    if len(options.candidate) == 0:
        empty = np.empty(0, dtype=np.int64)
        return Allocation(empty, empty, 0.0, 0.0, (0.0,) * n_prices[0], 0.0, (0.0,) * n_prices[1])
    night = _Night(options, limits)
    night.fill_by_margin(SERVICE)
    before = night.state()
    pays = _Paying(night)
    pays.choose()
    night.fill_by_margin(CARE)
    if night.displaced:
        # Customers whom care took from the paying contacts leave room to others.
        care = {row for row in night.chosen_rows() if options.kind[row] == CARE}
        night.restore(before, sorted(care))
        pays = _Paying(night)
        pays.choose()
        night.fill_by_margin(CARE, may_displace=False)
    profit = night.profit()
    money, channels = len(limits.capacities), pays.prices[: len(limits.capacities)]
    return Allocation(
        outcome=night.outcomes(),
        option=night.taken,
        profit=profit,
        bound=max(pays.bound, profit),
        channel_prices=tuple(channels.tolist()),
        money_price=float(pays.prices[money]) * MONEY_UNIT,
        action_prices=tuple((pays.prices[money + 1 :] * MONEY_UNIT).tolist()),
    )


class _Night:
    """How far an allocation got: the option of each candidate, the candidate of each customer, what is left."""

    def __init__(self, options: Options, limits: Limits) -> None:
        self.options, self.limits = options, limits
        self.starts = np.flatnonzero(np.r_[True, np.diff(options.candidate) > 0])
        self.ends = np.r_[self.starts[1:], len(options.candidate)]
        self.kind = options.kind[self.starts]
        self.is_held = options.is_held[self.starts].astype(bool)
        self.customer = options.customer[self.starts]
        self.cost = np.ceil(options.spend * MONEY_UNIT - 1e-6).astype(np.int64)
        self.n_channels = len(limits.capacities)
        # Contacts of each channel, money, money of each action, and at the end the money for care.
        self.left = np.array(
            [
                *limits.capacities,
                _units(limits.budget),
                *(_units(money) for money in limits.action_budgets),
                _units(limits.care_budget),
            ],
            dtype=np.int64,
        )
        self.taken = np.full(len(self.starts), -1, dtype=np.int64)
        self.served = np.full(int(options.customer.max()) + 1, -1, dtype=np.int64)
        self.displaced = False

    def state(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.left.copy(), self.taken.copy(), self.served.copy()

    def restore(self, state: tuple[np.ndarray, np.ndarray, np.ndarray], rows: list[int]) -> None:
        """Go back to `state`, but keep these rows taken."""
        self.left, self.taken, self.served = (part.copy() for part in state)
        for row in rows:
            self.take(row)

    def chosen_rows(self) -> np.ndarray:
        return self.taken[self.taken >= 0]

    def profit(self) -> float:
        rows = self.chosen_rows()
        counted = rows[(self.options.kind[rows] == PROFIT) & ~self.options.is_held[rows].astype(bool)]
        return float(self.options.profit[counted].sum())

    def resources(self, row: int) -> list[tuple[int, int]]:
        """(resource, amount) that an option uses."""
        used = [(int(self.options.channel[row]), 1)]
        cost = int(self.cost[row])
        used.append((self.n_channels if self.options.kind[row] == PROFIT else len(self.left) - 1, cost))
        if self.options.action[row] >= 0:
            used.append((self.n_channels + 1 + int(self.options.action[row]), cost))
        return used

    def fits(self, row: int) -> bool:
        return all(amount <= self.left[resource] for resource, amount in self.resources(row))

    def fits_all(self, rows: np.ndarray) -> np.ndarray:
        """Whether each of these options alone has room."""
        channel, action, cost = self.options.channel[rows], self.options.action[rows], self.cost[rows]
        is_paying = self.options.kind[rows] == PROFIT
        money = np.where(is_paying, self.left[self.n_channels], self.left[-1])
        of_action = np.r_[self.left[self.n_channels + 1 : -1], np.iinfo(np.int64).max][action]
        return (self.left[channel] >= 1) & (cost <= money) & (cost <= of_action)

    def take(self, row: int) -> None:
        candidate = int(self.options.candidate[row])
        self.taken[candidate] = row
        self.served[self.options.customer[row]] = candidate
        if not self.is_held[candidate]:
            for resource, amount in self.resources(row):
                self.left[resource] -= amount

    def release(self, row: int) -> None:
        candidate = int(self.options.candidate[row])
        self.taken[candidate] = -1
        self.served[self.options.customer[row]] = -1
        if not self.is_held[candidate]:
            for resource, amount in self.resources(row):
                self.left[resource] += amount

    def take_all(self, rows: np.ndarray) -> None:
        """Take contacts of kind PROFIT that fit together."""
        self.taken[self.options.candidate[rows]] = rows
        self.served[self.options.customer[rows]] = self.options.candidate[rows]
        self.left[: self.n_channels] -= np.bincount(self.options.channel[rows], minlength=self.n_channels)
        self.left[self.n_channels] -= self.cost[rows].sum()
        for budget in range(len(self.limits.action_budgets)):
            self.left[self.n_channels + 1 + budget] -= self.cost[rows][self.options.action[rows] == budget].sum()

    def fill_by_margin(self, kind: int, may_displace: bool = True) -> None:
        """Give candidates of a kind, the largest margin at stake first, the first of their channels that has room. Of
        its customer's actions a candidate goes before those that pay, if it finds room beside them."""
        candidates = np.flatnonzero(self.kind == kind)
        options = self.options
        first = self.starts[candidates]
        order = np.lexsort((candidates, -options.value_at_risk[first], -options.margin[first]))
        for candidate in candidates[order].tolist():
            holder = int(self.served[self.customer[candidate]])
            if holder >= 0 and (self.kind[holder] != PROFIT or not may_displace):
                continue
            for row in range(int(self.starts[candidate]), int(self.ends[candidate])):
                if self.fits(row):
                    if holder >= 0:
                        self.release(int(self.taken[holder]))
                        self.displaced = True
                    self.take(row)
                    break

    def outcomes(self) -> np.ndarray:
        """The outcome of each candidate."""
        is_taken = self.taken >= 0
        holder = self.served[self.customer]
        held_by = np.where(holder >= 0, self.kind[holder], -1)
        channel, cost = self.options.channel, self.cost
        has_channel = np.logical_or.reduceat(self.left[channel] >= 1, self.starts)
        money = np.where(self.options.kind == PROFIT, self.left[self.n_channels], self.left[-1])
        has_money = np.logical_or.reduceat((self.left[channel] >= 1) & (cost <= money), self.starts)
        return np.select(
            [
                is_taken & self.is_held,
                is_taken,
                held_by > self.kind,
                held_by >= 0,
                ~has_channel,
                ~has_money & (self.kind != PROFIT),
                ~has_money,
            ],
            [HELD_OUT, CONTACT, CARE_FIRST, OTHER_ACTION, NO_CAPACITY, NO_CARE_BUDGET, NO_BUDGET],
            default=NO_ACTION_BUDGET,
        )


class _Paying:
    """Contacts that must pay, chosen by prices. Rows are those of the options, sorted by customer."""

    def __init__(self, night: _Night) -> None:
        self.night = night
        options = night.options
        rows = np.flatnonzero((options.kind == PROFIT) & (night.served[options.customer] < 0))
        if np.any(np.diff(options.customer[rows]) < 0):
            rows = rows[np.argsort(options.customer[rows], kind="stable")]
        self.rows = rows
        self.is_held = options.is_held[rows].astype(bool)
        self.all = Problem(
            customer=options.customer[rows],
            profit=options.profit[rows],
            channel=options.channel[rows],
            cost=night.cost[rows],
            action=options.action[rows],
            limits=night.left[:-1].copy(),
            n_channels=night.n_channels,
        )

    def choose(self) -> None:
        """Take contacts and held-out candidates in the night; sets `prices` and `bound`."""
        contacts, wanted = self._solve()
        reduced = self.all.reduced(self.prices)
        self._take_in_order(wanted, contacts, reduced)
        self._fill(contacts, reduced)
        self._exchange(contacts, reduced)
        self._hold(reduced)
        # Customers with a held-out candidate below the stop line may still get another action.
        self._fill(np.flatnonzero(~self.is_held), reduced)

    def _solve(self) -> tuple[np.ndarray, np.ndarray]:
        """Prices and bound without the customers who are held out at these prices. Returns the rows of all others'
        options, and those that are wanted at these prices."""
        held_customers = np.zeros(int(self.all.customer[-1]) + 1 if len(self.rows) else 0, dtype=bool)
        has_held = bool(self.is_held.any())
        for _ in range(3 if has_held else 1):
            contacts = np.flatnonzero(~self.is_held & ~held_customers[self.all.customer])
            dual = dual_prices(self.all.subset(contacts))
            self.prices, self.bound = dual.prices, dual.bound
            best = self.all.best(self.all.reduced(self.prices)) if has_held else np.empty(0, dtype=np.int64)
            now_held = self.all.customer[best[self.is_held[best]]]
            if held_customers[now_held].all():
                break
            held_customers[now_held] = True
        # Whoever came to be held out in the last round wants nothing else.
        wanted = contacts[dual.rows]
        is_open = ~held_customers[self.all.customer]
        return contacts[is_open[contacts]], wanted[is_open[wanted]]

    def _order(self, rows: np.ndarray, reduced: np.ndarray) -> np.ndarray:
        """Rows, the largest reduced profit first."""
        value_at_risk = self.night.options.value_at_risk[self.rows[rows]]
        # Options of a customer and candidates of one worth keep the order in which they came.
        return rows[np.lexsort((self.rows[rows], -value_at_risk, -self.all.profit[rows], -reduced[rows]))]

    def _take_in_order(self, rows: np.ndarray, contacts: np.ndarray, reduced: np.ndarray) -> None:
        """Take rows of different customers as far as all that come before fit too: first those whose customer has
        nothing else of nearly that worth among `contacts`."""
        # At the stop line itself the order of ties decides, not who was wanted.
        rows = rows[reduced[rows] > _AT_THE_LINE * self.all.profit.max(initial=0.0)]
        if np.all(self.all.usage(rows) <= self.night.left[:-1]):
            self.night.take_all(self.rows[rows])
            return
        second = np.zeros(len(self.night.served))
        others = np.setdiff1d(contacts, rows, assume_unique=True)
        np.maximum.at(second, self.all.customer[others], reduced[others])
        regret = reduced.copy()
        regret[rows] -= second[self.all.customer[rows]]
        rows = self._order(rows, regret)
        left, n_channels = self.night.left, self.night.n_channels
        fits = np.cumsum(self.all.cost[rows]) <= left[n_channels]
        for channel in range(n_channels):
            used = self.all.channel[rows] == channel
            fits &= ~used | (np.cumsum(used) <= left[channel])
        for budget in range(len(left) - n_channels - 2):
            used = self.all.action[rows] == budget
            fits &= ~used | (np.cumsum(np.where(used, self.all.cost[rows], 0)) <= left[n_channels + 1 + budget])
        self.night.take_all(self.rows[rows[fits]])

    def _fill(self, rows: np.ndarray, reduced: np.ndarray) -> None:
        """Give what is left to customers without a contact, in order, until nobody of `rows` would still fit."""
        night = self.night
        while len(rows):
            rows = rows[(night.served[self.all.customer[rows]] < 0) & night.fits_all(self.rows[rows])]
            head = rows
            if len(rows) > _AT_ONCE:
                line = np.partition(reduced[rows], len(rows) - _AT_ONCE)[len(rows) - _AT_ONCE]
                head = rows[reduced[rows] >= line]
            for row in self.rows[self._order(head, reduced)].tolist():
                if night.served[night.options.customer[row]] < 0 and night.fits(row):
                    night.take(row)

    def _exchange(self, rows: np.ndarray, reduced: np.ndarray) -> None:
        """Let an option take the place of the contact of its customer, of one other contact, or of both, where that
        earns more: of the options and contacts nearest the stop line, while there is something to gain."""
        night = self.night
        # Among very many one contact more or less is not worth the time.
        if len(self.rows) > _EXCHANGED_UP_TO:
            return
        place = np.full(len(night.options.candidate), -1, dtype=np.int64)
        place[self.rows] = np.arange(len(self.rows))
        for _ in range(_EXCHANGES):
            if self.bound - night.profit() <= _NEAR_ENOUGH * self.bound:
                return
            taken = place[night.chosen_rows()]
            taken = taken[taken >= 0]
            of_customer = np.zeros(len(night.served))
            of_customer[self.all.customer[taken]] = reduced[taken]
            is_taken = np.zeros(len(self.rows), dtype=bool)
            is_taken[taken] = True
            others = rows[~is_taken[rows]]
            new = _largest(others, reduced[others] - of_customer[self.all.customer[others]])
            out = _largest(taken, -reduced[taken])
            gain, chosen = 1e-9, None
            for row in new.tolist():
                own = int(night.served[self.all.customer[row]])
                freed = [] if own < 0 else [int(night.taken[own])]
                for other in [None, *out.tolist()]:
                    leaving = list(dict.fromkeys([*freed, *([] if other is None else [int(self.rows[other])])]))
                    change = self.all.profit[row] - sum(float(night.options.profit[r]) for r in leaving)
                    if change > gain and self._fits_without(int(self.rows[row]), leaving):
                        gain, chosen = change, (int(self.rows[row]), leaving)
            if chosen is None:
                return
            for row in chosen[1]:
                night.release(row)
            night.take(chosen[0])
            self._fill(new, reduced)

    def _fits_without(self, row: int, leaving: list[int]) -> bool:
        freed: dict[int, int] = {}
        for other in leaving:
            for resource, amount in self.night.resources(other):
                freed[resource] = freed.get(resource, 0) + amount
        return all(
            amount <= self.night.left[resource] + freed.get(resource, 0)
            for resource, amount in self.night.resources(row)
        )

    def _hold(self, reduced: np.ndarray) -> None:
        """Hold out candidates that would have been contacted: they would fit, or lie above the least contact of each
        resource that is used up."""
        night = self.night
        rows = np.flatnonzero(self.is_held & (night.served[self.all.customer] < 0))
        if not len(rows):
            return
        chosen = night.taken[night.served[self.all.customer]]
        is_contact = (night.served[self.all.customer] >= 0) & (chosen == self.rows) & ~self.is_held
        line = np.full(len(night.left) - 1, np.inf)
        contacts = np.flatnonzero(is_contact)
        np.minimum.at(line, self.all.channel[contacts], reduced[contacts])
        money = night.n_channels
        line[money] = reduced[contacts].min(initial=np.inf)
        with_budget = contacts[self.all.action[contacts] >= 0]
        np.minimum.at(line, money + 1 + self.all.action[with_budget], reduced[with_budget])
        channel, action, cost = self.all.channel[rows], self.all.action[rows], self.all.cost[rows]
        worth = reduced[rows]
        is_above = (night.left[channel] >= 1) | (worth >= line[channel])
        is_above &= (cost <= night.left[money]) | (worth >= line[money])
        of_action = money + 1 + np.maximum(action, 0)
        if len(night.left) > money + 2:
            is_above &= (action < 0) | (cost <= night.left[of_action]) | (worth >= line[of_action])
        rows = self._order(rows[is_above], reduced)
        # The best of each customer.
        _, first = np.unique(self.all.customer[rows], return_index=True)
        taken = self.rows[rows[first]]
        night.taken[night.options.candidate[taken]] = taken
        night.served[night.options.customer[taken]] = night.options.candidate[taken]


def _largest(rows: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """The few rows of the largest worth, the first of equal ones."""
    if len(rows) > _EXCHANGED:
        line = np.partition(worth, len(rows) - _EXCHANGED)[len(rows) - _EXCHANGED]
        rows, worth = rows[worth >= line], worth[worth >= line]
    return rows[np.lexsort((rows, -worth))][:_EXCHANGED]


def _units(money: float) -> int:
    return int(np.floor(money * MONEY_UNIT + 1e-6))


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
