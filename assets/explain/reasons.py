"""Why customers have their scores: three reasons each, in words with the customer's own numbers and what is usual.

In: exact contributions by family (`explainer`), facts (`facts`). Out: for each customer three families, contributions
and sentences in English and Chinese. Reads and writes no table; whole columns at a time, no object a customer.

Reasons argue for the number that they stand beside: what raises the risk comes first, largest first, then what lowers
it. Of a customer with nothing that raises it they say so. A family speaks by a fact that points the way of its
contribution; families without one stand back. Only where nothing else raises the risk, such a family names the feature
that contributes most. No sentence says the opposite of its contribution.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.explain.facts import FACTS, LOWERING, MIN_STRENGTH, PLAIN, RAISING, UNSPOKEN, Customers, Fact
from assets.explain.words import (
    COMPARED,
    ENGLISH,
    LANGUAGES,
    LEAVING,
    MARKS,
    NEITHER,
    NO_MARK,
    NOTHING_USUAL,
    OBSERVED,
    OWN_UNKNOWN,
    SENTENCES,
    STAYING,
    assemble,
    named,
    say,
)
from assets.model.churn_features import FAMILIES, FEATURES
from assets.model.rule_words import say_rule, say_rule_in_chinese
from assets.model.simple_rules import ChurnRule, ContractRule

N_REASONS = 3
FAMILY_NAMES = tuple(FACTS)
#: Contributions (log-odds) below this are not worth a claim in either direction. They are also rounded before they
#: are ranked, so that the last bits of a sum cannot swap two reasons.
MIN_CONTRIBUTION = 0.02
CONTRIBUTION_DECIMALS = 6

NOT_SCORED = "not_scored"


@dataclass(frozen=True)
class Reasons:
    """Reasons of n customers; place i of each list is reason i + 1.

    families: Arrow strings. contributions: (n,) log-odds, NaN where none. texts: by language, Arrow strings.
    Null where a customer has fewer reasons.
    """

    families: list[pa.Array]
    contributions: list[np.ndarray]
    texts: dict[str, list[pa.Array]]


@dataclass(frozen=True)
class _Chosen:
    """For each customer and family (n, families): which of the family's facts is given, and how it is marked; instead
    of a fact that feature (an index of `FEATURES`) which contributes most, -1 where a fact is given."""

    fact: np.ndarray
    mark: np.ndarray
    feature: np.ndarray


def explain_scores(
    customers: Customers,
    contributions: np.ndarray,
    is_low: np.ndarray,
    by_feature: Callable[[np.ndarray], np.ndarray],
) -> Reasons:
    """Three reasons a customer: families that raise the risk, then families that lower it, largest contribution first.

    contributions: (n, len(FAMILY_NAMES)) log-odds by family. What lowers the risk is marked; what raises it, only for a
    customer whose risk is low (`is_low`, (n,)). A contribution below `MIN_CONTRIBUTION` is an observation. Where no
    family raises the risk, the first reason says so and has neither family nor contribution.
    by_feature: places of customers → (m, len(FEATURES)) their contributions by feature; asked only for those with a
    family among the three whose facts do not say which way it points.
    """
    table = np.round(contributions, CONTRIBUTION_DECIMALS)
    directions = np.where(table >= MIN_CONTRIBUTION, RAISING, np.where(table <= -MIN_CONTRIBUTION, LOWERING, PLAIN))
    facts = [FACTS[family](customers) for family in FAMILY_NAMES]
    chosen, fits = _best_facts(facts, directions)
    places = _most_telling(table, directions, fits)
    given = _marked(chosen, fits, directions, is_low, places, by_feature)
    found = _written(customers, facts, given, places, table)
    return _with_no_sign_first(found, (directions != RAISING).all(axis=1), is_low)


def explain_rule(
    customers: Customers, rule: ChurnRule | ContractRule, contributions: np.ndarray, is_low: np.ndarray
) -> Reasons:
    """Reasons where the rule scores: the rule's own, then two observations that weigh nothing in the score: first
    those that most people would read as the score goes, else any.

    contributions: (n, len(FAMILY_NAMES)); all but that of the family of the number that the rule reads are zero.
    """
    own = next(j for j, family in enumerate(FAMILY_NAMES) if rule.feature in FAMILIES[family])
    facts = [FACTS[family](customers) for family in FAMILY_NAMES]
    leading = np.where(is_low, LOWERING, RAISING)
    shape = (customers.n, len(FAMILY_NAMES))
    chosen, rank, strength = np.zeros(shape, int), np.full(shape, 3), np.zeros(shape)
    for j, of_family in enumerate(facts):
        for k, fact in enumerate(of_family):
            usable = fact.holds & ((fact.direction == PLAIN) | (fact.strength >= MIN_STRENGTH))
            this = np.where(fact.direction == leading, 0, np.where(fact.direction == PLAIN, 2, 1))
            better = usable & ((this < rank[:, j]) | ((this == rank[:, j]) & (fact.strength > strength[:, j])))
            chosen[better, j], rank[better, j], strength[better, j] = k, this[better], fact.strength[better]
    rank[:, own] = -1  # given by the rule's own words
    given = _Chosen(chosen, np.full(shape, OBSERVED), np.full(shape, -1))
    places = np.lexsort((np.broadcast_to(np.arange(shape[1]), shape), -strength, rank))[:, :N_REASONS]
    found = _written(customers, facts, given, places, np.round(contributions, CONTRIBUTION_DECIMALS))
    for language in LANGUAGES:
        found.texts[language][0] = rule_texts(rule, customers[rule.feature], language, with_number=True)
    return found


def rule_texts(
    rule: ChurnRule | ContractRule, values: np.ndarray, language: str, with_number: bool = False
) -> pa.Array:
    """The rule in words for each number of days that it reads, behind that number itself if asked."""
    words = say_rule if language == ENGLISH else say_rule_in_chinese
    days, where = np.unique(values, return_inverse=True)
    texts = [words(rule, day) for day in days.tolist()]
    if with_number:
        between = "; " if language == ENGLISH else "；"
        kind = "contract_covers" if rule.is_contractual else "no_purchase_for"
        opening = say(SENTENCES[kind], language, (days,)).to_pylist()
        if np.isnan(days[-1:]).any():  # NaN comes last: no end
            opening[-1] = say(SENTENCES["contract_open"], language, (days[-1:],)).to_pylist()[0]
        texts = [first + between + text for first, text in zip(opening, texts, strict=True)]
    return pa.array(texts, pa.string()).take(pa.array(where.reshape(-1)))


def explain_not_scored(
    ineligible_reason: Sequence[str | None], silent_days: np.ndarray, tenure_days: np.ndarray, min_tenure_days: int
) -> Reasons:
    """Why customers have no score, in words; there is nothing else to say of the risk."""
    n = len(silent_days)
    why = np.array(["" if reason is None else reason for reason in ineligible_reason], dtype=object)
    silent, tenure = np.nan_to_num(silent_days), np.nan_to_num(tenure_days)
    kind = np.full(n, "not_eligible", dtype=object)
    for name in ("never_purchased", "no_contract", "contract_ended", "outlier_account", "refuses_profiling"):
        kind[why == name] = name
    lost, young = why == "lost", why == "too_little_history"
    kind[lost] = np.where(silent[lost] > 0, "lost_since", "lost")
    kind[young] = np.where(tenure[young] > 0, "too_little_since", "too_little")
    needed = np.full(n, float(min_tenure_days))
    texts = {}
    for language in LANGUAGES:
        parts = []
        for name in sorted(set(kind)):
            places = np.flatnonzero(kind == name)
            first = tenure if name.startswith("too_little") else silent
            parts.append((places, say(SENTENCES[name], language, (first[places], needed[places]))))
        texts[language] = [assemble(parts, n), *_nothing(n)]
    family = pa.repeat(NOT_SCORED, n).cast(pa.string())
    return Reasons([family, *_nothing(n)], [np.full(n, np.nan)] * N_REASONS, texts)


def no_reasons(n: int) -> Reasons:
    """For customers who are scored but not on the list that is explained."""
    empty = [pa.nulls(n, pa.string())] * N_REASONS
    return Reasons(list(empty), [np.full(n, np.nan)] * N_REASONS, {language: list(empty) for language in LANGUAGES})


def merge_reasons(parts: Sequence[tuple[np.ndarray, Reasons]], n: int) -> Reasons:
    """Reasons of n customers from those of some of them (places, reasons)."""
    contributions = []
    for i in range(N_REASONS):
        column = np.full(n, np.nan)
        for places, found in parts:
            column[places] = found.contributions[i]
        contributions.append(column)
    return Reasons(
        [assemble([(places, found.families[i]) for places, found in parts], n) for i in range(N_REASONS)],
        contributions,
        {
            language: [
                assemble([(places, found.texts[language][i]) for places, found in parts], n) for i in range(N_REASONS)
            ]
            for language in LANGUAGES
        },
    )


def usual_of(names: Sequence[str], typical: np.ndarray) -> Mapping[str, float]:
    return dict(zip(names, typical.tolist(), strict=True))


def _best_facts(facts: Sequence[Sequence[Fact]], directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each (n, families): the position of the strongest fact that points the way of the family's contribution, or of
    the strongest plain one where none does; and whether one does."""
    chosen, fits = np.zeros(directions.shape, dtype=int), np.zeros(directions.shape, dtype=bool)
    for j, of_family in enumerate(facts):
        fitting, plain = np.full(len(directions), -1.0), np.full(len(directions), -1.0)
        observed = np.zeros(len(directions), dtype=int)
        for k, one in enumerate(of_family):
            better = one.fits(directions[:, j]) & (one.strength > fitting)
            chosen[better, j], fitting[better] = k, one.strength[better]
            plainer = one.holds & (one.direction == PLAIN) & (one.strength > plain)
            observed[plainer], plain[plainer] = k, one.strength[plainer]
        fits[:, j] = fitting >= 0
        chosen[:, j] = np.where(fits[:, j], chosen[:, j], observed)
    return chosen, fits


def _most_telling(table: np.ndarray, directions: np.ndarray, fits: np.ndarray) -> np.ndarray:
    """(n, N_REASONS) families in the order in which they are given."""
    raises, lowers = directions == RAISING, directions == LOWERING
    says_why = (raises & fits).any(axis=1, keepdims=True)
    rank = np.select(
        [raises & fits, raises & ~says_why, lowers & fits, directions == PLAIN],
        [0, 1, 2, 3],
        default=4,
    )
    return np.lexsort((np.broadcast_to(np.arange(table.shape[1]), table.shape), -np.abs(table), rank))[:, :N_REASONS]


def _with_no_sign_first(found: Reasons, no_sign: np.ndarray, is_low: np.ndarray) -> Reasons:
    """The same reasons; those of customers without any sign of leaving stand one place further back, behind that."""
    asked = pa.array(no_sign)
    families, contributions, texts = list(found.families), list(found.contributions), dict(found.texts)
    nothing = pa.nulls(len(no_sign), pa.string())
    for i in reversed(range(N_REASONS)):
        before = found.families[i - 1] if i else nothing
        families[i] = pc.if_else(asked, before, found.families[i])
        earlier = found.contributions[i - 1] if i else np.full(len(no_sign), np.nan)
        contributions[i] = np.where(no_sign, earlier, found.contributions[i])
    for language in LANGUAGES:
        low, other = (say(SENTENCES[kind], language, (np.zeros(1),))[0] for kind in ("no_sign", "as_usual"))
        shifted = [pc.if_else(pa.array(is_low), low, other), *found.texts[language][:-1]]
        texts[language] = [
            pc.if_else(asked, moved, own) for moved, own in zip(shifted, found.texts[language], strict=True)
        ]
    return Reasons(families, contributions, texts)


def _marked(
    chosen: np.ndarray,
    fits: np.ndarray,
    directions: np.ndarray,
    is_low: np.ndarray,
    places: np.ndarray,
    by_feature: Callable[[np.ndarray], np.ndarray],
) -> _Chosen:
    """The chosen facts, and how each is to be said."""
    mark = np.where(directions == LOWERING, STAYING, np.where(is_low[:, None], LEAVING, NO_MARK))
    mark = np.where(directions == PLAIN, OBSERVED, mark)
    given = np.zeros(directions.shape, dtype=bool)
    np.put_along_axis(given, places, True, axis=1)
    is_mixed = given & ~fits & (directions != PLAIN)
    mark = np.where(is_mixed & (directions == RAISING), LEAVING, mark)  # the words alone do not say which way
    return _Chosen(chosen, mark, _strongest(is_mixed, directions, by_feature))


def _strongest(
    is_mixed: np.ndarray, directions: np.ndarray, by_feature: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """(n, families): the feature that contributes most in its family's direction, -1 where none is asked for."""
    found = np.full(is_mixed.shape, -1)
    asked = np.flatnonzero(is_mixed.any(axis=1))
    if not len(asked):
        return found
    single = by_feature(asked)
    for j, family in enumerate(FAMILY_NAMES):
        columns = np.array([FEATURES.index(name) for name in FAMILIES[family] if name not in UNSPOKEN])
        toward = single[:, columns] * directions[asked, j][:, None]
        found[asked, j] = np.where(is_mixed[asked, j], columns[np.argmax(toward, axis=1)], -1)
    return found


def _written(
    customers: Customers, facts: Sequence[Sequence[Fact]], given: _Chosen, places: np.ndarray, table: np.ndarray
) -> Reasons:
    n, rows = len(places), np.arange(len(places))
    if n == 0:
        return no_reasons(0)
    families, contributions = [], []
    texts: dict[str, list[pa.Array]] = {language: [] for language in LANGUAGES}
    names = pa.array(FAMILY_NAMES, pa.string())
    most = max(len(of_family) for of_family in facts)
    n_facts = len(FAMILY_NAMES) * most  # numbers from here on are those of features
    for i in range(N_REASONS):
        family = places[:, i]
        families.append(names.take(pa.array(family)))
        contributions.append(table[rows, family])
        feature = given.feature[rows, family]
        which = np.where(feature < 0, family * most + given.fact[rows, family], n_facts + feature)
        code = which * len(MARKS) + given.mark[rows, family]
        order = np.argsort(code, kind="stable")
        different, starts = np.unique(code[order], return_index=True)
        parts: dict[str, list[tuple[np.ndarray, pa.Array]]] = {language: [] for language in LANGUAGES}
        for number, chosen in zip(different.tolist(), np.split(order, starts[1:]), strict=True):
            which_one, mark = divmod(number, len(MARKS))
            for language in LANGUAGES:
                if which_one >= n_facts:
                    parts[language] += _named(customers, FEATURES[which_one - n_facts], chosen, language, mark)
                    continue
                fact = facts[which_one // most][which_one % most]
                numbers = tuple(values[chosen] for values in fact.numbers) or (chosen,)
                parts[language].append((chosen, say(SENTENCES[fact.kind], language, numbers, mark)))
        for language in LANGUAGES:
            texts[language].append(assemble(parts[language], n))
    return Reasons(families, contributions, texts)


def _named(
    customers: Customers, feature: str, chosen: np.ndarray, language: str, mark: int
) -> list[tuple[np.ndarray, pa.Array]]:
    own, usual = customers[feature][chosen], customers.usual(feature)[chosen]
    no_own, no_usual = np.isnan(own), np.isnan(usual)
    kinds = np.where(no_own, np.where(no_usual, NEITHER, OWN_UNKNOWN), np.where(no_usual, NOTHING_USUAL, COMPARED))
    parts = []
    for kind in np.unique(kinds).tolist():
        inside = np.flatnonzero(kinds == kind)
        parts.append((chosen[inside], say(named(feature, kind), language, (own[inside], usual[inside]), mark)))
    return parts


def _nothing(n: int) -> list[pa.Array]:
    return [pa.nulls(n, pa.string())] * (N_REASONS - 1)
