"""Reasons in words: true, readable in both languages, never pointing the wrong way."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import customers as made_up
from small_models import model_of

from assets.explain import reasons, words
from assets.explain.explainer import GROUPS, Explainer
from assets.explain.facts import EITHER, FACTS, LOWERING, MIN_STRENGTH, PLAIN, RAISING, Customers, Fact
from assets.explain.words import CHINESE, ENGLISH, LANGUAGES, SENTENCES, Sentence, say
from assets.model.churn_features import FAMILIES, FEATURES
from assets.model.feature_words import FAMILY_WORDS
from assets.model.rule_words import say_rule, say_rule_in_chinese
from assets.model.simple_rules import ContractRule, RuleStep

USUAL = {**dict.fromkeys(FEATURES, 10.0), "gap_median_days": 7.0, "n_orders_30d": 4.0}
ONE = np.array([True])
NO_SIGN = {SENTENCES[kind][LANGUAGES.index(language)] for kind in ("no_sign", "as_usual") for language in LANGUAGES}


def _single_of(family: str, direction: int):
    """All of the family's contribution from its first feature."""
    single = np.zeros((1, len(FEATURES)))
    single[0, FEATURES.index(FAMILIES[family][0])] = direction
    return lambda places: single[places]


def _customer(**values) -> Customers:
    return Customers(FEATURES, np.array([[values.get(name, math.nan) for name in FEATURES]]), USUAL)


def _told(customers: Customers, family: str, direction: int, language: str = ENGLISH) -> str | None:
    """What is said of one customer's family when its contribution points in `direction`; None if no fact says so."""
    table = np.zeros((1, len(reasons.FAMILY_NAMES)))
    table[0, reasons.FAMILY_NAMES.index(family)] = direction * 1.0
    found = reasons.explain_scores(customers, table, np.array([direction == LOWERING]), _single_of(family, direction))
    places = [column[0].as_py() for column in found.families]
    if family not in places and direction != PLAIN:
        return None
    text = found.texts[language][places.index(family)][0].as_py() if family in places else _observed(customers, family)
    if _names_a_number(text, family, language):
        return None
    mark = words.MARKS[words.OBSERVED]
    if text.startswith(mark.en) or text.startswith(mark.zh):
        return None if direction != PLAIN else _capital(text.removeprefix(mark.en).removeprefix(mark.zh))
    return _capital(text.removeprefix(words.MARKS[words.STAYING].en).removeprefix(words.MARKS[words.STAYING].zh))


def _names_a_number(text: str, family: str, language: str) -> bool:
    """Whether a family speaks by a bare number of one of its features."""
    for mark in words.MARKS:
        text = text.removeprefix(mark[LANGUAGES.index(language)])
    spoken = [words.FEATURE_WORDS[name] for name in FAMILIES[family]]
    starts = [f"{name.en}:" if language == ENGLISH else f"{name.zh}：" for name in spoken]
    return any(text.lower().startswith(start.lower()) for start in starts)


def _observed(customers: Customers, family: str) -> str:
    """A family that is not among the three: its plain fact, as it would be worded."""
    facts = [f for f in FACTS[family](customers) if f.holds[0] and f.direction[0] == PLAIN]
    best = max(facts, key=lambda f: f.strength[0])
    return say(SENTENCES[best.kind], ENGLISH, best.numbers or (ONE,), words.OBSERVED)[0].as_py()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@pytest.mark.parametrize(
    "direction, values, words",
    [
        (
            RAISING,
            {"days_since_last_order": 23, "gap_median_days": 4, "gap_max_days": 30},
            "No purchase for 23 days; usually buys every 4 days",
        ),
        (
            RAISING,
            {"days_since_last_order": 23, "gap_median_days": 4, "gap_max_days": 12},
            "No purchase for 23 days, longer than ever before; usually buys every 4 days",
        ),
        (
            LOWERING,
            {"days_since_last_order": 1, "gap_median_days": 1, "gap_max_days": 3},
            "Last purchase 1 day ago; usually buys every day",
        ),
        (
            PLAIN,
            {"days_since_last_order": 2, "gap_median_days": 4.5, "gap_max_days": 9},
            "Last purchase 2 days ago; usually buys every 4.5 days",
        ),
        # A fact that says the opposite is no reason.
        (RAISING, {"days_since_last_order": 2, "gap_median_days": 4.5, "gap_max_days": 9}, None),
        (
            RAISING,
            {"days_since_last_order": 40},
            "Bought on one day only, 40 days ago; usual time since the last purchase: 10 days",
        ),
        (LOWERING, {"days_since_last_order": 40}, None),
        (PLAIN, {}, "No purchase yet"),
    ],
)
def test_silence(direction, values, words):
    assert _told(_customer(**values), "silence", direction) == words


@pytest.mark.parametrize(
    "direction, values, words",
    [
        (
            RAISING,
            {"tenure_days": 300, "n_orders_30d": 3, "n_orders_90d": 1, "n_orders_prev_90d": 9},
            "1 order in the last 90 days, after 9 orders in the 90 days before",
        ),
        (
            LOWERING,
            {"tenure_days": 300, "n_orders_30d": 3, "n_orders_90d": 9, "n_orders_prev_90d": 0},
            "9 orders in the last 90 days, after no order in the 90 days before",
        ),
        # A quarter that the customer did not live through as a customer is not compared with.
        (
            RAISING,
            {"tenure_days": 100, "n_orders_30d": 0, "n_orders_90d": 9, "n_orders_prev_90d": 20},
            "No order in the last 30 days; usual for customers: 4",
        ),
        # Rising orders are never given as a reason to leave.
        (RAISING, {"tenure_days": 300, "n_orders_30d": 6, "n_orders_90d": 20, "n_orders_prev_90d": 5}, None),
        (
            PLAIN,
            {"tenure_days": 300, "n_orders_30d": 6, "n_orders_90d": 20, "n_orders_prev_90d": 5},
            "6 orders in the last 30 days; usual for customers: 4",
        ),
    ],
)
def test_trend(direction, values, words):
    assert _told(_customer(**values), "trend", direction) == words


@pytest.mark.parametrize(
    "family, direction, values, words",
    [
        (
            "regularity",
            RAISING,
            {"gap_median_days": 21, "gap_max_days": 40},
            "Usually buys every 21 days; usual for customers: every 7 days",
        ),
        ("regularity", PLAIN, {}, "No rhythm yet: bought on one day only"),
        (
            "money",
            RAISING,
            {"average_order_value": 2.5, "net_sales_total": 30},
            "Spends ¤2.50 an order; usual for customers: ¤10.00",
        ),
        (
            "money",
            LOWERING,
            {"average_order_value": 2.5, "net_sales_total": 1234.56},
            "Spent ¤1,235 in all; usual for customers: ¤10.00",
        ),
        # Much money is no risk, whatever the model makes of it; and no amount stands alone.
        ("money", RAISING, {"average_order_value": 25, "net_sales_total": 4018}, None),
        ("money", PLAIN, {"net_sales_total": 4018}, "Spent ¤4,018 in all; usual for customers: ¤10.00"),
        ("basket", RAISING, {"lines_per_order": 1}, "1 line an order; usual for customers: 10"),
        ("basket", PLAIN, {}, "Basket not known"),
        ("first_purchase", RAISING, {"first_order_amount": 9.9}, "Has not come back after the first purchase day"),
        (
            "first_purchase",
            LOWERING,
            {"second_gap_days": 1},
            "Came back 1 day after the first purchase; usual for customers: 10 days",
        ),
        ("tenure", RAISING, {"tenure_days": 1, "n_orders": 1}, "1 order so far; usual for customers: 10"),
        ("tenure", PLAIN, {}, "No purchase yet"),
        ("service", RAISING, {"n_complaints_90d": 1}, "1 complaint in the last 90 days"),
        ("service", LOWERING, {"n_complaints_90d": 0}, "No complaint in the last 90 days"),
        # What we did to a customer is no reason.
        ("service", PLAIN, {"n_contacts_90d": 2}, "No record of complaints"),
        ("service", LOWERING, {"n_contacts_90d": 2}, None),
        ("service", RAISING, {"n_contacts_90d": 0}, None),
        (
            "basket",
            RAISING,
            {"discount_order_share": 11.0},
            "Buys 1100 % of orders on discount; usual for customers: 1000 %",
        ),
        ("basket", LOWERING, {"discount_order_share": 10.05}, None),
        ("basket", PLAIN, {"lines_per_order": 2}, "2 lines an order; usual for customers: 10"),
        ("first_purchase", PLAIN, {"first_order_amount": 9.9}, "First purchase of ¤9.90; usual for customers: ¤10.00"),
        (
            "tenure",
            PLAIN,
            {"tenure_days": 90, "n_orders": 1},
            "Customer for 90 days, 1 order so far; usual for customers: 10 orders",
        ),
    ],
)
def test_other_families(family, direction, values, words):
    assert _told(_customer(**values), family, direction) == words


def test_every_family_has_facts_and_every_sentence_both_languages():
    assert set(FACTS) == set(FAMILIES)
    for kind, sentence in SENTENCES.items():
        slots = [sorted(set(re.findall(r"\{(\d+):", text))) for text in sentence]
        assert slots[0] == slots[1], kind
        assert re.search(r"[\u4e00-\u9fff]", sentence.zh) and not re.search(r"[\u4e00-\u9fff]", sentence.en), kind


@pytest.mark.parametrize(
    "direction, values, words_zh",
    [
        (
            RAISING,
            {"days_since_last_order": 23, "gap_median_days": 4, "gap_max_days": 12},
            "已 23 天未购买，超过以往最长间隔；通常每 4 天购买一次",
        ),
        (
            LOWERING,
            {"days_since_last_order": 1, "gap_median_days": 1, "gap_max_days": 3},
            "上次购买在 1 天前；通常每天购买一次",
        ),
    ],
)
def test_silence_in_chinese(direction, values, words_zh):
    assert _told(_customer(**values), "silence", direction, CHINESE) == words_zh


@pytest.mark.parametrize(
    "family, direction, values, words_zh",
    [
        (
            "trend",
            RAISING,
            {"tenure_days": 300, "n_orders_90d": 0, "n_orders_prev_90d": 9},
            "近 90 天没有下单，此前 90 天下单 9 次",
        ),
        ("money", RAISING, {"average_order_value": 2.5, "net_sales_total": 30}, "每单消费 ¤2.50；一般客户 ¤10.00"),
        ("tenure", RAISING, {"tenure_days": 1, "n_orders": 1}, "累计下单 1 次；一般客户 10 次"),
        ("service", RAISING, {"n_complaints_90d": 2}, "近 90 天投诉 2 次"),
    ],
)
def test_other_families_in_chinese(family, direction, values, words_zh):
    assert _told(_customer(**values), family, direction, CHINESE) == words_zh


numbers = st.one_of(st.just(math.nan), st.floats(-1e6, 1e6), st.sampled_from([0.0, -0.0, 1.0, 0.04, 99.96, 999.7]))


@given(
    st.lists(numbers, min_size=len(FEATURES), max_size=len(FEATURES)),
    st.lists(numbers, min_size=len(FEATURES), max_size=len(FEATURES)),
    st.sampled_from(list(FAMILIES)),
    st.sampled_from([RAISING, LOWERING, PLAIN]),
    st.sampled_from(LANGUAGES),
)
@settings(max_examples=100, deadline=None)
def test_whatever_the_numbers_the_words_are_whole(values, usual, family, direction, language):
    customers = Customers(FEATURES, np.array([values]), dict(zip(FEATURES, usual, strict=True)))
    text = _told(customers, family, direction, language)
    facts = [f for f in FACTS[family](customers) if f.holds[0]]
    assert [f for f in facts if f.direction[0] == PLAIN], "there is always something to observe"
    fitting = [f for f in facts if f.direction[0] in (direction, EITHER) and f.strength[0] >= MIN_STRENGTH]
    if text is None:
        assert not fitting
        return
    assert direction == PLAIN or fitting
    assert not re.search(r"None|nan|inf|-0(\.00)?(?![.\d])|\{|\}|  ", text)
    assert not re.search(r"(?<![\d.,-])1 (days|orders|lines|complaints)\b", text)
    assert not re.search("contact|联系", text)


@pytest.mark.parametrize(
    "value, text",
    [
        (0.874, "87 %"),
        (-0.001, "0 %"),
        (-0.0, "0 %"),
        (1.0, "100 %"),
        (0.005, "0 %"),
    ],
)
def test_share(value, text):
    assert words.share(value) == text


@pytest.mark.parametrize(
    "value, text",
    [
        (1, "1 day"),
        (1.04, "1 day"),
        (0, "0 days"),
        (-0.01, "0 days"),
        (2.5, "2.5 days"),
        (99.96, "100 days"),
        (1234.4, "1,234 days"),
    ],
)
def test_days(value, text):
    assert words.days(value) == text


def test_a_sentence_for_many_says_each_their_own_numbers():
    sentence = Sentence("{0:orders} in {1:days}, {0:number} in all", "{1:days}内{0:orders}，共 {0:number} 次")
    numbers = (np.array([1.0, 0.0, 3.5]), np.array([1.0, 30.0, 7.0]))
    assert say(sentence, ENGLISH, numbers).to_pylist() == [
        "1 order in 1 day, 1 in all",
        "No order in 30 days, 0 in all",
        "3.5 orders in 7 days, 3.5 in all",
    ]
    assert say(sentence, ENGLISH, numbers, words.LEAVING)[1].as_py() == (
        "Speaks for leaving: no order in 30 days, 0 in all"
    )
    assert say(sentence, CHINESE, numbers, words.STAYING).to_pylist() == [
        "有利于留存：1 天内下单 1 次，共 1 次",
        "有利于留存：30 天内没有下单，共 0 次",
        "有利于留存：7 天内下单 3.5 次，共 3.5 次",
    ]


def test_texts_land_where_they_belong():
    import pyarrow as pa

    parts = [(np.array([3, 0]), pa.array(["d", "a"])), (np.array([1]), pa.array(["b"]))]
    assert words.assemble(parts, 5).to_pylist() == ["a", "b", None, "d", None]
    assert words.assemble([], 2).to_pylist() == [None, None]


@pytest.mark.parametrize("kind", ["average", "linear", "mbg_nbd"])
@pytest.mark.parametrize("low", [False, True])
def test_what_raises_the_risk_comes_first_and_words_go_as_contributions_do(kind, low):
    model = model_of(kind)
    matrix = made_up(200, seed=1)
    table = Explainer(model)(matrix)[:, [GROUPS.index(family) for family in reasons.FAMILY_NAMES]].round(6)
    customers = Customers(FEATURES, matrix, reasons.usual_of(FEATURES, model.typical))
    single = Explainer(model).by_feature(matrix)
    found = reasons.explain_scores(customers, table, np.full(len(matrix), low), lambda places: single[places])
    marks = {mark.en: number for number, mark in enumerate(words.MARKS) if mark.en}
    assert len(found.families) == len(found.contributions) == 3 and {len(t) for t in found.texts.values()} == {3}
    kinds = set()
    for row in range(len(matrix)):
        raises = {j for j in range(table.shape[1]) if table[row, j] >= reasons.MIN_CONTRIBUTION}
        texts = [found.texts[ENGLISH][i][row].as_py() for i in range(3)]
        texts_zh = [found.texts[CHINESE][i][row].as_py() for i in range(3)]
        families = [found.families[i][row].as_py() for i in range(3)]
        sizes = [found.contributions[i][row] for i in range(3)]
        if not raises:
            assert texts[0] in NO_SIGN and texts_zh[0] in NO_SIGN and families[0] is None and math.isnan(sizes[0])
            assert texts[0].startswith("No sign of leaving;") == low
            texts, texts_zh, families, sizes = texts[1:], texts_zh[1:], families[1:], sizes[1:]
        named = [_names_a_number(text, family, ENGLISH) for text, family in zip(texts, families, strict=True)]
        assert sizes == [table[row, reasons.FAMILY_NAMES.index(family)] for family in families]
        # Raising before lowering before next to nothing; within each, the largest first.
        order = [(0 if s >= reasons.MIN_CONTRIBUTION else 1 if s <= -reasons.MIN_CONTRIBUTION else 2) for s in sizes]
        spoken = [(kind, -abs(s)) for kind, s, bare in zip(order, sizes, named, strict=True) if not bare]
        assert spoken == sorted(spoken)
        one = Customers(FEATURES, matrix[[row]], reasons.usual_of(FEATURES, model.typical))
        for text, text_zh, family, size, bare in zip(texts, texts_zh, families, sizes, named, strict=True):
            mark = next((number for start, number in marks.items() if text.startswith(start)), words.NO_MARK)
            assert text_zh.startswith(words.MARKS[mark].zh)
            assert bare == _names_a_number(text_zh, family, CHINESE)
            if abs(size) < reasons.MIN_CONTRIBUTION:
                assert mark == words.OBSERVED
            elif size < 0:
                assert mark == words.STAYING
            else:
                assert mark == (words.LEAVING if low or bare else words.NO_MARK)
            if bare:
                assert _told(one, family, int(np.sign(size))) is None
                feature = int(np.argmax(_only_of(np.sign(size) * single[row], family)))
                assert words.FEATURE_WORDS[FEATURES[feature]].en.lower() in text.lower()
                others = raises - {reasons.FAMILY_NAMES.index(family)}
                assert all(_told(one, reasons.FAMILY_NAMES[j], RAISING) is None for j in others) or size < 0
            kinds.add((mark, bare))
    assert {(words.STAYING, False), (words.LEAVING if low else words.NO_MARK, False)} <= kinds


def _only_of(single: np.ndarray, family: str) -> np.ndarray:
    candidate_models = [FEATURES.index(name) for name in FAMILIES[family]]
    return np.where(np.isin(np.arange(len(FEATURES)), candidate_models), single, -np.inf)


@pytest.mark.parametrize(
    "own, usual, text, text_zh",
    [
        # More orders than usual, and yet the model counts them for leaving: the mark says which way.
        (
            9.0,
            6.0,
            "Speaks for leaving: orders in the last 90 days: 9; usual for customers: 6",
            "不利于留存：近 90 天下单次数：9；一般客户 6",
        ),
        (
            math.nan,
            6.0,
            "Speaks for leaving: orders in the last 90 days: not known; usual for customers: 6",
            "不利于留存：近 90 天下单次数：未知；一般客户 6",
        ),
        (
            9.0,
            math.nan,
            "Speaks for leaving: orders in the last 90 days: 9",
            "不利于留存：近 90 天下单次数：9",
        ),
        (
            math.nan,
            math.nan,
            "Speaks for leaving: orders in the last 90 days: not known",
            "不利于留存：近 90 天下单次数：未知",
        ),
    ],
)
def test_a_family_whose_facts_do_not_say_which_way_names_the_number_that_counts_most(own, usual, text, text_zh):
    matrix = np.full((2, len(FEATURES)), math.nan)
    matrix[1, FEATURES.index("n_orders_90d")] = own
    table = np.zeros((2, len(reasons.FAMILY_NAMES)))
    table[1, reasons.FAMILY_NAMES.index("trend")] = 0.7
    single = np.zeros((2, len(FEATURES)))
    single[1, FEATURES.index("n_orders_90d")], single[1, FEATURES.index("net_sales_30d")] = 0.9, -0.2
    customers = Customers(FEATURES, matrix, {"n_orders_90d": usual})
    asked = []

    def by_feature(places):
        asked.extend(places.tolist())
        return single[places]

    found = reasons.explain_scores(customers, table, np.zeros(2, dtype=bool), by_feature)
    assert asked == [1], "single features are not taken apart for customers who need none"
    assert found.families[0][1].as_py() == "trend" and found.contributions[0][1] == 0.7
    assert [found.texts[language][0][1].as_py() for language in LANGUAGES] == [text, text_zh]


def test_every_feature_and_family_has_words_in_both_languages():
    assert set(words.FEATURE_WORDS) == set(FEATURES)
    assert set(FAMILY_WORDS) == {*FAMILIES, "contacts"}
    for feature in FEATURES:
        for what in (words.COMPARED, words.OWN_UNKNOWN, words.NOTHING_USUAL, words.NEITHER):
            sentence = words.named(feature, what)
            slots = [sorted(set(re.findall(r"\{(\d+):", text))) for text in sentence]
            assert slots[0] == slots[1]
            numbers = (np.array([2.0]), np.array([3.0]))
            for language, text in zip(LANGUAGES, sentence, strict=True):
                assert (re.search(r"[\u4e00-\u9fff]", text) is None) == (language == ENGLISH)
                assert "{" not in say(sentence, language, numbers)[0].as_py()


def test_by_rule_the_first_reason_is_the_rule_and_the_rest_observations():
    model = model_of("rule")
    matrix = made_up(50, seed=1)
    customers = Customers(FEATURES, matrix, reasons.usual_of(FEATURES, model.typical))
    table = Explainer(model)(matrix)[:, [GROUPS.index(family) for family in reasons.FAMILY_NAMES]]
    found = reasons.explain_rule(customers, model.rule, table, np.zeros(50, dtype=bool))
    for row in range(50):
        silent = matrix[row, FEATURES.index("days_since_last_order")]
        first, first_zh = (found.texts[language][0][row].as_py() for language in LANGUAGES)
        assert first == f"No purchase for {words.days(silent)}; {say_rule(model.rule, silent)}"
        assert first_zh == f"已 {words.number(silent)} 天未购买；{say_rule_in_chinese(model.rule, silent)}"
        assert "在接下来 30 天内没有购买" in first_zh
        assert all(found.texts[ENGLISH][i][row].as_py().startswith("Observed: ") for i in (1, 2))
        assert len({found.families[i][row].as_py() for i in range(3)}) == 3
        assert [found.contributions[i][row] for i in (1, 2)] == [0, 0]


def test_by_rule_the_observations_point_as_the_score_goes():
    model = model_of("rule")
    matrix = np.tile(model.typical, (2, 1))
    matrix[:, FEATURES.index("average_order_value")] *= 3
    matrix[:, FEATURES.index("lines_per_order")] /= 3
    matrix[:, FEATURES.index("return_share")] = 0
    customers = Customers(FEATURES, matrix, reasons.usual_of(FEATURES, model.typical))
    found = reasons.explain_rule(
        customers, model.rule, np.zeros((2, len(reasons.FAMILY_NAMES))), np.array([False, True])
    )
    assert found.families[1].to_pylist() == ["basket", "money"]


def test_not_scored():
    nan = math.nan
    cases = [
        ("never_purchased", nan, nan, "Not scored: has never purchased", "未评分：从未购买"),
        (
            "lost",
            300.0,
            400.0,
            "Not scored: already counted as lost, no purchase for 300 days",
            "未评分：已视为流失，300 天未购买",
        ),
        (
            "too_little_history",
            1.0,
            1.0,
            "Not scored: first purchase 1 day ago, 14 days of history are needed",
            "未评分：首次购买距今 1 天，需要 14 天的历史",
        ),
        ("too_little_history", nan, nan, "Not scored: 14 days of history are needed", "未评分：需要 14 天的历史"),
        (
            "refuses_profiling",
            1.0,
            90.0,
            "Not scored: the customer refuses to be profiled",
            "未评分：客户拒绝画像分析",
        ),
        (None, nan, nan, "Not scored: not eligible", "未评分：不符合条件"),
    ]
    why, silent, tenure, english, chinese = (list(column) for column in zip(*cases, strict=True))
    found = reasons.explain_not_scored(why, np.array(silent), np.array(tenure), min_tenure_days=14)
    assert found.texts[ENGLISH][0].to_pylist() == english
    assert found.texts[CHINESE][0].to_pylist() == chinese
    assert found.families[0].to_pylist() == ["not_scored"] * len(cases)
    assert found.texts[ENGLISH][1].null_count == len(cases)


def test_nobody_needs_no_words():
    customers = Customers(FEATURES, np.empty((0, len(FEATURES))), USUAL)
    found = reasons.explain_scores(
        customers, np.empty((0, len(reasons.FAMILY_NAMES))), np.empty(0, dtype=bool), lambda places: None
    )
    assert len(found.texts[ENGLISH][0]) == len(found.families[0]) == 0


def test_the_rule_on_contracts_is_told_by_the_contract():
    rule = ContractRule(30, (RuleStep(1, 0.12, 100, 12), RuleStep(30, 0.02, 400, 8)))
    features = ("days_since_last_order", "contract_days_left")
    customers = Customers(features, np.array([[3.0, 12.0], [3.0, np.nan]]), dict.fromkeys(features, 40.0))
    table = np.zeros((2, len(reasons.FAMILY_NAMES)))
    table[:, reasons.FAMILY_NAMES.index("tenure")] = (1.0, -1.0)
    found = reasons.explain_rule(customers, rule, table, np.array([False, True]))
    assert found.families[0].to_pylist() == ["tenure", "tenure"]
    assert found.texts["en"][0].to_pylist() == [
        "Contract covers 12 days more; contracts that cover 1 to 29 more days: 12 % had no contract left 30 days later",
        "Contract without an end; contracts that cover 30 days or more: 2 % had no contract left 30 days later",
    ]
    assert found.texts["zh"][0].to_pylist()[0].startswith("合同还剩 12 天；")


@pytest.mark.parametrize(
    ("size", "mark"),
    [
        (0.02, words.LEAVING),
        (0.019999, words.OBSERVED),
        (0.0199996, words.LEAVING),
        (-0.02, words.STAYING),
        (-0.019999, words.OBSERVED),
    ],
)
def test_a_contribution_of_two_hundredths_is_a_claim_and_less_an_observation(size, mark):
    values = {"tenure_days": 300, "n_orders_30d": 3, "n_orders_90d": 1 if size > 0 else 30, "n_orders_prev_90d": 9}
    table = np.zeros((1, len(reasons.FAMILY_NAMES)))
    table[0, reasons.FAMILY_NAMES.index("trend")] = size
    found = reasons.explain_scores(_customer(**values), table, np.array([True]), _single_of("trend", 1))
    place = [column[0].as_py() for column in found.families].index("trend")
    assert found.texts[ENGLISH][place][0].as_py().startswith(words.MARKS[mark].en)


@pytest.mark.parametrize(("usual", "is_claim"), [(10.0 * math.exp(0.1001), True), (10.0 * math.exp(0.0999), False)])
def test_a_tenth_more_than_usual_points_somewhere_and_less_does_not(usual, is_claim):
    """By the log ratio of an amount to the usual one."""
    own = np.array([[10.0 if name == "average_order_value" else math.nan for name in FEATURES]])
    customer = Customers(FEATURES, own, {**USUAL, "average_order_value": usual})
    told = _told(customer, "money", RAISING)
    assert (told is not None) == is_claim


def test_a_fact_is_asked_once_whether_it_fits(monkeypatch):
    """Ranking families and choosing their words rest on one answer."""
    asked, fits = [], Fact.fits
    monkeypatch.setattr(Fact, "fits", lambda fact, direction: asked.append(fact.kind) or fits(fact, direction))
    customers = _customer(**USUAL)
    table = np.zeros((1, len(reasons.FAMILY_NAMES)))
    table[0, 0] = 1.0
    reasons.explain_scores(customers, table, ONE, _single_of(reasons.FAMILY_NAMES[0], RAISING))
    assert len(asked) == sum(len(FACTS[family](customers)) for family in reasons.FAMILY_NAMES) > 0


@pytest.mark.parametrize(("weight", "is_own"), [(1.98, True), (2.02, False)])
def test_a_change_against_the_own_past_counts_twice(weight, is_own):
    """A customer whose orders of a quarter fell to half against their own quarter before, and against other customers'
    by more: from twice the log ratio on, the comparison with others is said."""
    before = 2 * (9 + 1) - 1
    others = math.exp(weight * math.log(2)) * (9 + 1) - 1
    months = math.exp(0.5) * (3 + 1) - 1
    usual = {**USUAL, "n_orders_90d": others, "n_orders_30d": months}
    numbers = {**USUAL, "n_orders_90d": 9.0, "n_orders_prev_90d": before, "n_orders_30d": 3.0, "tenure_days": 400.0}
    customers = Customers(FEATURES, np.array([[numbers[name] for name in FEATURES]]), usual)
    facts = {fact.kind: fact for fact in FACTS["trend"](customers)}
    own, other = facts["quarter_after"], facts["quarter_compared"]
    assert (own.direction[0], other.direction[0]) == (RAISING, RAISING)
    assert (own.strength[0] > other.strength[0]) == is_own


def test_the_own_rhythm_comes_before_what_others_do_by_less_than_ten():
    """The silence against the own gap is said first, unless another comparison is a log ratio of ten away."""
    customers = _customer(days_since_last_order=30.0, gap_median_days=7.0, gap_max_days=20.0)
    silent = next(fact for fact in FACTS["silence"](customers) if fact.kind == "silent_longest")
    assert silent.holds[0] and silent.strength[0] == 10.0
    within = _customer(days_since_last_order=3.0, gap_median_days=7.0, gap_max_days=20.0)
    facts = [
        fact for fact in FACTS["silence"](within) if fact.kind == "last_purchase" and fact.direction[0] == LOWERING
    ]
    assert [(fact.holds[0], fact.strength[0]) for fact in facts] == [(True, 10.0)]
