"""Reasons and changes of the scores of a date, in words where somebody will look: table `explain.score_reasons`.

In: `score.churn_scores`, `actions.contact_plan`, `features.customer_features`, the model that scored, the scores
published before. Out: one row for each score. Scores stay what they are.

Rows flow through in Arrow batches, so that memory does not grow with the customers: first those whose scores are
explained, with all their features, then the others with the few numbers that their rows hold.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import duckdb
import numpy as np
import pyarrow as pa

from assets.explain import changes, reasons
from assets.explain.change_words import describe_changes
from assets.explain.changes import Scores
from assets.explain.earlier import Earlier
from assets.explain.explainer import GROUPS, Explainer
from assets.explain.facts import Customers
from assets.explain.listing import IS_LISTED, SCORES_TABLE, Listing, list_explained
from assets.explain.words import CHINESE, ENGLISH, assemble
from assets.model import feature_schema
from assets.model.feature_matrix import column_values, feature_matrix
from assets.model.retention_model import RetentionModel
from assets.shared.business_words import texts_of
from assets.shared.params import Params
from assets.shared.quoting import quoted
from assets.shared.tables import declared_table
from assets.shared.warehouse import count_rows, replace_table_from_batches

TABLE = "explain.score_reasons"
BATCH_ROWS = 20_000

#: Of a score that is not explained; features that say why somebody is not scored.
_NOT_SCORED_FEATURES = ("days_since_last_order", "tenure_days")


@dataclass(frozen=True)
class Night:
    """What all rows of a date have in common. model: as it scored, its shift included."""

    as_of: date
    model: RetentionModel
    params: Params
    listing: Listing
    earlier: Earlier | None = None

    @cached_property
    def explainer(self) -> Explainer:
        return Explainer(self.model)

    @cached_property
    def earlier_explainer(self) -> Explainer | None:
        """The same model explains both dates; a recalibration moves no contribution."""
        if self.earlier is None or self.earlier.model is None:
            return None
        return self.explainer if self.earlier.change is None else Explainer(self.earlier.model)

    @property
    def replaced(self) -> RetentionModel | None:
        """The earlier model where another has replaced it: only then its features are needed."""
        return self.earlier.model if self.earlier is not None and self.earlier.change is not None else None


@dataclass(frozen=True)
class ScoredBy:
    """Which model made the scores of a date, and by what its log-odds were shifted then."""

    model_version: str
    shift: float

    def as_it_scored(self, model: RetentionModel) -> RetentionModel:
        return replace(model, shift=self.shift)


def scored_by(con: duckdb.DuckDBPyConnection) -> ScoredBy | None:
    """Who made the scores in `score.churn_scores`; None where there is no customer."""
    found = con.execute(f"select model_version, calibration_shift from {SCORES_TABLE} limit 1").fetchone()
    return None if found is None else ScoredBy(*found)


def write_reasons(
    con: duckdb.DuckDBPyConnection,
    as_of: date,
    model: RetentionModel | None,
    params: Params,
    earlier: Earlier | None = None,
) -> int:
    """Replace `explain.score_reasons` with one row for each row of `score.churn_scores` as of `as_of`; returns the
    number of rows. The table is replaced as a whole or not at all.

    model: the one that scored, with its shift (None where there is no customer).
    """
    batches: Iterator[pa.RecordBatch] = iter(())
    if model is not None:
        if earlier is not None:
            earlier = earlier.readable_with(feature_schema.column_types(con))
        batches = _batches(con, Night(as_of, model, params, list_explained(con, as_of, params), earlier))
    replace_table_from_batches(con, TABLE, declared_table(TABLE).arrow_schema, batches)
    return count_rows(con, TABLE)


def _batches(con: duckdb.DuckDBPyConnection, night: Night) -> Iterator[pa.RecordBatch]:
    old_features = night.replaced.features if night.replaced is not None else ()
    for batch in _read(con, night, IS_LISTED, (*night.model.features, *old_features)):
        yield listed_rows(batch, night)
    few = (night.model.rule.feature, *_NOT_SCORED_FEATURES, *old_features)
    for batch in _read(con, night, f"not ({IS_LISTED})", few):
        yield other_rows(batch, night)


def _read(
    con: duckdb.DuckDBPyConnection, night: Night, condition: str, features: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    """Scores for which the condition holds, with these features and, where scores were published before, theirs."""
    names = ", ".join(f"features.{quoted(name)}" for name in dict.fromkeys(features))
    parameters, joined = night.listing.parameters, ""
    if night.earlier is not None:
        names += ", earlier.* exclude (customer_id)"
        joined = f"left join ({night.earlier.select()}) as earlier on scores.customer_id = earlier.customer_id"
        parameters["earlier"] = str(night.earlier.path)
    # A cursor of its own: the stream stays open while the caller writes on `con`.
    return iter(
        con.cursor()
        .sql(
            f"""
            select
                scores.customer_id, scores.is_eligible, scores.ineligible_reason, scores.churn_probability,
                scores.model_log_odds, {names}
            from {SCORES_TABLE} as scores
            inner join {feature_schema.TABLE} as features
                on scores.customer_id = features.customer_id and features.as_of_date = $as_of
            {joined}
            where {condition}
            """,
            params=parameters,
        )
        .to_arrow_reader(BATCH_ROWS)
    )


def listed_rows(batch: pa.RecordBatch, night: Night) -> pa.RecordBatch:
    """Rows of customers whose scores are explained (columns as `_read` gives them)."""
    model, n = night.model, batch.num_rows
    matrix = feature_matrix(batch, model.features)
    probability = column_values(batch, "churn_probability")
    contributions = night.explainer(matrix)
    found = _reasons(night, matrix, contributions, probability)
    parts = _changes(batch, night)
    return _table_rows(
        batch,
        night,
        {
            "is_explained": pa.repeat(True, n),
            "baseline_rule": _rule_texts(batch, model),
            **_reason_columns(found),
            "contribution_base": np.full(n, round(night.explainer.base, reasons.CONTRIBUTION_DECIMALS)),
            **{
                f"contribution_{group}": contributions[:, j].round(reasons.CONTRIBUTION_DECIMALS) + 0.0
                for j, group in enumerate(GROUPS)
            },
            **parts,
            **_change_texts(batch, night, parts, contributions),
        },
    )


def other_rows(batch: pa.RecordBatch, night: Night) -> pa.RecordBatch:
    """Rows of the other customers: why they are not scored, or by how much their scores have changed."""
    n = batch.num_rows
    eligible = batch.column("is_eligible").to_numpy(zero_copy_only=False).astype(bool)
    scored, not_scored = np.flatnonzero(eligible), np.flatnonzero(~eligible)
    inside, outside = batch.take(pa.array(scored)), batch.take(pa.array(not_scored))
    silent, tenure = feature_matrix(outside, _NOT_SCORED_FEATURES).T
    why = reasons.explain_not_scored(
        outside.column("ineligible_reason").to_pylist(), silent, tenure, night.params.churn_min_tenure_days
    )
    return _table_rows(
        batch,
        night,
        {
            "is_explained": pa.repeat(False, n),
            "baseline_rule": assemble([(scored, _rule_texts(inside, night.model))], n),
            **_reason_columns(reasons.merge_reasons([(not_scored, why)], n)),
            **{name: _placed(values, scored, n) for name, values in _changes(inside, night).items()},
        },
    )


def _rule_texts(batch: pa.RecordBatch, model: RetentionModel) -> pa.Array:
    """What the simple rule says of each customer."""
    (days,) = feature_matrix(batch, (model.rule.feature,)).T
    return reasons.rule_texts(model.rule, days, ENGLISH)


def _reasons(night: Night, rows: np.ndarray, contributions: np.ndarray, probability: np.ndarray) -> reasons.Reasons:
    model = night.model
    customers = Customers(model.features, rows, reasons.usual_of(model.features, model.typical))
    by_family = contributions[:, [GROUPS.index(family) for family in reasons.FAMILY_NAMES]]
    is_low = probability < night.params.churn_band_medium_min
    if model.scored_by == "rule":
        return reasons.explain_rule(customers, model.rule, by_family, is_low)
    return reasons.explain_scores(customers, by_family, is_low, lambda places: night.explainer.by_feature(rows[places]))


def _reason_columns(found: reasons.Reasons) -> dict[str, object]:
    columns: dict[str, object] = {}
    for i in range(reasons.N_REASONS):
        columns[f"reason_{i + 1}"] = found.texts[ENGLISH][i]
        columns[f"reason_{i + 1}_zh"] = found.texts[CHINESE][i]
        columns[f"reason_{i + 1}_family"] = found.families[i]
        columns[f"reason_{i + 1}_contribution"] = found.contributions[i]
    return columns


def _changes(batch: pa.RecordBatch, night: Night) -> dict[str, np.ndarray]:
    """Parts of the changes of scored customers, all rows of the batch."""
    if night.earlier is None:
        return changes.no_changes(batch.num_rows)
    scores = Scores(*(column_values(batch, n) for n in ("previous_probability", "churn_probability", "model_log_odds")))
    old_now = changes.old_model_now(night.earlier, night.model, scores, lambda: _old_matrix(batch, night))
    return changes.split_change(night.earlier, night.model, scores, old_now)


def _change_texts(
    batch: pa.RecordBatch, night: Night, parts: dict[str, np.ndarray], contributions: np.ndarray
) -> dict[str, object]:
    if night.earlier is None:
        texts = describe_changes(None, {}, np.zeros(batch.num_rows, dtype=bool), None)
    else:
        shifts = None
        if night.earlier_explainer is not None:
            is_same = night.earlier.change is None
            old = contributions if is_same else night.earlier_explainer(_old_matrix(batch, night))
            shifts = old - np.column_stack([column_values(batch, f"previous_{group}") for group in GROUPS])
        was_listed = batch.column("was_listed").is_valid().to_numpy(zero_copy_only=False)
        texts = describe_changes(night.earlier, parts, was_listed, shifts)
    return {"change_reason": texts[ENGLISH], "change_reason_zh": texts[CHINESE]}


def _old_matrix(batch: pa.RecordBatch, night: Night) -> np.ndarray:
    return feature_matrix(batch, night.replaced.features if night.replaced is not None else ())


def _table_rows(batch: pa.RecordBatch, night: Night, columns: dict[str, object]) -> pa.RecordBatch:
    """In the order and types of the table, in the words of the business; null where nothing is given."""
    schema, n = declared_table(TABLE).arrow_schema, batch.num_rows
    columns = {
        **columns,
        **{
            name: texts_of(night.params.business, CHINESE if name.endswith("_zh") else ENGLISH, texts)
            for name, texts in columns.items()
            if isinstance(texts, pa.Array) and re.fullmatch(r"(reason_\d|change_reason)(_zh)?|baseline_rule", name)
        },
        "as_of_date": pa.repeat(pa.scalar(night.as_of, pa.date32()), n),
        "customer_id": batch.column("customer_id"),
        "previous_as_of_date": pa.repeat(
            pa.scalar(None if night.earlier is None else night.earlier.as_of_date, pa.date32()), n
        ),
    }
    arrays = [
        _as(columns[field.name], field.type) if field.name in columns else pa.nulls(n, field.type) for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _placed(values: np.ndarray, places: np.ndarray, n: int) -> np.ndarray:
    found = np.full(n, np.nan)
    found[places] = values
    return found


def _as(values: object, kind: pa.DataType) -> pa.Array:
    """NaN becomes NULL."""
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind, from_pandas=True)
