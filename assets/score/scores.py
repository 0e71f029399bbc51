"""Score every customer as of a day: probability, band, margins, value at risk. Numbers only.

In: `features.customer_features`, a churn model and a value model ready to score, parameters. Out:
`score.churn_scores` and `score.expected_value`. Reasons and changes belong to stage explain.

Rows flow through once in Arrow batches, both models on each. What a customer gets does not depend on the batch, but for
the percentile, which needs everybody's probability: these 8 bytes a customer are kept, and steps of equal percentile
are joined to the rows afterwards, in the engine. So memory does not grow with the customers beyond that.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from assets.model import feature_schema
from assets.model.churn_features import FEATURES
from assets.model.feature_matrix import column_values, feature_matrix
from assets.model.retention_model import MARGIN_DECIMALS, RetentionModel
from assets.model.value_model import ValueModel
from assets.score.expected_value import VALUE_SCHEMA, value_columns
from assets.shared.params import Params
from assets.shared.quoting import quoted
from assets.shared.tables import declared_table
from assets.shared.warehouse import count_rows, replace_table_from_batches

TABLE, VALUE_TABLE = "score.churn_scores", "score.expected_value"
BATCH_ROWS = 20_000

#: The rows of one pass, before what all of them have in common is added: a table of the connection.
_SCORED_ROWS = "scored_rows"
_KEYS = (
    ("customer_id", pa.string()),
    ("is_eligible", pa.bool_()),
    ("ineligible_reason", pa.string()),
    ("is_active", pa.bool_()),
)
#: What a bank earns a day on a customer's balances and by fees, beside the margin of what is paid; NULL elsewhere.
INCOME = "income_a_day"
#: Guesses from behaviour that everybody who ever bought has, but who refuses to be profiled.
_GUESSES, _REFUSED = ("expected_gap_days", "overdue_ratio"), "refuses_profiling"
#: What `numbers_of` gives.
NUMBERS = (
    "model_log_odds",
    "churn_probability",
    "baseline_probability",
    "margin_if_retained",
    "predicted_margin",
    "value_at_risk",
    "persuadable_margin",
)
_SCHEMA = pa.schema([*_KEYS, *((name, pa.float64()) for name in NUMBERS), *VALUE_SCHEMA])


@dataclass
class Seen:
    """What one pass over the customers has shown so far. probabilities: of those who are scored, by batch. has_value:
    for each of the model's features whether any of them has a value."""

    has_value: np.ndarray
    probabilities: list[np.ndarray] = field(default_factory=list)

    def ordered(self) -> np.ndarray:
        """Probabilities of all scored customers, rising."""
        return np.sort(np.concatenate([np.empty(0), *self.probabilities]))


def write_scores(
    con: duckdb.DuckDBPyConnection, as_of: date, model: RetentionModel, value: ValueModel, params: Params
) -> int:
    """Replace `score.churn_scores` and `score.expected_value` with the numbers as of `as_of`; returns their rows.

    One row for each row of `features.customer_features`; customers who are not eligible have NULL numbers and the
    reason why. churn_percentile: 1 to 100, the share of scored customers at lower risk, ties counted half; equal
    probabilities have equal percentiles. A table is replaced as a whole or not at all.

    Raises UserError when a feature of the model is missing, has another type than the model was trained on, or has no
    value for anybody.
    """
    feature_schema.refuse_other_features(con, model, as_of)
    seen = Seen(np.zeros(len(model.features), dtype=bool))
    try:
        replace_table_from_batches(con, _SCORED_ROWS, _SCHEMA, _scored(con, as_of, model, value, seen))
        ordered = seen.ordered()
        feature_schema.refuse_features_without_values(model, seen.has_value, len(ordered), as_of)
        con.execute("create schema if not exists score")
        _write_churn_scores(con, as_of, model, params, ordered)
        _write_expected_value(con, as_of, value)
    finally:
        con.execute(f"drop table if exists {_SCORED_ROWS}")
    return count_rows(con, TABLE)


def _scored(
    con: duckdb.DuckDBPyConnection, as_of: date, model: RetentionModel, value: ValueModel, seen: Seen
) -> Iterator[pa.RecordBatch]:
    """Rows in batches, in no particular order."""
    columns = [*(n for n, _ in _KEYS), *model.features, *FEATURES, INCOME]
    names = ", ".join(quoted(name) for name in dict.fromkeys(columns))
    # A cursor of its own: the stream stays open while the caller writes on `con`.
    reader = (
        con.cursor()
        .sql(f"select {names} from {feature_schema.TABLE} where as_of_date = $as_of", params={"as_of": as_of})
        .to_arrow_reader(BATCH_ROWS)
    )
    for batch in reader:
        yield score_batch(batch, as_of, model, value, seen)


def score_batch(
    batch: pa.RecordBatch, as_of: date, model: RetentionModel, value: ValueModel, seen: Seen
) -> pa.RecordBatch:
    """The numbers of one batch of customers; what it shows of them is added to `seen`."""
    chosen = np.flatnonzero(batch.column("is_eligible").to_numpy(zero_copy_only=False).astype(bool))
    inside = feature_matrix(batch, model.features)[chosen]
    seen.has_value |= (~np.isnan(inside)).any(axis=0)
    income = column_values(batch, INCOME)
    found_numbers = numbers_of(model, inside, np.nan_to_num(income[chosen]))
    numbers = {name: _placed(found, chosen, batch.num_rows) for name, found in found_numbers.items()}
    seen.probabilities.append(numbers["churn_probability"][chosen])
    columns = {
        **{name: batch.column(name) for name, _ in _KEYS},
        **numbers,
        **value_columns(
            feature_matrix(batch, FEATURES),
            numbers["churn_probability"],
            numbers["margin_if_retained"] - np.nan_to_num(income) * model.horizon_days,
            as_of,
            value,
            income,
        ),
    }
    refused = np.array(batch.column("ineligible_reason").to_pylist(), dtype=object) == _REFUSED
    for name in _GUESSES:
        columns[name] = np.where(refused, np.nan, columns[name])
    arrays = [_as(columns[column.name], column.type) for column in _SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)


def numbers_of(
    model: RetentionModel, matrix: np.ndarray, income_a_day: np.ndarray | float = 0.0
) -> dict[str, np.ndarray]:
    """The published numbers of eligible customers, column → (n,). income_a_day: what a customer who stays brings each
    day beside the margin of what is bought."""
    if len(matrix) == 0:  # sklearn takes no empty matrix
        return {name: np.empty(0) for name in NUMBERS}
    baseline, margin = model.baseline_probability(matrix), model.margin_if_retained(matrix)
    margin = (margin + income_a_day * model.horizon_days).round(MARGIN_DECIMALS)
    log_odds, churn = np.full(len(matrix), np.nan), baseline
    if model.scored_by != "rule":
        log_odds = model.unshifted_log_odds(matrix)
        churn = model.probability_at(log_odds)
    predicted = ((1 - churn) * margin).round(MARGIN_DECIMALS)
    return {
        "model_log_odds": log_odds,
        "churn_probability": churn,
        "baseline_probability": baseline,
        "margin_if_retained": margin,
        "predicted_margin": predicted,
        "value_at_risk": (churn * margin).round(MARGIN_DECIMALS),
        "persuadable_margin": (churn * predicted).round(MARGIN_DECIMALS),
    }


def percentiles(ordered: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """1 to 100: the share of `ordered` (all probabilities, rising) that is lower, ties counted half."""
    lower = np.searchsorted(ordered, probabilities, side="left")
    not_higher = np.searchsorted(ordered, probabilities, side="right")
    return (lower + not_higher) * 100 // (2 * max(len(ordered), 1)) + 1


def percentile_steps(ordered: np.ndarray) -> pa.Table:
    """The same as a table of at most a hundred steps: the least probability of each percentile that anybody has."""
    found = percentiles(ordered, ordered)
    starts = np.flatnonzero(np.diff(found, prepend=0))
    return pa.table(
        {
            "from_probability": pa.array(ordered[starts], pa.float64()),
            "churn_percentile": pa.array(found[starts], pa.int32()),
        }
    )


def _write_churn_scores(
    con: duckdb.DuckDBPyConnection, as_of: date, model: RetentionModel, params: Params, ordered: np.ndarray
) -> None:
    con.register("percentile_steps", percentile_steps(ordered))
    try:
        con.execute(
            f"""
            create or replace table {TABLE} as
            select {_as_declared(TABLE)}
            from (
                select
                    customers.*,
                    steps.churn_percentile,
                    case
                        when not customers.is_eligible then 'not_scored'
                        when customers.churn_probability < $medium then 'low'
                        when customers.churn_probability < $high then 'medium'
                        when customers.churn_probability < $critical then 'high'
                        else 'critical'
                    end as churn_band,
                    $as_of as as_of_date,
                    $scored_by as scored_by,
                    $scoring_model as scoring_model,
                    $shift as calibration_shift,
                    $model_version as model_version,
                    $horizon_days as horizon_days
                from {_SCORED_ROWS} as customers
                asof left join percentile_steps as steps on customers.churn_probability >= steps.from_probability
            )
            """,
            {
                "medium": params.churn_band_medium_min,
                "high": params.churn_band_high_min,
                "critical": params.churn_band_critical_min,
                "as_of": as_of,
                "scored_by": model.scored_by,
                "scoring_model": model.candidate_model,
                "shift": model.shift,
                "model_version": model.model_id,
                "horizon_days": model.horizon_days,
            },
        )
    finally:
        con.unregister("percentile_steps")


def _write_expected_value(con: duckdb.DuckDBPyConnection, as_of: date, value: ValueModel) -> None:
    con.execute(
        f"""
        create or replace table {VALUE_TABLE} as
        select {_as_declared(VALUE_TABLE)}
        from (
            select
                *,
                $as_of as as_of_date,
                case when churn_probability is not null then $basis end as value_basis,
                case when churn_probability is not null then $label_days end as value_label_days
            from {_SCORED_ROWS}
        )
        """,
        {"as_of": as_of, "basis": value.basis, "label_days": int(value.card["label_days"])},
    )


def _as_declared(table: str) -> str:
    """The declared columns in their order, each cast to its type."""
    types = declared_table(table).duckdb_types
    return ", ".join(f"cast({quoted(name)} as {kind}) as {quoted(name)}" for name, kind in types.items())


def _placed(values: np.ndarray, places: np.ndarray, n: int) -> np.ndarray:
    found = np.full(n, np.nan)
    found[places] = values
    return found


def _as(values: object, kind: pa.DataType) -> pa.Array:
    """NaN becomes NULL."""
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind, from_pandas=True)
