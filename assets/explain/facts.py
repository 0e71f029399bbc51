"""What can be said of a customer, family by family, and which way it points.

In: customers' numbers and what is usual. Out: facts, each a kind of sentence with its numbers, for all customers at
once. Which of them becomes a reason, and the words, are decided elsewhere.

A fact is stated together with what it is compared with (the customer's own usual, else that of customers): a reader
takes a bare number for a claim.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: RAISING and LOWERING as most people would read the fact, EITHER where that depends on the business, PLAIN where it is
#: an observation only.
RAISING, LOWERING, EITHER, PLAIN = 1, -1, 2, 0

#: A fact closer than this to what it is compared with (log ratio, about a tenth) points nowhere.
MIN_STRENGTH = 0.1

#: A change against the customer's own past says more than the same distance from other customers.
OWN_PAST = 2.0
#: The silence against the customer's own rhythm is given first wherever it points the way of the contribution.
OWN_RHYTHM = 10.0

#: What a business does to the customers it chooses says whom it chose. Whoever reads "3 contacts by us" as a reason for
#: staying, or their lack as one for leaving, concludes that more mail keeps customers; only a holdout can show.
UNSPOKEN = frozenset({"n_contacts_90d"})


@dataclass(frozen=True)
class Fact:
    """One kind of fact about n customers.

    kind: its sentence. holds: (n,) of whom it can be said. direction: (n,) RAISING, LOWERING, EITHER or PLAIN.
    strength: (n,) distance from what it is compared with, a log ratio. numbers: one (n,) array a slot of the sentence.
    """

    kind: str
    holds: np.ndarray
    direction: np.ndarray
    strength: np.ndarray
    numbers: tuple[np.ndarray, ...]

    def fits(self, direction: np.ndarray) -> np.ndarray:
        """Of whom it may be given as a reason of that direction."""
        points = (self.direction == direction) | (self.direction == EITHER)
        return self.holds & points & (direction != PLAIN) & (self.strength >= MIN_STRENGTH)


class Customers:
    """Numbers of n customers and the usual ones, NaN where not defined."""

    def __init__(self, features: Sequence[str], matrix: np.ndarray, usual: Mapping[str, float]):
        self._columns = {name: matrix[:, j] for j, name in enumerate(features)}
        self._usual = usual
        self.n = len(matrix)

    def __getitem__(self, feature: str) -> np.ndarray:
        found = self._columns.get(feature)
        return np.full(self.n, np.nan) if found is None else found

    def usual(self, feature: str) -> np.ndarray:
        return np.full(self.n, self._usual.get(feature, np.nan))

    def fact(self, kind: str, holds, direction, strength, *numbers: np.ndarray) -> Fact:
        """A fact; scalars are taken for everybody."""
        n = self.n
        return Fact(
            kind, np.broadcast_to(holds, n), np.broadcast_to(direction, n), np.broadcast_to(strength, n), numbers
        )

    def against(
        self,
        kind: str,
        own: np.ndarray,
        other: np.ndarray,
        *more_numbers: np.ndarray,
        where=True,
        more: int = LOWERING,
        weight: float = 1.0,
        shown: tuple[np.ndarray, ...] | None = None,
        is_money: bool = False,
    ) -> Fact:
        """A comparison of two amounts, both known; `more` says which way it points when the customer's own is the
        larger one. Shown are the two amounts, or `shown`. Counts and days may be zero, and one more weighs less where
        there are many; money must be positive, because what a unit of it is worth is not known."""
        known = ~(np.isnan(own) | np.isnan(other)) & where
        if is_money:
            known &= (np.nan_to_num(own) > 0) & (np.nan_to_num(other) > 0)
        least, added = (0.0, 1.0) if not is_money else (-np.inf, 0.0)
        nothing = 0.0 if not is_money else 1.0
        a, b = np.where(known, own, nothing), np.where(known, other, nothing)
        direction = more * np.sign(a - b).astype(int)
        distance = weight * np.abs(np.log((np.maximum(a, least) + added) / (np.maximum(b, least) + added)))
        return self.fact(kind, known, direction, distance, *(shown or (own, other)), *more_numbers)


def _silence(c: Customers) -> list[Fact]:
    silent, usual, longest = c["days_since_last_order"], c["gap_median_days"], c["gap_max_days"]
    bought, rhythm = ~np.isnan(silent), ~np.isnan(silent) & ~np.isnan(usual)
    with np.errstate(invalid="ignore"):
        over_longest, over_usual = rhythm & (silent > longest), rhythm & (silent > usual)
    once = bought & ~rhythm
    return [
        c.fact("no_purchase", ~bought, PLAIN, 1.0),
        c.fact("one_day", once, PLAIN, 1.0, silent),
        c.against("one_day_compared", silent, c.usual("days_since_last_order"), where=once, more=RAISING),
        c.fact("silent_longest", over_longest, RAISING, OWN_RHYTHM, silent, usual),
        c.fact("silent", over_usual & ~over_longest, RAISING, OWN_RHYTHM, silent, usual),
        c.fact("last_purchase", rhythm & ~over_usual & ~over_longest, LOWERING, OWN_RHYTHM, silent, usual),
        c.fact("last_purchase", rhythm, PLAIN, 1.0, silent, usual),
        # A silence beyond the usual gap is short next to a longest one, and one within it long next to other customers.
        c.against("within_longest", silent, longest, where=over_usual & ~over_longest, more=RAISING, weight=OWN_PAST),
        c.against("silence_compared", silent, c.usual("days_since_last_order"), where=rhythm, more=RAISING),
    ]


def _regularity(c: Customers) -> list[Fact]:
    gap, longest, last, spread = (c[f] for f in ("gap_median_days", "gap_max_days", "gap_last_days", "gap_cv"))
    usual_spread = c.usual("gap_cv")
    known = ~(np.isnan(gap) | np.isnan(longest))
    with np.errstate(invalid="ignore"):
        uneven, wider = known & (longest > gap), spread > usual_spread
    return [
        c.fact("no_rhythm", ~known, PLAIN, 1.0),
        c.fact("rhythm", known, PLAIN, 1.0, gap, longest),
        c.against("rhythm_compared", gap, c.usual("gap_median_days"), where=known, more=RAISING),
        c.against("last_gap", last, gap, where=known, more=RAISING, weight=OWN_PAST),
        c.against("irregular", spread, usual_spread, where=uneven & wider, more=RAISING, shown=(gap, longest)),
        c.against("regular", spread, usual_spread, where=uneven & ~wider, more=RAISING, shown=(gap, longest)),
    ]


def _trend(c: Customers) -> list[Fact]:
    recent, quarter, before = c["n_orders_30d"], c["n_orders_90d"], c["n_orders_prev_90d"]
    usual_recent = c.usual("n_orders_30d")
    shown = np.nan_to_num(recent)
    with np.errstate(invalid="ignore"):
        # Half a year of history, or the earlier quarter is not a whole one.
        is_old = c["tenure_days"] >= 180
    return [
        c.fact("month", np.isnan(usual_recent), PLAIN, 1.0, shown),
        c.fact("month_compared", ~np.isnan(usual_recent), PLAIN, 1.0, shown, usual_recent),
        c.against("quarter_after", quarter, before, where=is_old, weight=OWN_PAST),
        c.against(
            "sales_after", c["net_sales_90d"], c["net_sales_prev_90d"], where=is_old, weight=OWN_PAST, is_money=True
        ),
        c.against("month_compared", recent, usual_recent),
        c.against("quarter_compared", quarter, c.usual("n_orders_90d")),
    ]


def _money(c: Customers) -> list[Fact]:
    total, usual_total = c["net_sales_total"], c.usual("net_sales_total")
    shown = np.nan_to_num(total)
    return [
        c.fact("spent", np.isnan(usual_total), PLAIN, 1.0, shown),
        c.fact("spent_compared", ~np.isnan(usual_total), PLAIN, 1.0, shown, usual_total),
        c.against("order_compared", c["average_order_value"], c.usual("average_order_value"), is_money=True),
        c.against("spent_compared", total, usual_total, is_money=True),
    ]


def _basket(c: Customers) -> list[Fact]:
    lines, usual_lines = c["lines_per_order"], c.usual("lines_per_order")
    returned, usual_returned = c["return_share"], c.usual("return_share")
    bargain, usual_bargain = c["discount_order_share"], c.usual("discount_order_share")
    has_lines, has_usual = ~np.isnan(lines), ~np.isnan(usual_lines)
    tolerated = np.maximum(np.nan_to_num(usual_returned), 0.0)
    with np.errstate(invalid="ignore"):
        returns = (returned > tolerated) & (returned > 0)
        apart = np.abs(bargain - usual_bargain)
    compared = ~np.isnan(usual_returned)
    return [
        c.fact("no_basket", ~has_lines, PLAIN, 0.0),
        c.fact("lines", has_lines & ~has_usual, PLAIN, 1.0, lines),
        c.fact("lines_compared", has_lines & has_usual, PLAIN, 1.0, lines, usual_lines),
        c.against("lines_compared", lines, usual_lines),
        c.fact("returns", returns & ~compared, RAISING, returned - tolerated, returned),
        c.fact("returns_compared", returns & compared, RAISING, returned - tolerated, returned, usual_returned),
        # Bargain hunters leave sooner in one business and stay for the bargains in another.
        c.fact("bargains_compared", ~np.isnan(apart), EITHER, np.nan_to_num(apart), bargain, usual_bargain),
    ]


def _first_purchase(c: Customers) -> list[Fact]:
    second, first, usual_first = c["second_gap_days"], c["first_order_amount"], c.usual("first_order_amount")
    bought, has_usual = ~np.isnan(first), ~np.isnan(usual_first)
    return [
        c.fact("no_first", ~bought, PLAIN, 0.0),
        c.fact("first", bought & ~has_usual, PLAIN, 1.0, first),
        c.fact("first_compared", bought & has_usual, PLAIN, 1.0, first, usual_first),
        c.fact("no_second", np.isnan(second) & bought, RAISING, 1.0),
        c.against("second_compared", second, c.usual("second_gap_days"), more=RAISING),
        c.against("first_compared", first, usual_first, is_money=True),
    ]


def _tenure(c: Customers) -> list[Fact]:
    tenure, n_orders, usual_n = c["tenure_days"], c["n_orders"], c.usual("n_orders")
    known, has_usual = ~(np.isnan(tenure) | np.isnan(n_orders)), ~np.isnan(usual_n)
    return [
        c.fact("no_purchase", ~known, PLAIN, 1.0),
        c.fact("customer_for", known & ~has_usual, PLAIN, 1.0, tenure, n_orders),
        c.fact("customer_for_compared", known & has_usual, PLAIN, 1.0, tenure, n_orders, usual_n),
        # Where contracts are known, their end decides first.
        c.against(
            "contract_covers_compared", c["contract_days_left"], c.usual("contract_days_left"), weight=OWN_RHYTHM
        ),
        c.against("pace_compared", c["orders_per_30d"], c.usual("orders_per_30d"), where=known),
        c.against("orders_compared", n_orders, usual_n, where=known),
        c.against("age_compared", tenure, c.usual("tenure_days"), where=known),
    ]


def _service(c: Customers) -> list[Fact]:
    complaints = c["n_complaints_90d"]  # contacts are UNSPOKEN
    known = ~np.isnan(complaints)
    with np.errstate(invalid="ignore"):
        none, some = known & (complaints == 0), known & (complaints != 0)
    return [
        c.fact("no_record", ~known, PLAIN, 0.0),
        c.fact("no_complaint", none, LOWERING, 1.0),
        c.fact("no_complaint", none, PLAIN, 1.0),
        c.fact("complaints", some, RAISING, 1.0, complaints),
        c.fact("complaints", some, PLAIN, 1.0, complaints),
    ]


FACTS: dict[str, Callable[[Customers], list[Fact]]] = {
    "silence": _silence,
    "trend": _trend,
    "regularity": _regularity,
    "tenure": _tenure,
    "money": _money,
    "basket": _basket,
    "first_purchase": _first_purchase,
    "service": _service,
}
