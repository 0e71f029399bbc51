"""Why a score is another than the one published before: the data, the definition, the model or its recalibration.

In: the last published scores before the date, the model that made them, what the present model says. Out: for each
customer the earlier probability and its change, split into parts that add up to it, and a sentence in two languages.

The split follows the order in which things happen: first the old model (as it was then calibrated) sees the new data,
then the new model replaces it, then the recalibration of the new one. Each step is the difference of two probabilities
of the same customer, so that the parts add up without a rest. A model that answers another question (other horizon, or
other training parameters) is a change of definition, not of the model.
"""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.explain.explainer import GROUPS
from assets.explain.words import CHINESE, ENGLISH, LANGUAGES, points, share
from assets.model import model_store
from assets.model.feature_words import FAMILY_WORDS
from assets.model.retention_model import PROBABILITY_DECIMALS, RetentionModel, probability_of
from assets.shared.errors import UserError
from assets.shared.published_history import newest_before
from assets.shared.settings import Settings

TABLE = "churn_scores"
#: Changes of the probability below this are none: they would be written as 0 points.
MIN_CHANGE = 0.005
#: Families named as what moved the data's part, at most, and the least shift of a contribution (log-odds) for one.
MAX_FAMILIES = 2
MIN_SHIFT = 0.02


@dataclass(frozen=True)
class Earlier:
    """The last published scores before a date: their file, its columns, and the model that made them.

    model: that model with the calibration of then, or None when the store no longer has it or it cannot see today's
    features. change: `definition`, `model` or None, what differs between it and the present model.
    """

    as_of_date: date
    path: Path
    columns: frozenset[str]
    model_version: str
    model: RetentionModel | None
    change: str | None

    def select(self) -> str:
        """SQL of the earlier scores, one row a customer; columns that the file does not have are null."""
        kept = {"customer_id": "customer_id", "previous_probability": "churn_probability"}
        kept |= {f"previous_{group}": f"contribution_{group}" for group in GROUPS}
        listed = ", ".join(
            f"{column} as {name}" if column in self.columns else f"null::double as {name}"
            for name, column in kept.items()
        )
        return f"select {listed}, true as was_listed from read_parquet($earlier)"


def read_earlier(
    con: duckdb.DuckDBPyConnection, settings: Settings, as_of: date, model: RetentionModel
) -> Earlier | None:
    """The newest published scores before `as_of`; None when nothing was published before."""
    found = newest_before(settings, TABLE, as_of)
    if found is None:
        return None
    day, path = found
    columns = frozenset(row[0] for row in con.execute("select name from parquet_schema(?)", [str(path)]).fetchall())
    shift = "any_value(calibration_shift)" if "calibration_shift" in columns else "0.0"
    version, then = con.execute(
        f"select any_value(model_version), coalesce({shift}, 0.0) from read_parquet(?)", [str(path)]
    ).fetchone()
    if version is None:
        return None
    if version == model.model_id:
        return Earlier(day, path, columns, version, replace(model, shift=then), None)
    try:
        old = replace(model_store.load_model(settings.models, version), shift=then)
    except (UserError, KeyError, TypeError):
        return Earlier(day, path, columns, version, None, "model")
    return Earlier(day, path, columns, version, old, "definition" if _asks_otherwise(old, model) else "model")


def _asks_otherwise(old: RetentionModel, new: RetentionModel) -> bool:
    return old.horizon_days != new.horizon_days or old.card.get("parameters") != new.card.get("parameters")


@dataclass(frozen=True)
class Changes:
    """Changes of n customers. numbers: column → (n,), NaN where unknown. texts: by language, Arrow strings."""

    numbers: dict[str, np.ndarray]
    texts: dict[str, pa.Array]


NUMBERS = (
    "previous_probability",
    "probability_change",
    "change_from_data",
    "change_from_definition",
    "change_from_model",
    "change_from_recalibration",
)


def split_change(
    earlier: Earlier,
    model: RetentionModel,
    previous: np.ndarray,
    now: np.ndarray,
    log_odds: np.ndarray | None,
    old_now: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """The parts of each change; NaN where the customer had no score then, or the old model is gone.

    previous, now: published probabilities. log_odds: the present model's, None where the rule scores. old_now: what the
    old model, calibrated as then, says of today's data; None when it is gone. Parts and change have nine decimals and
    add up up to their rounding.
    """
    unknown = np.full(len(now), np.nan)
    change = now - previous
    parts = {
        "previous_probability": previous,
        "probability_change": change,
        "change_from_data": unknown,
        "change_from_definition": unknown,
        "change_from_model": unknown,
        "change_from_recalibration": unknown,
    }
    if old_now is not None:
        if log_odds is None:
            uncorrected = now
        elif earlier.change is None:
            uncorrected = old_now  # the same model: all that is not data is recalibration
        else:
            uncorrected = probability_of(log_odds - model.shift)
        replaced, nothing = uncorrected - old_now, np.where(np.isnan(change), np.nan, 0.0)
        parts["change_from_data"] = old_now - previous
        parts["change_from_definition"] = replaced if earlier.change == "definition" else nothing
        parts["change_from_model"] = replaced if earlier.change == "model" else nothing
        parts["change_from_recalibration"] = now - uncorrected
    known = ~np.isnan(change)
    return {name: np.where(known, values, np.nan).round(PROBABILITY_DECIMALS) + 0.0 for name, values in parts.items()}


def describe_changes(
    earlier: Earlier | None, parts: dict[str, np.ndarray], was_listed: np.ndarray, shifts: np.ndarray | None
) -> dict[str, pa.Array]:
    """The change of each customer in words, by language.

    was_listed: who was among the customers then. shifts: (n, len(GROUPS)) by how much each group's contribution to the
    old model's log-odds has changed, NaN where then's are not known.
    """
    return {language: _told(language, earlier, parts, was_listed, shifts) for language in LANGUAGES}


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


def _told(language: str, earlier: Earlier | None, parts, was_listed: np.ndarray, shifts) -> pa.Array:
    words, n = _WORDS[language], len(was_listed)
    if earlier is None:
        return pa.repeat(words["first"], n).cast(pa.string())
    day, previous, change = earlier.as_of_date.isoformat(), parts["previous_probability"], parts["probability_change"]
    # Everything is said in whole points, so few different sentences are needed for many customers.
    kind = np.where(~was_listed, -2, np.where(np.isnan(previous), -1, np.where(np.abs(change) < MIN_CHANGE, 0, 1)))
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
    said = []
    if data:
        named = [FAMILY_WORDS[GROUPS[number - 1]][LANGUAGES.index(language)] for number in moved if number]
        because = words["because"].format(words["and"].join(named)) if named else ""
        said.append(words["data"].format(_signed(data)) + because)
    for name, size in (
        ("change_from_definition", definition),
        ("change_from_model", new_model),
        ("change_from_recalibration", recalibration),
    ):
        if size:
            said.append(words[name].format(_signed(size)))
    return text + (words["colon"] + words["comma"].join(said) if said else "")


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


def null_texts(n: int) -> dict[str, pa.Array]:
    return {language: pa.nulls(n, pa.string()) for language in LANGUAGES}


def texts_of_chosen(texts: pa.Array, chosen: np.ndarray) -> pa.Array:
    """Texts of the chosen customers, null for the others."""
    return pc.if_else(pa.array(chosen), texts, pa.scalar(None, pa.string()))
