"""The change of a score in words, in two languages.

In: a change split into parts (`changes`), what moved the old model's contributions. Out: Arrow strings.
"""

import numpy as np
import pyarrow as pa

from assets.explain.earlier import Earlier
from assets.explain.explainer import GROUPS
from assets.explain.words import CHINESE, ENGLISH, LANGUAGES, points, share
from assets.model.feature_words import FAMILY_WORDS

#: Families named as what moved the data's part, at most, and the least shift of a contribution (log-odds) for one.
MAX_FAMILIES = 2
MIN_SHIFT = 0.02


def describe_changes(
    earlier: Earlier | None, parts: dict[str, np.ndarray], was_listed: np.ndarray, shifts: np.ndarray | None
) -> dict[str, pa.Array]:
    """The change of each customer in words, by language.

    was_listed: who was among the customers then. shifts: (n, len(GROUPS)) by how much each group's contribution to the
    old model's log-odds has changed, NaN where then's are not known.
    """
    return {language: _sentences(language, earlier, parts, was_listed, shifts) for language in LANGUAGES}


_WORDS = {
    ENGLISH: {
        "first": "First published score",
        "new": "Not yet a customer on {}",
        "unscored": "Not scored on {}",
        "same": "Unchanged since {day} ({then} then)",
        "up": "Up {points} since {day} ({then} then)",
        "down": "Down {points} since {day} ({then} then)",
        "data": "own data {}",
        "because": " (mostly {})",
        "change_from_definition": "definition {}",
        "change_from_model": "new model {}",
        "change_from_recalibration": "recalibration or season {}",
        "gone": "the model of then is no longer in the store",
        "colon": ": ",
        "comma": ", ",
        "and": " and ",
    },
    CHINESE: {
        "first": "首次发布评分",
        "new": "{} 时尚非客户",
        "unscored": "{} 未评分",
        "same": "自 {day} 以来无变化（当时 {then}）",
        "up": "较 {day} 上升 {points}（当时 {then}）",
        "down": "较 {day} 下降 {points}（当时 {then}）",
        "data": "自身数据 {}",
        "because": "（主要为{}）",
        "change_from_definition": "定义变更 {}",
        "change_from_model": "模型更换 {}",
        "change_from_recalibration": "重新校准或季节 {}",
        "gone": "当时的模型已不在模型库中",
        "colon": "：",
        "comma": "，",
        "and": "和",
    },
}


def _sentences(
    language: str,
    earlier: Earlier | None,
    parts: dict[str, np.ndarray],
    was_listed: np.ndarray,
    shifts: np.ndarray | None,
) -> pa.Array:
    words, n = _WORDS[language], len(was_listed)
    if earlier is None:
        return pa.repeat(words["first"], n).cast(pa.string())
    day, previous, change = earlier.as_of_date.isoformat(), parts["previous_probability"], parts["probability_change"]
    # Everything is said in whole points, so few different sentences are needed for many customers.
    kind = np.where(~was_listed, -2, np.where(np.isnan(previous), -1, np.where(np.round(100 * change) == 0, 0, 1)))
    then = np.where(kind >= 0, np.round(100 * np.nan_to_num(previous)), 0).astype(int)
    steps = ("change_from_data", "change_from_definition", "change_from_model", "change_from_recalibration")
    whole = np.column_stack(
        [np.where(kind == 1, np.round(100 * np.nan_to_num(parts[name])), 0) for name in ("probability_change", *steps)]
    ).astype(int)
    is_split = ~np.isnan(parts["change_from_data"])
    moved = _movers(shifts, parts["change_from_data"]) if shifts is not None else np.zeros((n, MAX_FAMILIES), int)
    moved = np.where(whole[:, [1]] != 0, moved, 0)
    facts = np.column_stack([kind, then, whole, is_split, moved])
    different, where = np.unique(facts, axis=0, return_inverse=True)
    texts = [_sentence(words, language, day, row) for row in different.tolist()]
    return pa.array(texts, pa.string()).take(pa.array(where.reshape(-1)))


def _sentence(words: dict[str, str], language: str, day: str, row: list[int]) -> str:
    kind, then, change, data, definition, new_model, recalibration, is_split, *moved = row
    if kind == -2:
        return words["new"].format(day)
    if kind == -1:
        return words["unscored"].format(day)
    if kind == 0:
        return words["same"].format(day=day, then=share(then / 100))
    text = words["up" if change > 0 else "down"].format(
        points=_points(language, change), day=day, then=share(then / 100)
    )
    if not is_split:
        return text + words["colon"] + words["gone"]
    pieces = []
    if data:
        named = [FAMILY_WORDS[GROUPS[number - 1]][LANGUAGES.index(language)] for number in moved if number]
        because = words["because"].format(words["and"].join(named)) if named else ""
        pieces.append(words["data"].format(_signed(data)) + because)
    for name, size in (
        ("change_from_definition", definition),
        ("change_from_model", new_model),
        ("change_from_recalibration", recalibration),
    ):
        if size:
            pieces.append(words[name].format(_signed(size)))
    return text + (words["colon"] + words["comma"].join(pieces) if pieces else "")


def _movers(shifts: np.ndarray, data: np.ndarray) -> np.ndarray:
    """(n, MAX_FAMILIES) numbers (from 1; 0 for none) of the groups whose contributions moved most in the direction of
    the data's part of the change."""
    toward = np.nan_to_num(shifts) * np.sign(np.nan_to_num(data))[:, None]
    order = np.argsort(-toward, axis=1, kind="stable")[:, :MAX_FAMILIES]
    sizes = np.take_along_axis(toward, order, axis=1)
    # A second family is named only where it carries a good part of what the first does.
    worth = (sizes >= MIN_SHIFT) & (sizes >= sizes[:, [0]] / 3)
    return np.where(worth, order + 1, 0)


def _points(language: str, change: int) -> str:
    return points(change / 100) if language == ENGLISH else f"{abs(change)} 个百分点"


def _signed(size: int) -> str:
    return f"{size:+d}".replace("-", "−")
