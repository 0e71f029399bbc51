"""The words of a business: what a shop calls a purchase is a posting at a bank, a call or a flight elsewhere.

In: texts in the words of a shop. Out: the same in those of another business. Sentences are written once, for a shop;
here stands which of its words have another name, longest first. Numbers in the texts stay as they are.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pyarrow as pa

ENGLISH, CHINESE = "en", "zh"


@dataclass(frozen=True)
class _Words:
    """English: one purchase and many with their articles, what customers do (present, past, perfect), what a basket
    is, what pieces are, what a return is (participle). Chinese: purchase, a purchase as a unit, basket, pieces,
    return."""

    one: str
    many: str
    a_one: str
    does: str
    did: str
    basket: str
    pieces: str
    undone: str
    zh_one: str
    zh_unit: str
    zh_basket: str
    zh_pieces: str
    zh_undone: str


_WORDS = {
    "bank": _Words(
        "posting", "postings", "a posting", "uses the account", "used the account", "products used", "units",
        "reversed", "交易", "每笔交易", "产品使用", "数量", "冲正",
    ),
    "telecom": _Words(
        "call", "calls", "a call", "uses the line", "used the line", "use", "minutes", "credited",
        "通话", "每次通话", "使用", "分钟", "退费",
    ),
    "airline": _Words(
        "flight", "flights", "a flight", "flies", "flew", "trips", "seats", "refunded",
        "乘机", "每次航班", "行程", "座位", "退票",
    ),
}  # fmt: skip


def words_of(business: str, language: str, text: str) -> str:
    """One text."""
    for pattern, other in _rules(business, language):
        text = pattern.sub(other, text)
    return text


def texts_of(business: str, language: str, texts: pa.Array) -> pa.Array:
    """A column of texts, NULL where they are: each different one is put into words once."""
    if business not in _WORDS:
        return texts
    coded = texts.dictionary_encode()
    spoken = [None if text is None else words_of(business, language, text) for text in coded.dictionary.to_pylist()]
    return pa.array(spoken, pa.string()).take(coded.indices)


@cache
def _rules(business: str, language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    w = _WORDS.get(business)
    if w is None:
        return ()
    return tuple(_english(w)) if language == ENGLISH else tuple(_chinese(w))


def _english(w: _Words) -> list[tuple[re.Pattern[str], str]]:
    plain = [
        ("usually buys", f"usually {w.does}"),
        ("buys less often", f"{w.does} less often"),
        ("buy less than is usual", f"have fewer {w.many} than is usual"),
        ("bought on one day only", f"{w.did} on one day only"),
        ("came back", f"{w.did} again"),
        ("has not come back after the first purchase day", f"nothing since the first day with {w.a_one}"),
        ("has never purchased", f"has had no {w.one} yet"),
        ("never purchased", f"no {w.one} yet"),
        ("customers who bought", f"customers with {w.a_one}"),
        ("of the lines bought", "of the lines"),
        ("a purchase day", f"a day with {w.many}"),
        ("purchase days", f"days with {w.many}"),
        ("buying rhythm", f"rhythm of {w.many}"),
        ("purchases", w.many),
        ("a purchase", w.a_one),
        ("purchase", w.one),
        ("an order", w.a_one),
        ("orders", w.many),
        ("order", w.one),
        ("baskets", w.basket),
        ("basket", w.basket),
        ("pieces", w.pieces),
        ("lines returned", f"lines {w.undone}"),
        ("buys", "has"),
    ]
    rules = [(re.compile(r"\breturns (\S+ %) of the lines bought", re.I), rf"\1 of the lines were {w.undone}")]
    for old, new in plain:
        rules.append((re.compile(rf"\b{old}\b"), new))
        rules.append((re.compile(rf"\b{old[:1].upper()}{old[1:]}\b"), new[:1].upper() + new[1:]))
    return rules


def _chinese(w: _Words) -> list[tuple[re.Pattern[str], str]]:
    plain: Sequence[tuple[str, str]] = (
        ("享受折扣的订单", f"享受折扣的{w.zh_one}"),
        ("的订单", f"的{w.zh_one}"),
        ("所购商品有", "记录中有"),
        ("行商品", "行"),
        ("商品行数", "行数"),
        ("每单件数", f"{w.zh_unit}的{w.zh_pieces}"),
        ("每单", w.zh_unit),
        ("最近一单", f"最近一次{w.zh_one}"),
        ("购物篮", w.zh_basket),
        ("购买", w.zh_one),
        ("下单", w.zh_one),
        ("订单", w.zh_one),
        ("退货", w.zh_undone),
    )
    return [(re.compile(old), new) for old, new in plain]
