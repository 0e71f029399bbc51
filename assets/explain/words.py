"""Facts as sentences in English and Chinese, a whole column at a time.

In: a kind of fact and arrays with its numbers. Out: Arrow strings. Which fact is given to whom is decided elsewhere.

A sentence is a template whose slots name a number and how it is said: `{0:days}` is the first number in days. Each
different number is put into words once and then looked up, so that a million sentences cost little more than the
different numbers in them.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.model.feature_words import FEATURE_WORDS

ENGLISH, CHINESE = "en", "zh"
LANGUAGES = (ENGLISH, CHINESE)


class Sentence(NamedTuple):
    """One fact in both languages; both have the same slots."""

    en: str
    zh: str


# --- marks ----------------------------------------------------------------------------------------------------------

#: Marks before a fact: none; it lowers the risk of somebody whose other reasons raise it, or leads for somebody whose
#: risk is low; it raises the risk of somebody whose risk is low; it is an observation only.
NO_MARK, STAYING, LEAVING, OBSERVED = range(4)
MARKS = (
    Sentence("", ""),
    Sentence("Speaks for staying: ", "有利于留存："),
    Sentence("Speaks for leaving: ", "不利于留存："),
    Sentence("Observed: ", "情况："),
)

# --- sentences ------------------------------------------------------------------------------------------------------

_RHYTHM = Sentence("; usually buys {1:every}", "；通常{1:every}购买一次")

SENTENCES: dict[str, Sentence] = {
    # nothing that raises the risk
    "no_sign": Sentence("No sign of leaving; on the list for the amount", "没有流失迹象；因金额而入选"),
    "as_usual": Sentence(
        "No sign of leaving beyond what is usual here; on the list for the amount",
        "没有超出一般水平的流失迹象；因金额而入选",
    ),
    # silence
    "no_purchase": Sentence("No purchase yet", "尚未购买"),
    "one_day": Sentence("Bought on one day only, {0:days} ago", "仅在一天购买过，距今 {0:days}"),
    "one_day_compared": Sentence(
        "Bought on one day only, {0:days} ago; usual time since the last purchase: {1:days}",
        "仅在一天购买过，距今 {0:days}；一般客户距上次购买 {1:days}",
    ),
    "last_purchase": Sentence(f"Last purchase {{0:days}} ago{_RHYTHM.en}", f"上次购买在 {{0:days}}前{_RHYTHM.zh}"),
    "silent": Sentence(f"No purchase for {{0:days}}{_RHYTHM.en}", f"已 {{0:days}}未购买{_RHYTHM.zh}"),
    "silent_longest": Sentence(
        f"No purchase for {{0:days}}, longer than ever before{_RHYTHM.en}",
        f"已 {{0:days}}未购买，超过以往最长间隔{_RHYTHM.zh}",
    ),
    "within_longest": Sentence(
        "Last purchase {0:days} ago; longest gap between purchases so far: {1:days}",
        "上次购买在 {0:days}前；以往最长间隔 {1:days}",
    ),
    "silence_compared": Sentence(
        "Last purchase {0:days} ago; usual for customers: {1:days}", "上次购买在 {0:days}前；一般客户 {1:days}"
    ),
    "no_purchase_for": Sentence("No purchase for {0:days}", "已 {0:days}未购买"),
    # regularity
    "no_rhythm": Sentence("No rhythm yet: bought on one day only", "尚无购买节奏：仅在一天购买过"),
    "rhythm": Sentence(
        "Usually {0:days} between purchases, at most {1:days}", "两次购买通常间隔 {0:days}，最长 {1:days}"
    ),
    "rhythm_compared": Sentence(
        "Usually buys {0:every}; usual for customers: {1:every}", "通常{0:every}购买一次；一般客户{1:every}一次"
    ),
    "last_gap": Sentence(
        "Last gap between purchases was {0:days}; usually {1:days}", "最近一次购买间隔为 {0:days}；通常为 {1:days}"
    ),
    "irregular": Sentence(
        "Irregular rhythm: usually {0:days} between purchases, at most {1:days}",
        "购买节奏不规律：通常间隔 {0:days}，最长 {1:days}",
    ),
    "regular": Sentence(
        "Regular rhythm: usually {0:days} between purchases, at most {1:days}",
        "购买节奏规律：通常间隔 {0:days}，最长 {1:days}",
    ),
    # trend
    "month": Sentence("{0:orders} in the last 30 days", "近 30 天{0:orders}"),
    "month_compared": Sentence(
        "{0:orders} in the last 30 days; usual for customers: {1:number}", "近 30 天{0:orders}；一般客户 {1:number} 次"
    ),
    "quarter_compared": Sentence(
        "{0:orders} in the last 90 days; usual for customers: {1:number}", "近 90 天{0:orders}；一般客户 {1:number} 次"
    ),
    "quarter_after": Sentence(
        "{0:orders} in the last 90 days, after {1:orders} in the 90 days before",
        "近 90 天{0:orders}，此前 90 天{1:orders}",
    ),
    "sales_after": Sentence(
        "Spent {0:money} in the last 90 days, after {1:money} in the 90 days before",
        "近 90 天消费 {0:money}，此前 90 天消费 {1:money}",
    ),
    # money
    "spent": Sentence("Spent {0:money} in all", "累计消费 {0:money}"),
    "spent_compared": Sentence(
        "Spent {0:money} in all; usual for customers: {1:money}", "累计消费 {0:money}；一般客户 {1:money}"
    ),
    "order_compared": Sentence(
        "Spends {0:money} an order; usual for customers: {1:money}", "每单消费 {0:money}；一般客户 {1:money}"
    ),
    # basket
    "no_basket": Sentence("Basket not known", "购物篮情况未知"),
    "lines": Sentence("{0:lines} an order", "每单 {0:number} 行商品"),
    "lines_compared": Sentence(
        "{0:lines} an order; usual for customers: {1:number}", "每单 {0:number} 行商品；一般客户 {1:number} 行"
    ),
    "returns": Sentence("Returns {0:share} of the lines bought", "所购商品有 {0:share} 退货"),
    "returns_compared": Sentence(
        "Returns {0:share} of the lines bought; usual for customers: {1:share}",
        "所购商品有 {0:share} 退货；一般客户 {1:share}",
    ),
    "bargains_compared": Sentence(
        "Buys {0:share} of orders on discount; usual for customers: {1:share}",
        "{0:share} 的订单享受折扣；一般客户 {1:share}",
    ),
    # first purchase
    "no_first": Sentence("First purchase not known", "首次购买情况未知"),
    "first": Sentence("First purchase of {0:money}", "首次购买消费 {0:money}"),
    "first_compared": Sentence(
        "First purchase of {0:money}; usual for customers: {1:money}", "首次购买消费 {0:money}；一般客户 {1:money}"
    ),
    "no_second": Sentence("Has not come back after the first purchase day", "首个购买日之后未再购买"),
    "second_compared": Sentence(
        "Came back {0:days} after the first purchase; usual for customers: {1:days}",
        "首次购买 {0:days}后再次购买；一般客户 {1:days}",
    ),
    # tenure
    "customer_for": Sentence("Customer for {0:days}, {1:orders} so far", "首次购买距今 {0:days}，累计{1:orders}"),
    "customer_for_compared": Sentence(
        "Customer for {0:days}, {1:orders} so far; usual for customers: {2:orders}",
        "首次购买距今 {0:days}，累计{1:orders}；一般客户 {2:number} 次",
    ),
    "pace_compared": Sentence(
        "{0:orders} in 30 days on average; usual for customers: {1:number}",
        "平均每 30 天{0:orders}；一般客户 {1:number} 次",
    ),
    "age_compared": Sentence(
        "First purchase {0:days} ago; usual for customers: {1:days}", "首次购买距今 {0:days}；一般客户 {1:days}"
    ),
    "orders_compared": Sentence(
        "{0:orders} so far; usual for customers: {1:number}", "累计{0:orders}；一般客户 {1:number} 次"
    ),
    "contract_covers": Sentence("Contract covers {0:days} more", "合同还剩 {0:days}"),
    "contract_covers_compared": Sentence(
        "Contract covers {0:days} more; usual for customers: {1:days}", "合同还剩 {0:days}；一般客户 {1:days}"
    ),
    "contract_open": Sentence("Contract without an end", "合同没有到期日"),
    # service
    "no_record": Sentence("No record of complaints", "没有投诉数据"),
    "no_complaint": Sentence("No complaint in the last 90 days", "近 90 天没有投诉"),
    "complaints": Sentence("{0:complaints} in the last 90 days", "近 90 天投诉 {0:number} 次"),
    # not scored
    "never_purchased": Sentence("Not scored: has never purchased", "未评分：从未购买"),
    "no_contract": Sentence("Not scored: has no contract", "未评分：没有合同"),
    "contract_ended": Sentence("Not scored: the contract has ended", "未评分：合同已结束"),
    "outlier_account": Sentence("Not scored: the id is taken for no customer", "未评分：该编号不被视为客户"),
    "refuses_profiling": Sentence("Not scored: the customer refuses to be profiled", "未评分：客户拒绝画像分析"),
    "lost": Sentence("Not scored: already counted as lost", "未评分：已视为流失"),
    "lost_since": Sentence(
        "Not scored: already counted as lost, no purchase for {0:days}", "未评分：已视为流失，{0:days}未购买"
    ),
    "too_little": Sentence("Not scored: {1:days} of history are needed", "未评分：需要 {1:days}的历史"),
    "too_little_since": Sentence(
        "Not scored: first purchase {0:days} ago, {1:days} of history are needed",
        "未评分：首次购买距今 {0:days}，需要 {1:days}的历史",
    ),
    "not_eligible": Sentence("Not scored: not eligible", "未评分：不符合条件"),
}


#: Kinds of a sentence about one feature where the facts of its family point both ways: its own number and the usual
#: one; its own is not known; nothing is usual; neither.
COMPARED, OWN_UNKNOWN, NOTHING_USUAL, NEITHER = range(4)


def named(feature: str, what: int) -> Sentence:
    """The number that counts most in a family. It may stand on the other side of the usual than most people would
    expect, so the sentence leaves the direction to the mark. Slots: the customer's own number, the usual one.
    """
    name = FEATURE_WORDS[feature]
    own_en = own_zh = f"{{0:{name.unit}}}"
    if what in (OWN_UNKNOWN, NEITHER):
        own_en, own_zh = "not known", "未知"
    usual_en = usual_zh = ""
    if what in (COMPARED, OWN_UNKNOWN):
        usual_en, usual_zh = f"; usual for customers: {{1:{name.unit}}}", f"；一般客户 {{1:{name.unit}}}"
    return Sentence(f"{name.en[:1].upper()}{name.en[1:]}: {own_en}{usual_en}", f"{name.zh}：{own_zh}{usual_zh}")


# --- numbers in words -----------------------------------------------------------------------------------------------


def number(value: float) -> str:
    """At most one decimal, none for whole numbers and from 100 on: `4`, `2.5`, `1,250`."""
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    text = f"{value:.1f}"
    text = text[:-2] if text.endswith(".0") else text
    return "0" if text == "-0" else text


def money(value: float) -> str:
    """Behind the sign for any currency, which the mart replaces by that of the business: `¤12.50`, `¤1,250`."""
    text = f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.2f}"
    return "¤0.00" if text == "-0.00" else f"¤{text}"


def share(value: float) -> str:
    """Whole per cent: `87 %`."""
    return f"{round(100 * value)} %"  # round gives a whole number, which has no minus zero


def points(value: float) -> str:
    """A difference of probabilities in whole points of per cent, without its sign: `7 points`."""
    return counted(round(100 * abs(value)), "point")


def days(value: float) -> str:
    return counted(value, "day")


def counted(value: float, noun: str) -> str:
    text = number(value)
    return f"{text} {noun}" if text == "1" else f"{text} {noun}s"


def every(value: float) -> str:
    text = number(value)
    return "every day" if text == "1" else f"every {text} days"


def orders(value: float) -> str:
    text = number(value)
    return "no order" if text == "0" else counted(value, "order")


def _days_zh(value: float) -> str:
    return f"{number(value)} 天"


def _every_zh(value: float) -> str:
    text = number(value)
    return "每天" if text == "1" else f"每 {text} 天"


def _orders_zh(value: float) -> str:
    text = number(value)
    return "没有下单" if text == "0" else f"下单 {text} 次"


_STYLES: dict[str, dict[str, Callable[[float], str]]] = {
    ENGLISH: {
        "number": number,
        "money": money,
        "share": share,
        "days": days,
        "every": every,
        "orders": orders,
        "lines": lambda value: counted(value, "line"),
        "complaints": lambda value: counted(value, "complaint"),
        "points": points,
    },
    CHINESE: {
        "number": number,
        "money": money,
        "share": share,
        "days": _days_zh,
        "every": _every_zh,
        "orders": _orders_zh,
        "points": lambda value: f"{round(100 * abs(value))} 个百分点",
    },
}
_SLOT = re.compile(r"\{(\d+):(\w+)\}")


def say(sentence: Sentence, language: str, numbers: Sequence[np.ndarray], mark: int = NO_MARK) -> pa.Array:
    """One sentence for many: `numbers` holds, for each slot, an array with one number a customer.

    The sentence begins with its mark; in English without one its first letter is a capital, after one it is small.
    """
    template = sentence.en if language == ENGLISH else sentence.zh
    before = MARKS[mark].en if language == ENGLISH else MARKS[mark].zh
    if language == ENGLISH:
        template = _small(template) if before else template
    pieces, end, is_first = [before], 0, not before and language == ENGLISH
    for slot in _SLOT.finditer(template):
        pieces.append(template[end : slot.start()])
        capital = is_first and slot.start() == 0
        pieces.append(_said(numbers[int(slot[1])], _STYLES[language][slot[2]], capital))
        end = slot.end()
    pieces.append(template[end:])
    if not any(isinstance(piece, pa.Array) for piece in pieces):
        return pa.repeat("".join(pieces), len(numbers[0]))
    return pc.binary_join_element_wise(
        *(piece if isinstance(piece, pa.Array) else pa.scalar(piece) for piece in pieces if len(piece)), ""
    )


def _said(values: np.ndarray, style: Callable[[float], str], capital: bool) -> pa.Array:
    """Each different number is put into words once."""
    different, where = np.unique(values, return_inverse=True)
    texts = [style(value) for value in different.tolist()]
    if capital:
        texts = [text[:1].upper() + text[1:] for text in texts]
    return pa.array(texts, pa.string()).take(pa.array(where.reshape(-1)))


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


def assemble(parts: Sequence[tuple[np.ndarray, pa.Array]], n: int) -> pa.Array:
    """One column of n texts from parts (places, texts); places in no part are null, none is in two."""
    if not parts:
        return pa.nulls(n, pa.string())
    order = np.full(n, -1, dtype=np.int64)
    order[np.concatenate([places for places, _ in parts])] = np.arange(sum(len(places) for places, _ in parts))
    texts = pa.concat_arrays([part for _, part in parts])
    return texts.take(pa.array(order, mask=order < 0))
