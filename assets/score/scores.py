"""Score every customer as of a day: probability, band, expected margin, value at risk, reasons, change since last time.

In: `features.customer_features`, a model ready to score, parameters, the last published scores. Out:
`score.churn_scores`.

Rows flow through twice in Arrow batches. The first pass keeps two numbers a customer, from which percentiles and the
list of those to be explained follow; the second writes finished rows. So memory does not grow with the customers beyond
these 16 bytes each, and no window, sort or temporary table holds them all. What a customer gets does not depend on the
batch: the same rows give the same numbers in both passes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from assets.score import changes, feature_schema, reasons
from assets.score.changes import Earlier
from assets.score.explainer import GROUPS, Explainer
from assets.score.facts import Customers
from assets.score.words import CHINESE, ENGLISH
from assets.shared.params import Params
from assets.shared.quoting import quoted
from assets.shared.retention_model import MARGIN_DECIMALS, RetentionModel
from assets.shared.warehouse import count_rows

TABLE = "score.churn_scores"
FEATURES_TABLE = "features.customer_features"
BATCH_ROWS = 20_000

_KEYS = ("customer_id", "is_eligible", "ineligible_reason", "is_active")
_THREE = range(1, reasons.N_REASONS + 1)
_SCHEMA = pa.schema(
    [
        ("as_of_date", pa.date32()),
        ("customer_id", pa.string()),
        ("is_eligible", pa.bool_()),
        ("ineligible_reason", pa.string()),
        ("is_active", pa.bool_()),
        ("churn_probability", pa.float64()),
        ("churn_percentile", pa.int32()),
        ("churn_band", pa.string()),
        ("baseline_probability", pa.float64()),
        ("baseline_rule", pa.string()),
        ("scored_by", pa.string()),
        ("scoring_model", pa.string()),
        ("margin_if_retained", pa.float64()),
        ("predicted_margin", pa.float64()),
        ("value_at_risk", pa.float64()),
        ("is_explained", pa.bool_()),
        *((f"reason_{i}", pa.string()) for i in _THREE),
        *((f"reason_{i}_zh", pa.string()) for i in _THREE),
        *((f"reason_{i}_family", pa.string()) for i in _THREE),
        *((f"reason_{i}_contribution", pa.float64()) for i in _THREE),
        ("contribution_base", pa.float64()),
        *((f"contribution_{group}", pa.float64()) for group in GROUPS),
        ("previous_as_of_date", pa.date32()),
        *((name, pa.float64()) for name in changes.NUMBERS),
        ("change_reason", pa.string()),
        ("change_reason_zh", pa.string()),
        ("calibration_shift", pa.float64()),
        ("model_version", pa.string()),
        ("horizon_days", pa.int32()),
    ]
)
#: The numbers that `numbers_of` gives.
NUMBERS = (
    "churn_probability",
    "baseline_probability",
    "margin_if_retained",
    "predicted_margin",
    "value_at_risk",
)


@dataclass(frozen=True)
class Scored:
    """What all rows of a night have in common, known after the first pass.

    ordered: probabilities of all scored customers, rising. explained_from: value at risk from which a scored customer
    is on the list of those explained; -inf for everybody.
    """

    as_of: date
    model: RetentionModel
    params: Params
    explainer: Explainer
    ordered: np.ndarray
    explained_from: float
    earlier: Earlier | None = None
    earlier_explainer: Explainer | None = None


def write_scores(
    con: duckdb.DuckDBPyConnection, as_of: date, model: RetentionModel, params: Params, earlier: Earlier | None = None
) -> int:
    """Replace `score.churn_scores` with the scores as of `as_of`; returns the number of rows.

    One row for each row of `features.customer_features`; customers who are not eligible have NULL numbers and the
    reason why. churn_percentile: 1 to 100, the share of scored customers at lower risk, ties counted half; equal
    probabilities have equal percentiles. The table is replaced as a whole or not at all.

    Raises UserError when a feature of the model is missing, has another type than the model was trained on, or has no
    value for anybody.
    """
    feature_schema.refuse_other_features(con, model)
    earlier = _readable(con, earlier)
    night = _first_pass(con, as_of, model, params, earlier)
    con.execute("create schema if not exists score")
    _write(con, night, _read(con, as_of, model, earlier), f"create or replace table {quoted(TABLE)} as")
    return count_rows(con, TABLE)


#: Who is on the contact plan of the date, scored, and without reasons yet.
_UNEXPLAINED = f"""
    select scores.customer_id
    from {TABLE} as scores
    where scores.is_eligible and not scores.is_explained and scores.customer_id in (
        select plan.customer_id
        from actions.contact_plan as plan
        where plan.as_of_date = $as_of and plan.decision in ('contact', 'holdout')
    )
"""


def count_unexplained(con: duckdb.DuckDBPyConnection, as_of: date) -> int:
    """How many customers the plan of `as_of` contacts or holds out whose scores are not explained."""
    return con.execute(f"select count(*) from ({_UNEXPLAINED})", {"as_of": as_of}).fetchone()[0]


def explain_listed(
    con: duckdb.DuckDBPyConnection, as_of: date, model: RetentionModel, params: Params, earlier: Earlier | None = None
) -> int:
    """Give reasons to everybody whom the plan of `as_of` contacts or holds out and who has none yet; returns how many.

    A calendar entry chooses by dates and not by value, so that beyond `score_explain_all_up_to` customers the plan may
    hold some outside the share that is explained. Their rows are made again as if they were on that list; scores stay
    what they are, and so do the rows of all others.
    """
    n = count_unexplained(con, as_of)
    if n == 0:
        return 0
    earlier = _readable(con, earlier)
    ordered = np.sort(
        con.execute(f"select churn_probability from {TABLE} where is_eligible").fetchnumpy()["churn_probability"]
    )
    night = _night(as_of, model, params, np.asarray(ordered, dtype=float), -np.inf, earlier)
    rows = _read(con, as_of, model, earlier, only=f"rows_.customer_id in ({_UNEXPLAINED})")
    _write(con, night, rows, "create or replace temp table listed_scores as")
    con.begin()
    try:
        con.execute(f"delete from {TABLE} where customer_id in (select customer_id from listed_scores)")
        con.execute(f"insert into {TABLE} by name select * from listed_scores")
        con.commit()
    except BaseException:
        con.rollback()
        raise
    finally:
        con.execute("drop table if exists listed_scores")
    return n


def _readable(con: duckdb.DuckDBPyConnection, earlier: Earlier | None) -> Earlier | None:
    """Without the earlier model where it cannot see today's features."""
    if (
        earlier is not None
        and earlier.model is not None
        and feature_schema.unfit(earlier.model, feature_schema.column_types(con))
    ):
        return replace(earlier, model=None)
    return earlier


def _write(con: duckdb.DuckDBPyConnection, night: Scored, rows: Iterator[pa.RecordBatch], create: str) -> None:
    failures: list[BaseException] = []

    def finished() -> Iterator[pa.RecordBatch]:
        try:
            for batch in rows:
                yield score_batch(batch, night)
        except BaseException as error:
            failures.append(error)
            raise

    # One statement that pulls the batches: an insert a batch would keep each of them alive until the commit.
    con.register("scored_batches", pa.RecordBatchReader.from_batches(_SCHEMA, finished()))
    try:
        con.execute(f"{create} select * from scored_batches")
    except duckdb.Error:
        if failures:
            raise failures[0] from None  # DuckDB only passes on the words
        raise
    finally:
        con.unregister("scored_batches")


def _first_pass(
    con: duckdb.DuckDBPyConnection, as_of: date, model: RetentionModel, params: Params, earlier: Earlier | None
) -> Scored:
    probabilities, values = [np.empty(0)], [np.empty(0)]
    has_value = np.zeros(len(model.features), dtype=bool)
    for batch in _read(con, as_of, model, None, only="rows_.is_eligible"):
        matrix = _matrix(batch, model.features)
        has_value |= (~np.isnan(matrix)).any(axis=0)
        numbers = numbers_of(model, matrix)
        probabilities.append(numbers["churn_probability"])
        values.append(numbers["value_at_risk"])
    ordered, at_risk = np.sort(np.concatenate(probabilities)), np.concatenate(values)
    feature_schema.refuse_features_without_values(model, has_value, len(ordered))
    return _night(as_of, model, params, ordered, explained_from(at_risk, params), earlier)


def _night(
    as_of: date, model: RetentionModel, params: Params, ordered: np.ndarray, from_value: float, earlier: Earlier | None
) -> Scored:
    older = earlier.model if earlier is not None else None
    explainer = Explainer(model)
    if older is not None:
        # The same model explains both dates; a recalibration moves no contribution.
        older = explainer if older.model_id == model.model_id else Explainer(older)
    return Scored(as_of, model, params, explainer, ordered, from_value, earlier, older)


def explained_from(value_at_risk: np.ndarray, params: Params) -> float:
    """Least value at risk of those who are explained: everybody up to `score_explain_all_up_to` customers; beyond it
    the top `score_explained_share`, all who tie with the last of them included, and never fewer than the plan's own
    trigger by value at risk proposes."""
    n = len(value_at_risk)
    share = max(params.score_explained_share, params.actions_value_at_risk_top_share)
    # Less a hair, because 0.07 x 100 is a little more than 7 in binary.
    kept = int(np.ceil(share * n - 1e-9))
    if n <= params.score_explain_all_up_to or kept >= n:
        return -np.inf
    return np.inf if kept == 0 else float(np.partition(value_at_risk, n - kept)[n - kept])


def _read(
    con: duckdb.DuckDBPyConnection,
    as_of: date,
    model: RetentionModel,
    earlier: Earlier | None,
    only: str = "true",
) -> Iterator[pa.RecordBatch]:
    """Rows in batches, in no particular order: keys, the model's features, those that only the earlier model needs, and
    the earlier scores. only: a condition on `rows_` in SQL."""
    older = earlier.model.features if earlier is not None and earlier.model is not None else ()
    features = [*model.features, *(f for f in older if f not in model.features)]
    names = ", ".join(f"rows_.{quoted(name)}" for name in (*_KEYS, *features))
    values: dict[str, object] = {"as_of": as_of}
    joined = ""
    if earlier is not None:
        names += ", earlier.* exclude (customer_id)"
        joined = f"left join ({earlier.select()}) as earlier on rows_.customer_id = earlier.customer_id"
        values["earlier"] = str(earlier.path)
    where = f"where rows_.as_of_date = $as_of and {only}"
    # A cursor of its own: the stream stays open while the caller writes on `con`.
    return iter(
        con.cursor()
        .sql(f"select {names} from {FEATURES_TABLE} as rows_ {joined} {where}", params=values)
        .to_arrow_reader(BATCH_ROWS)
    )


def numbers_of(model: RetentionModel, matrix: np.ndarray) -> dict[str, np.ndarray]:
    """The published numbers of eligible customers, column → (n,)."""
    if len(matrix) == 0:  # sklearn takes no empty matrix
        return {name: np.empty(0) for name in NUMBERS}
    churn, margin = model.churn_probability(matrix), model.margin_if_retained(matrix)
    predicted = ((1 - churn) * margin).round(MARGIN_DECIMALS)
    return {
        "churn_probability": churn,
        "baseline_probability": model.baseline_probability(matrix),
        "margin_if_retained": margin,
        "predicted_margin": predicted,
        "value_at_risk": (churn * predicted).round(MARGIN_DECIMALS),
    }


def percentiles(ordered: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """1 to 100: the share of `ordered` (all probabilities, rising) that is lower, ties counted half."""
    lower, not_higher = (np.searchsorted(ordered, probabilities, side=side) for side in ("left", "right"))
    return (lower + not_higher) * 100 // (2 * max(len(ordered), 1)) + 1


def bands(probabilities: np.ndarray, params: Params) -> np.ndarray:
    """Names of the published bands."""
    limits = (params.churn_band_medium_min, params.churn_band_high_min, params.churn_band_critical_min)
    names = np.array(["low", "medium", "high", "critical"], dtype=object)
    return names[np.searchsorted(np.array(limits), probabilities, side="right")]


def score_batch(batch: pa.RecordBatch, night: Scored) -> pa.RecordBatch:
    """Finished rows of one batch (columns as `_read` gives them)."""
    model, params, n = night.model, night.params, batch.num_rows
    matrix = _matrix(batch, model.features)
    eligible = batch.column("is_eligible").to_numpy(zero_copy_only=False).astype(bool)
    chosen = np.flatnonzero(eligible)
    inside = matrix[chosen]
    numbers = numbers_of(model, inside)
    is_explained = numbers["value_at_risk"] >= night.explained_from
    listed = np.flatnonzero(is_explained)
    contributions = night.explainer(inside[listed])
    explained = np.zeros(n, dtype=bool)
    explained[chosen[listed]] = True

    words = reasons.merge_reasons(
        [
            (chosen[listed], _reasons(night, inside[listed], contributions, numbers["churn_probability"][listed])),
            (np.flatnonzero(~eligible), _not_scored(batch, matrix, eligible, params)),
        ],
        n,
    )
    columns: dict[str, object] = {name: batch.column(name) for name in _KEYS}
    columns |= {name: _placed(values, chosen, n) for name, values in numbers.items()}
    band = np.full(n, "not_scored", dtype=object)
    band[chosen] = bands(numbers["churn_probability"], params)
    percentile = np.zeros(n, dtype=np.int32)
    percentile[chosen] = percentiles(night.ordered, numbers["churn_probability"])
    rule = reasons.rule_texts(model.rule, model.column(inside, model.rule.feature), ENGLISH)
    columns |= {
        "churn_band": pa.array(band, pa.string()),
        "churn_percentile": pa.array(percentile, pa.int32(), mask=~eligible),
        "baseline_rule": reasons.assemble([(chosen, rule)], n),
        "is_explained": pa.array(explained),
        "contribution_base": np.where(explained, round(night.explainer.base, reasons.CONTRIBUTION_DECIMALS), np.nan),
    }
    for j, group in enumerate(GROUPS):
        rounded = contributions[:, j].round(reasons.CONTRIBUTION_DECIMALS) + 0.0
        columns[f"contribution_{group}"] = _placed(rounded, chosen[listed], n)
    for i in _THREE:
        columns[f"reason_{i}"] = words.texts[ENGLISH][i - 1]
        columns[f"reason_{i}_zh"] = words.texts[CHINESE][i - 1]
        columns[f"reason_{i}_family"] = words.families[i - 1]
        columns[f"reason_{i}_contribution"] = words.contributions[i - 1]
    columns |= _changes(batch, night, inside, numbers, chosen, listed, contributions)
    same = {
        "as_of_date": night.as_of,
        "scored_by": model.scored_by,
        "scoring_model": model.candidate_model,
        "calibration_shift": model.shift,
        "model_version": model.model_id,
        "horizon_days": model.horizon_days,
        "previous_as_of_date": None if night.earlier is None else night.earlier.as_of_date,
    }
    return pa.RecordBatch.from_arrays(
        [
            pa.repeat(pa.scalar(same[field.name], field.type), n)
            if field.name in same
            else _as(columns[field.name], field.type)
            for field in _SCHEMA
        ],
        schema=_SCHEMA,
    )


def _reasons(night: Scored, rows: np.ndarray, contributions: np.ndarray, probabilities: np.ndarray) -> reasons.Reasons:
    model = night.model
    customers = Customers(model.features, rows, reasons.usual_of(model.features, model.typical))
    by_family = contributions[:, [GROUPS.index(family) for family in reasons.FAMILY_NAMES]]
    is_low = probabilities < night.params.churn_band_medium_min
    if model.scored_by == "rule":
        return reasons.explain_rule(customers, model.rule, by_family, is_low)
    return reasons.explain_scores(customers, by_family, is_low, lambda places: night.explainer.by_feature(rows[places]))


def _not_scored(batch: pa.RecordBatch, matrix: np.ndarray, eligible: np.ndarray, params: Params) -> reasons.Reasons:
    def of(feature: str) -> np.ndarray:
        place = batch.schema.get_field_index(feature)
        return matrix[~eligible, place - len(_KEYS)]

    why = batch.column("ineligible_reason").filter(pa.array(~eligible)).to_pylist()
    return reasons.explain_not_scored(why, of("days_since_last_order"), of("tenure_days"), params.churn_min_tenure_days)


def _changes(
    batch: pa.RecordBatch,
    night: Scored,
    inside: np.ndarray,
    numbers: dict[str, np.ndarray],
    chosen: np.ndarray,
    listed: np.ndarray,
    contributions: np.ndarray,
) -> dict[str, object]:
    n, model, earlier = batch.num_rows, night.model, night.earlier
    if earlier is None:
        texts = changes.describe_changes(None, {}, np.zeros(len(listed), dtype=bool), None)
        return {name: np.full(n, np.nan) for name in changes.NUMBERS} | _change_texts(texts, chosen[listed], n)
    then = {
        name: _numbers(batch.column(name))[chosen]
        for name in ("previous_probability", *(f"previous_{group}" for group in GROUPS))
    }
    was_listed = batch.column("was_listed").is_valid().to_numpy(zero_copy_only=False)[chosen]
    log_odds = None if model.scored_by == "rule" or len(inside) == 0 else model.log_odds(inside)
    old_now, old_contributions = None, None
    if earlier.model is not None:
        is_same = earlier.model.model_id == model.model_id
        if is_same and earlier.model.shift == model.shift:
            old_now = numbers["churn_probability"]
        else:
            old_rows = _matrix(batch, earlier.model.features)[chosen]
            old_now = numbers_of(earlier.model, old_rows)["churn_probability"]
        old_contributions = contributions if is_same else night.earlier_explainer(old_rows[listed])
    parts = changes.split_change(
        earlier, model, then["previous_probability"], numbers["churn_probability"], log_odds, old_now
    )
    shifts = None
    if old_contributions is not None:
        shifts = old_contributions - np.column_stack([then[f"previous_{group}"][listed] for group in GROUPS])
    texts = changes.describe_changes(
        earlier, {name: values[listed] for name, values in parts.items()}, was_listed[listed], shifts
    )
    return {name: _placed(values, chosen, n) for name, values in parts.items()} | _change_texts(
        texts, chosen[listed], n
    )


def _change_texts(texts: dict[str, pa.Array], places: np.ndarray, n: int) -> dict[str, object]:
    return {
        "change_reason": reasons.assemble([(places, texts[ENGLISH])], n),
        "change_reason_zh": reasons.assemble([(places, texts[CHINESE])], n),
    }


def _matrix(batch: pa.RecordBatch, features: tuple[str, ...]) -> np.ndarray:
    matrix = np.empty((batch.num_rows, len(features)))
    for j, feature in enumerate(features):
        matrix[:, j] = _numbers(batch.column(feature))
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix


def _numbers(column: pa.Array) -> np.ndarray:
    return column.to_numpy(zero_copy_only=False).astype(float)


def _placed(values: np.ndarray, places: np.ndarray, n: int) -> np.ndarray:
    found = np.full(n, np.nan)
    found[places] = values
    return found


def _as(values, kind: pa.DataType) -> pa.Array:
    """NaN becomes NULL."""
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind, from_pandas=True)
