"""What rows of sales mean, from columns that are not money: on which side an amount stands, what is written once for a
whole order, what is written in cents.

In: cells as text, and numbers read from them. Out: findings. Which column is which, and what is written into the YAML,
does not belong here (`column_guesses`, `written`).
"""

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

#: Words in a column of kinds, by what they say of the row: in lower case, letters only.
_BACK = frozenset(
    [
        "refund",
        "refunded",
        "refunds",
        "return",
        "returned",
        "returns",
        "chargeback",
        "creditnote",
        "creditmemo",
        "gutschrift",
        "retoure",
        "retour",
        "rückgabe",
        "erstattung",
        "storno",
        "remboursement",
        "avoir",
        "devolución",
        "devolucion",
        "reembolso",
        "abono",
        "devolução",
        "reso",
        "rimborso",
        "notadicredito",
        "zwrot",
        "возврат",
        "退款",
        "退货",
        "返品",
        "返金",
    ]
)
_CREDIT = frozenset(["cr", "credit", "haben", "贷"])
_DEBIT = frozenset(["dr", "debit", "soll", "借"])
#: Single letters mean a side only beside each other.
_LETTERS = {frozenset("cd"): "c", frozenset("hs"): "h"}
_SIGNS = {frozenset("+-"): "-"}
#: A column with more different words than this tells no sides.
MOST_KINDS = 12
#: Where credits are this share of the debits or more, they are income and no money back.
INCOME_SHARE = 0.3
#: So many orders of several rows say how totals are written, and this share of them must agree.
MIN_ORDERS, AGREEING = 5, 0.95
#: Lines and totals of this share of the orders must agree for the lines to be believed.
ADDING_UP = 0.8
#: An order's total is the sum of its lines to this much.
_CENT = 0.011
#: Amounts in cents are whole numbers, usually of three digits and more.
LEAST_CENTS = 100
_CENTS = frozenset(
    [
        "cent",
        "cents",
        "ct",
        "cts",
        "pence",
        "penny",
        "minor",
        "minorunits",
        "paise",
        "centimes",
        "centavos",
        "céntimos",
        "groszy",
        "öre",
        "øre",
    ]
)
_TOTAL_NAMES = re.compile("order|total|invoice|basket|gesamt|summe|bestell|rechnung|pedido|factura|commande|合计|总")


class Sides(NamedTuple):
    """Kinds of rows by the sign of their amount. `is_income`: the negative ones are no money back, so no sales."""

    negative: tuple[str, ...]
    positive: tuple[str, ...]
    is_income: bool


def numbers_of(cells: Sequence[str], decimal: str, thousands: str | None) -> list[float | None]:
    """The cells as numbers, roughly: enough to compare columns."""
    found: list[float | None] = []
    for cell in cells:
        bare = re.sub(r"[^\d.,()\-−]", "", cell)
        bare = bare.replace(thousands, "") if thousands else bare
        is_below = bare.startswith(("-", "−", "(")) or bare.endswith(("-", ")"))
        digits = re.sub(r"[^\d.,]", "", bare).replace(decimal, ".")
        found.append((-1 if is_below else 1) * float(digits) if re.fullmatch(r"\d+\.?\d*|\.\d+", digits) else None)
    return found


def sides_of(kinds: Sequence[str], amounts: Sequence[float | None], quantities: Sequence[float | None]) -> Sides | None:
    """The sides that the words of a column tell; None where it tells none, or the numbers have their signs already."""
    different = set(kinds)
    if not 1 < len(different) <= MOST_KINDS:
        return None
    plain = {kind: re.sub(r"[^\w+-]|_", "", kind.casefold()) for kind in different}
    words = frozenset(word for word in plain.values() if word)
    letters = {**_LETTERS, **_SIGNS}.get(words)
    is_credit = letters in ("c", "h") or bool(words & _CREDIT and words <= _CREDIT | _DEBIT)
    if letters is not None:
        negative = {kind for kind, word in plain.items() if word == letters}
    elif is_credit:
        negative = {kind for kind, word in plain.items() if word in _CREDIT}
    else:
        negative = {kind for kind, word in plain.items() if word in _BACK}
    positive = different - negative
    if not negative or not positive:
        return None
    turned = [k in negative for k in kinds]
    of_negative = [
        (amount or 0) < 0 or (quantity or 0) < 0
        for is_turned, amount, quantity in zip(turned, amounts, quantities, strict=True)
        if is_turned
    ]
    if sum(of_negative) * 2 >= len(of_negative):
        return None
    back, spent = (
        sum(abs(amount or 0) for is_turned, amount in zip(turned, amounts, strict=True) if is_turned is wanted)
        for wanted in (True, False)
    )
    return Sides(tuple(sorted(negative)), tuple(sorted(positive)), is_credit and back >= INCOME_SHARE * spent)


def rows_of_orders(orders: Sequence[str]) -> list[list[int]]:
    """The positions of the rows of each order with several rows."""
    rows: dict[str, list[int]] = defaultdict(list)
    for at, order in enumerate(orders):
        if order:
            rows[order].append(at)
    return [places for places in rows.values() if len(places) > 1]


def is_repeated_total(name: str, amounts: Sequence[float | None], orders: Sequence[Sequence[int]]) -> bool:
    """Does the column say on each row of an order what the whole order cost? Its name must say so too: lines of one
    order may well cost the same."""
    if len(orders) < MIN_ORDERS or not _TOTAL_NAMES.search(name.casefold()):
        return False
    same = [len({amounts[at] for at in places}) == 1 for places in orders]
    return sum(same) >= AGREEING * len(orders)


def adds_up(lines: Sequence[float | None], totals: Sequence[float | None], orders: Sequence[Sequence[int]]) -> bool:
    """Are the orders' totals, repeated on each row, the sums of these numbers of their rows?"""
    told = [abs(math.fsum(lines[at] or 0 for at in places) - (totals[places[0]] or 0)) < _CENT for places in orders]
    return bool(told) and sum(told) >= ADDING_UP * len(told)


def written_once(columns: Mapping[str, Sequence[str]], orders: Sequence[Sequence[int]]) -> list[str]:
    """The columns that stand on the first row of an order only."""
    if len(orders) < MIN_ORDERS:
        return []
    found = []
    for name, cells in columns.items():
        first = sum(bool(cells[places[0]]) for places in orders)
        once = sum(bool(cells[places[0]]) and not any(cells[at] for at in places[1:]) for places in orders)
        if first and once >= AGREEING * first and first >= len(orders) / 2:
            found.append(name)
    return found


def is_in_cents(name: str, cells: Sequence[str]) -> bool:
    """Do both the column's name and its values say that it is written in cents?"""
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).casefold()
    tokens = re.split(r"[\W_]+", words)
    if not any(token in _CENTS for token in tokens):
        return False
    whole = [cell for cell in cells if cell]
    if not whole or any(not re.fullmatch(r"[-+]?\d+", cell) for cell in whole):
        return False
    return median(abs(int(cell)) for cell in whole) >= LEAST_CENTS
