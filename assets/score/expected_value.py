"""Expected margins of every scored customer, and the day of the next purchase of everybody who ever purchased.

In: `features.customer_features`, `score.churn_scores`, the value model of the active model. Out:
`score.expected_value`, one row a customer. Batches flow through, so memory does not grow with the number of customers.
The date moves with the silence every night, although the model is the same for a month.
"""

from collections.abc import Iterator
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from assets.shared.churn_features import FEATURES
from assets.shared.quoting import quoted
from assets.shared.retention_model import MARGIN_DECIMALS
from assets.shared.value_model import ValueModel, next_purchase
from assets.shared.warehouse import count_rows

TABLE = "score.expected_value"
BATCH_ROWS = 20_000

_MONEY = (
    "expected_margin_horizon",
    "expected_margin_horizon_low",
    "expected_margin_horizon_high",
    "expected_margin_year",
    "expected_margin_year_low",
    "expected_margin_year_high",
    "value_at_risk_year",
)
_SCHEMA = pa.schema(
    [
        ("as_of_date", pa.date32()),
        ("customer_id", pa.string()),
        *((name, pa.float64()) for name in _MONEY),
        ("value_basis", pa.string()),
        ("value_label_days", pa.int32()),
        ("expected_gap_days", pa.float64()),
        ("overdue_ratio", pa.float64()),
        ("expected_next_order_days", pa.float64()),
        ("expected_next_order_on", pa.date32()),
    ]
)


def write_expected_value(con: duckdb.DuckDBPyConnection, as_of: date, model: ValueModel) -> int:
    """Replace `score.expected_value` as of `as_of`; returns the number of rows.

    One row for each row of `score.churn_scores`. Money is NULL where the customer is not scored, the next purchase
    where there never was one.
    """
    con.execute("create schema if not exists score")
    reader = pa.RecordBatchReader.from_batches(_SCHEMA, _batches(con, as_of, model))
    con.register("expected_value_rows", reader)
    try:
        con.execute(f"create or replace table {quoted(TABLE)} as select * from expected_value_rows")
    finally:
        con.unregister("expected_value_rows")
    return count_rows(con, TABLE)


def _batches(con: duckdb.DuckDBPyConnection, as_of: date, model: ValueModel) -> Iterator[pa.RecordBatch]:
    names = ", ".join(f"cast(features.{quoted(f)} as double)" for f in FEATURES)
    # A cursor of its own: the stream stays open while the caller writes on `con`.
    reader = (
        con.cursor()
        .sql(
            f"""select scores.customer_id, scores.churn_probability, scores.margin_if_retained, {names}
        from score.churn_scores as scores
        inner join features.customer_features as features
            on scores.customer_id = features.customer_id and features.as_of_date = $as_of
        where scores.as_of_date = $as_of""",
            params={"as_of": as_of},
        )
        .to_arrow_reader(BATCH_ROWS)
    )
    for batch in reader:
        yield value_batch(batch, as_of, model)


def value_batch(batch: pa.RecordBatch, as_of: date, model: ValueModel) -> pa.RecordBatch:
    """One batch: customer_id, churn_probability, margin_if_retained, then the features in order."""
    n = batch.num_rows
    matrix = np.empty((n, len(FEATURES)))
    for j in range(len(FEATURES)):
        matrix[:, j] = batch.column(3 + j).to_numpy(zero_copy_only=False)
    matrix[~np.isfinite(matrix)] = np.nan
    churn, retained = (batch.column(i).to_numpy(zero_copy_only=False).astype(float) for i in (1, 2))
    scored = np.isfinite(churn)
    money = {name: np.full(n, np.nan) for name in _MONEY}
    if scored.any():
        value = model.expect(matrix[scored], churn[scored], retained[scored])
        for name, found in zip(
            _MONEY,
            (
                value.horizon,
                value.horizon_low,
                value.horizon_high,
                value.year,
                value.year_low,
                value.year_high,
                (churn[scored] * value.year).round(MARGIN_DECIMALS),
            ),
            strict=True,
        ):
            money[name][scored] = found
    wait, overdue, usual = next_purchase(model.rhythm, matrix)
    known = np.isfinite(wait)
    # The day of the purchase is a day from today on: the wait counted in whole days, half up.
    days = np.where(known, np.floor(np.where(known, wait, 0.0) + 0.5), 0).astype("timedelta64[D]")
    day = np.where(known, np.datetime64(as_of, "D") + days, np.datetime64("NaT", "D"))
    columns = {
        "as_of_date": pa.array([as_of] * n, pa.date32()),
        "customer_id": batch.column(0),
        **{name: pa.array(values, pa.float64(), from_pandas=True) for name, values in money.items()},
        "value_basis": pa.array([model.basis if is_scored else None for is_scored in scored], pa.string()),
        "value_label_days": pa.array(
            [int(model.card["label_days"]) if is_scored else None for is_scored in scored], pa.int32()
        ),
        "expected_gap_days": _rounded(usual),
        "overdue_ratio": _rounded(overdue),
        "expected_next_order_days": _rounded(wait),
        "expected_next_order_on": pa.array(day.astype("datetime64[D]"), pa.date32()),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in _SCHEMA.names], schema=_SCHEMA)


def _rounded(values: np.ndarray) -> pa.Array:
    return pa.array(np.round(values, 6), pa.float64(), from_pandas=True)
