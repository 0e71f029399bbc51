"""Why a customer has this score: three reasons in words, with the customer's own numbers.

In: a model, a matrix of features. Out: text and the family it speaks of. Reads and writes no table.

How a reason is found: the features of one family are replaced by what is usual for customers, and the same model
predicts again. The change in log-odds is the family's effect. This is an occlusion: it says what the score rests on,
family by family, not an exact division of it, and nothing about causes.

A family is given as a reason only by a fact that points the way of its effect and stands beside what it is compared
with: a reader takes a bare number for a claim.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import numpy as np

from assets.shared.churn_features import FAMILIES
from assets.shared.retention_model import RetentionModel

N_REASONS = 3
#: Effects (log-odds) below this are not worth a claim in either direction. They are also rounded before they are
#: ranked, so that the last bits of a sum cannot swap two reasons.
MIN_EFFECT = 0.02
_EFFECT_DECIMALS = 6

#: A fact closer than this to what it is compared with (log ratio, about a tenth) points nowhere.
MIN_STRENGTH = 0.1

#: What raises the risk needs no mark, except where the reasons lead with what speaks for staying.
RAISES = "Speaks for leaving: "
LOWERS = "Speaks for staying: "
NEUTRAL = "Observed: "

#: What a business does to the customers it chooses says whom it chose. Whoever reads "3 contacts by us" as a reason for
#: staying, or their lack as one for leaving, concludes that more mail keeps customers; only a holdout can tell.
UNSPOKEN = frozenset({"n_contacts_90d"})

RAISING, LOWERING, EITHER, PLAIN = 1, -1, 2, 0


class Reason(NamedTuple):
    text: str | None
    family: str | None


class Statement(NamedTuple):
    """A fact, which way it points (RAISING and LOWERING as most people would read it, EITHER where that depends on the
    business, PLAIN where it is an observation only), and how far the number is from what it is compared with (log
    ratio)."""

    direction: int
    text: str
    strength: float = 1.0

    def fits(self, direction: int) -> bool:
        """Whether it may be given as a reason of that direction."""
        return self.direction in (direction, EITHER) and self.strength >= MIN_STRENGTH


NO_REASON = Reason(None, None)


class Customer:
    """One customer's numbers beside the usual ones, `None` where not defined."""

    def __init__(self, names: tuple[str, ...], values: list[float], usual: dict[str, float | None]):
        self._values = dict(zip(names, values, strict=True))
        self._usual = usual

    def __getitem__(self, feature: str) -> float | None:
        value = self._values[feature]
        return None if value != value else value  # NaN is the only value unlike itself

    def usual(self, feature: str) -> float | None:
        return self._usual[feature]


# --- which families -------------------------------------------------------------------------------------------------

def family_effects(model: RetentionModel, matrix: np.ndarray, log_odds: np.ndarray) -> dict[str, np.ndarray]:
    """Family → its effect on each customer's log-odds of churn (positive: raises the risk). Families whose features
    the model does not use are left out; features that are `UNSPOKEN` keep the customer's values.

    log_odds: the model's own for `matrix`, computed once by the caller.
    """
    typical, effects = model.typical, {}
    for family, features in FAMILIES.items():
        columns = [model.features.index(f) for f in features if f in model.kept_features - UNSPOKEN]
        if not columns:
            continue
        replaced = matrix.copy()
        replaced[:, columns] = typical[columns]
        effects[family] = (log_odds - model.log_odds(replaced)).round(_EFFECT_DECIMALS)
    return effects


def explain_by_model(
    model: RetentionModel, matrix: np.ndarray, log_odds: np.ndarray, is_low: np.ndarray
) -> list[tuple[Reason, ...]]:
    """Three reasons a customer: families that raise the risk, strongest first; when there are fewer than three, those
    that lower it, strongest first; then what is left, as plain observations. A customer whose risk is low (`is_low`,
    one a row) has first what lowers it, then what raises it, both marked. A family without a fact that points the way
    of its effect is an observation."""
    effects = family_effects(model, matrix, log_odds)
    families = list(effects)
    if not families:
        return [(NO_REASON,) * N_REASONS] * len(matrix)
    table = np.column_stack([effects[family] for family in families])
    directions = np.where(table >= MIN_EFFECT, RAISING, np.where(table <= -MIN_EFFECT, LOWERING, PLAIN))
    # Families in the order of the reasons: the leading direction, the other one, those without an effect to speak of;
    # within each by size.
    leading = np.where(is_low, LOWERING, RAISING)[:, None]
    group = np.where(directions == PLAIN, 2, np.where(directions == leading, 0, 1))
    order = np.lexsort((np.broadcast_to(np.arange(len(families)), table.shape), -np.abs(table), group))
    usual = dict(zip(model.features, _none_for_nan(model.typical), strict=True))
    reasons = []
    for row, values in enumerate(matrix.tolist()):
        customer = Customer(model.features, values, usual)
        mark = {RAISING: RAISES if is_low[row] else "", LOWERING: LOWERS}
        found, observed = [], []
        for place in order[row]:
            family, direction = families[place], int(directions[row, place])
            fact = reason(customer, family, direction)
            if fact is None:
                observed.append(Reason(marked(NEUTRAL, observation(customer, family)), family))
            else:
                found.append(Reason(marked(mark[direction], fact), family))
            if len(found) == N_REASONS:
                break
        reasons.append(_three(found + observed))
    return reasons


def explain_by_rule(model: RetentionModel, matrix: np.ndarray, is_low: np.ndarray) -> list[tuple[Reason, ...]]:
    """Three reasons a customer when the rule scores: the rule's own, then two observations that weigh nothing in the
    score: first those that most people would read as the score goes (`is_low`, one a row), else any."""
    usual = dict(zip(model.features, _none_for_nan(model.typical), strict=True))
    rule, reasons = model.rule, []
    for values, low in zip(matrix.tolist(), is_low, strict=True):
        customer = Customer(model.features, values, usual)
        silent = customer["days_since_last_order"]
        found = [Reason(f"No purchase for {days(silent)}; {rule.words(silent)}", "silence")]
        facts = [
            (statement, family)
            for family, write in STATEMENTS.items() if family != "silence"
            for statement in write(customer)
            if statement.direction == PLAIN or statement.strength >= MIN_STRENGTH
        ]
        leading = LOWERING if low else RAISING
        for statement, family in sorted(facts, key=partial(_telling_first, leading)):
            if family not in {given.family for given in found}:
                found.append(Reason(marked(NEUTRAL, statement.text), family))
        reasons.append(_three(found[:N_REASONS]))
    return reasons


def explain_not_scored(
    ineligible_reason: str | None, silent_days: float | None, tenure_days: float | None, min_tenure_days: int
) -> tuple[Reason, ...]:
    """Why a customer has no score, in words; there is nothing else to say of the risk."""
    if ineligible_reason == "never_purchased":
        text = "Not scored: has never purchased"
    elif ineligible_reason == "lost":
        text = "Not scored: already counted as lost" + (f", no purchase for {days(silent_days)}" if silent_days else "")
    elif ineligible_reason == "too_little_history":
        since = f"first purchase {days(tenure_days)} ago, " if tenure_days else ""
        text = f"Not scored: {since}{days(min_tenure_days)} of history are needed"
    else:
        text = "Not scored: not eligible" + (f" ({ineligible_reason})" if ineligible_reason else "")
    return _three([Reason(text, "not_scored")])


def _telling_first(leading: int, fact: tuple[Statement, str]) -> tuple[bool, bool, float]:
    return fact[0].direction != leading, fact[0].direction == PLAIN, -fact[0].strength


def reason(customer: Customer, family: str, direction: int) -> str | None:
    """The family's fact about this customer that points most clearly in `direction`, or None: never a fact that points
    the other way or nowhere."""
    fitting = [s for s in STATEMENTS[family](customer) if direction != PLAIN and s.fits(direction)]
    return max(fitting, key=lambda s: s.strength).text if fitting else None


def observation(customer: Customer, family: str) -> str:
    """The family's plain fact about this customer."""
    return max((s for s in STATEMENTS[family](customer) if s.direction == PLAIN), key=lambda s: s.strength).text


def marked(mark: str, text: str) -> str:
    return mark + _lower_first(text) if mark else text



def _beside(text: str, usual: str | None) -> str:
    """A fact beside what is usual for customers, where that is known."""
    return text if usual is None else f"{text}; usual for customers: {usual}"


#: A change against the customer's own past tells more than the same distance from other customers.
OWN_PAST = 2.0


def _against(own: float, other: float, text: str, more: int = LOWERING, weight: float = 1.0) -> Statement:
    """A comparison of two amounts; `more` says which way it points when the customer's own is the larger one."""
    direction = more if own > other else -more if own < other else PLAIN
    distance = weight * abs(math.log((max(own, 0.0) + 1) / (max(other, 0.0) + 1)))
    return Statement(direction, text, distance)


# --- the facts, family by family, one PLAIN always ------------------------------------------

def _silence(c: Customer) -> Iterable[Statement]:
    silent, usual, longest = c["days_since_last_order"], c["gap_median_days"], c["gap_max_days"]
    if silent is None:
        return [Statement(PLAIN, "No purchase yet")]
    if usual is None:
        text, usual_silent = f"Bought on one day only, {days(silent)} ago", c.usual("days_since_last_order")
        plain = Statement(PLAIN, text)
        if usual_silent is None:
            return [plain]
        compared = f"{text}; usual time since the last purchase: {days(usual_silent)}"
        return [plain, _against(silent, usual_silent, compared, more=RAISING)]
    rhythm = f"usually buys {every(usual)}"
    plain = Statement(PLAIN, f"Last purchase {days(silent)} ago; {rhythm}")
    if longest is not None and silent > longest:
        return [Statement(RAISING, f"No purchase for {days(silent)}, longer than ever before; {rhythm}"), plain]
    if silent > usual:
        return [Statement(RAISING, f"No purchase for {days(silent)}; {rhythm}"), plain]
    return [Statement(LOWERING, plain.text), plain]


def _regularity(c: Customer) -> Iterable[Statement]:
    gap, longest, last, spread = (c[f] for f in ("gap_median_days", "gap_max_days", "gap_last_days", "gap_cv"))
    usual_gap, usual_spread = c.usual("gap_median_days"), c.usual("gap_cv")
    if gap is None or longest is None:
        return [Statement(PLAIN, "No rhythm yet: bought on one day only")]
    found = [Statement(PLAIN, f"Usually {days(gap)} between purchases, at most {days(longest)}")]
    if usual_gap is not None:
        found.append(_against(
            gap, usual_gap, f"Usually buys {every(gap)}; usual for customers: {every(usual_gap)}", more=RAISING
        ))
    if last is not None:
        found.append(_against(
            last, gap, f"Last gap between purchases was {days(last)}; usually {days(gap)}", more=RAISING,
            weight=OWN_PAST,
        ))
    if spread is not None and usual_spread is not None and longest > gap:
        kind = "Irregular" if spread > usual_spread else "Regular"
        found.append(_against(
            spread, usual_spread, f"{kind} rhythm: usually {days(gap)} between purchases, at most {days(longest)}",
            more=RAISING,
        ))
    return found


def _trend(c: Customer) -> Iterable[Statement]:
    recent, quarter, before = c["n_orders_30d"], c["n_orders_90d"], c["n_orders_prev_90d"]
    usual_recent = c.usual("n_orders_30d")
    beside = None if usual_recent is None else number(usual_recent)
    found = [Statement(PLAIN, _beside(f"{orders(recent or 0, capital=True)} in the last 30 days", beside))]
    # Half a year of history, or the earlier quarter is not a whole one.
    if (c["tenure_days"] or 0) >= 180:
        if quarter is not None and before is not None:
            found.append(_against(
                quarter, before,
                f"{orders(quarter, capital=True)} in the last 90 days, after {orders(before)} in the 90 days before",
                weight=OWN_PAST,
            ))
        sales, sales_before = c["net_sales_90d"], c["net_sales_prev_90d"]
        if sales is not None and sales_before is not None:
            found.append(_against(
                sales, sales_before,
                f"Spent {money(sales)} in the last 90 days, after {money(sales_before)} in the 90 days before",
                weight=OWN_PAST,
            ))
    for length, own, usual in ((30, recent, usual_recent), (90, quarter, c.usual("n_orders_90d"))):
        if own is not None and usual is not None:
            found.append(_against(
                own, usual,
                f"{orders(own, capital=True)} in the last {length} days; usual for customers: {number(usual)}",
            ))
    return found


def _money(c: Customer) -> Iterable[Statement]:
    order, usual_order = c["average_order_value"], c.usual("average_order_value")
    total, usual_total = c["net_sales_total"], c.usual("net_sales_total")
    spent = _beside(f"Spent {money(total or 0)} in all", None if usual_total is None else money(usual_total))
    found = [Statement(PLAIN, spent)]
    if order is not None and usual_order is not None:
        found.append(_against(
            order, usual_order, f"Spends {money(order)} an order; usual for customers: {money(usual_order)}"
        ))
    if total is not None and usual_total is not None:
        found.append(_against(total, usual_total, spent))
    return found


def _basket(c: Customer) -> Iterable[Statement]:
    lines, usual_lines = c["lines_per_order"], c.usual("lines_per_order")
    found = [Statement(PLAIN, "Basket not known", 0.0)]
    if lines is not None:
        text = _beside(f"{_counted(lines, 'line')} an order", None if usual_lines is None else number(usual_lines))
        found = [Statement(PLAIN, text)]
        if usual_lines is not None:
            found.append(_against(lines, usual_lines, text))
    returned, usual_returned = c["return_share"], c.usual("return_share")
    if returned and returned > (usual_returned or 0):
        text = _beside(
            f"Returns {share(returned)} of the lines bought", None if usual_returned is None else share(usual_returned)
        )
        found.append(Statement(RAISING, text, returned - max(usual_returned or 0, 0)))
    bargain, usual_bargain = c["discount_order_share"], c.usual("discount_order_share")
    if bargain is not None and usual_bargain is not None:
        # Bargain hunters leave sooner in one business and stay for the bargains in another.
        text = f"Buys {share(bargain)} of orders on discount; usual for customers: {share(usual_bargain)}"
        found.append(Statement(EITHER, text, abs(bargain - usual_bargain)))
    return found


def _first_purchase(c: Customer) -> Iterable[Statement]:
    second, usual_second = c["second_gap_days"], c.usual("second_gap_days")
    first, usual_first = c["first_order_amount"], c.usual("first_order_amount")
    found = [Statement(PLAIN, "First purchase not known", 0.0)]
    if first is not None:
        text = _beside(f"First purchase of {money(first)}", None if usual_first is None else money(usual_first))
        found = [Statement(PLAIN, text)]
    if second is None:
        found.append(Statement(RAISING, "Has not come back after the first purchase day"))
    elif usual_second is not None:
        found.append(_against(
            second, usual_second,
            f"Came back {days(second)} after the first purchase; usual for customers: {days(usual_second)}",
            more=RAISING,
        ))
    if first is not None and usual_first is not None:
        found.append(_against(first, usual_first, text))
    return found


def _tenure(c: Customer) -> Iterable[Statement]:
    rate, usual_rate = c["orders_per_30d"], c.usual("orders_per_30d")
    tenure, n_orders, usual_n = c["tenure_days"], c["n_orders"], c.usual("n_orders")
    if tenure is None or n_orders is None:
        return [Statement(PLAIN, "No purchase yet")]
    found = [Statement(PLAIN, _beside(
        f"Customer for {days(tenure)}, {orders(n_orders)} so far", None if usual_n is None else orders(usual_n)
    ))]
    if rate is not None and usual_rate is not None:
        found.append(_against(
            rate, usual_rate,
            f"{orders(rate, capital=True)} in 30 days on average; usual for customers: {number(usual_rate)}",
        ))
    if usual_n is not None:
        found.append(_against(
            n_orders, usual_n, f"{orders(n_orders, capital=True)} so far; usual for customers: {number(usual_n)}"
        ))
    return found


def _service(c: Customer) -> Iterable[Statement]:
    complaints = c["n_complaints_90d"]  # contacts are UNSPOKEN
    if complaints is None:
        return [Statement(PLAIN, "No record of complaints", 0.0)]
    if not complaints:
        text = "No complaint in the last 90 days"
        return [Statement(LOWERING, text), Statement(PLAIN, text)]
    text = f"{_counted(complaints, 'complaint')} in the last 90 days"
    return [Statement(RAISING, text), Statement(PLAIN, text)]


STATEMENTS: dict[str, Callable[[Customer], Iterable[Statement]]] = {
    "silence": _silence,
    "trend": _trend,
    "regularity": _regularity,
    "tenure": _tenure,
    "money": _money,
    "basket": _basket,
    "first_purchase": _first_purchase,
    "service": _service,
}


# --- numbers in words -----------------------------------------------------------------------------------------------

def number(value: float) -> str:
    """At most one decimal, none for whole numbers and from 100 on: `4`, `2.5`, `1,250`."""
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    text = f"{value:.1f}"
    text = text[:-2] if text.endswith(".0") else text
    return "0" if text == "-0" else text


def days(value: float) -> str:
    text = number(value)
    return f"{text} day" if text == "1" else f"{text} days"


def every(value: float) -> str:
    text = number(value)
    return "every day" if text == "1" else f"every {text} days"


def orders(value: float, capital: bool = False) -> str:
    text = number(value)
    if text == "0":
        return "No order" if capital else "no order"
    return f"{text} order" if text == "1" else f"{text} orders"


def money(value: float) -> str:
    """Source currency without a symbol: `12.50`, `1,250`."""
    text = f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.2f}"
    return "0.00" if text == "-0.00" else text


def share(value: float) -> str:
    """Whole per cent: `87 %`."""
    return f"{round(100 * value)} %"  # round gives a whole number, which has no minus zero


def _counted(value: float, noun: str) -> str:
    text = number(value)
    return f"{text} {noun}" if text == "1" else f"{text} {noun}s"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _three(found: list[Reason]) -> tuple[Reason, ...]:
    return tuple((found + [NO_REASON] * N_REASONS)[:N_REASONS])


def _none_for_nan(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(v) else float(v) for v in values]
