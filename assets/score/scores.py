"""Score every customer as of a day: probability, band, expected margin, value at risk, reasons.

In: `features.customer_features`, a model ready to score, parameters. Out: `score.churn_scores`. Rows flow through in
batches, so memory does not grow with the number of customers; what needs all rows at once (percentiles) is SQL.
"""

from collections.abc import Iterator
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from assets.score import reasons
from assets.shared.params import Params
from assets.shared.retention_model import MARGIN_DECIMALS, RetentionModel
from assets.shared.warehouse import count_rows, quoted

TABLE = "score.churn_scores"
BATCH_ROWS = 20_000

_SCHEMA = pa.schema([
    ("customer_id", pa.string()), ("is_eligible", pa.bool_()), ("ineligible_reason", pa.string()),
    ("is_active", pa.bool_()), ("churn_probability", pa.float64()), ("baseline_probability", pa.float64()),
    ("baseline_rule", pa.string()), ("margin_if_retained", pa.float64()), ("predicted_margin", pa.float64()),
    ("value_at_risk", pa.float64()),
    *((f"reason_{i}", pa.string()) for i in (1, 2, 3)),
    *((f"reason_{i}_family", pa.string()) for i in (1, 2, 3)),
])


def write_scores(con: duckdb.DuckDBPyConnection, as_of: date, model: RetentionModel, params: Params) -> int:
    """Replace `score.churn_scores` with the scores as of `as_of`; returns the number of rows.

    One row for each row of `features.customer_features`; customers who are not eligible have NULL numbers and the
    reason why. churn_percentile: 1 to 100, the share of scored customers at lower risk, ties counted half; equal
    probabilities have equal percentiles.
    """
    con.execute(f"create or replace temp table scored_rows as select * from ({_empty_select()}) limit 0")
    for batch in score_batches(con, as_of, model, params):
        con.register("scored_batch", batch)
        try:
            con.execute("insert into scored_rows by name select * from scored_batch")
        finally:
            con.unregister("scored_batch")
    con.execute("create schema if not exists score")
    con.execute(
        f"""
        create or replace table {quoted(TABLE)} as
        with
        ranked as (
            select
                *,
                rank() over by_risk - 1 as n_lower,
                count(*) over (partition by churn_probability) as n_equal,
                count(*) over () as n_scored
            from scored_rows
            where churn_probability is not null
            window by_risk as (order by churn_probability)
        ),
        final as (
            select
                $as_of::date as as_of_date,
                rows_.customer_id,
                rows_.is_eligible,
                rows_.ineligible_reason,
                rows_.is_active,
                rows_.churn_probability,
                (((2 * n_lower + n_equal) * 100) // (2 * n_scored) + 1)::integer as churn_percentile,
                case
                    when rows_.churn_probability is null then 'not_scored'
                    when rows_.churn_probability >= $critical then 'critical'
                    when rows_.churn_probability >= $high then 'high'
                    when rows_.churn_probability >= $medium then 'medium'
                    else 'low'
                end as churn_band,
                rows_.baseline_probability,
                rows_.baseline_rule,
                $scored_by::varchar as scored_by,
                rows_.margin_if_retained,
                rows_.predicted_margin,
                rows_.value_at_risk,
                rows_.reason_1,
                rows_.reason_2,
                rows_.reason_3,
                rows_.reason_1_family,
                rows_.reason_2_family,
                rows_.reason_3_family,
                $model_version::varchar as model_version,
                $horizon::integer as horizon_days
            from scored_rows as rows_
            left join ranked on rows_.customer_id = ranked.customer_id
        )
        select * from final
        """,
        {
            "as_of": as_of, "critical": params.churn_band_critical_min, "high": params.churn_band_high_min,
            "medium": params.churn_band_medium_min, "scored_by": model.scored_by, "model_version": model.model_id,
            "horizon": model.horizon_days,
        },
    )
    con.execute("drop table scored_rows")
    return count_rows(con, TABLE)


def score_batches(
    con: duckdb.DuckDBPyConnection, as_of: date, model: RetentionModel, params: Params
) -> Iterator[pa.RecordBatch]:
    """Scored rows in batches, in no particular order."""
    names = ", ".join(f"cast({quoted(f)} as double)" for f in model.features)
    # A cursor of its own: the stream stays open while the caller writes on `con`.
    reader = con.cursor().sql(
        f"""select customer_id, is_eligible, ineligible_reason, is_active, {names}
        from features.customer_features where as_of_date = $as_of""",
        params={"as_of": as_of},
    ).to_arrow_reader(BATCH_ROWS)
    for batch in reader:
        yield score_batch(batch, model, params)


def score_batch(batch: pa.RecordBatch, model: RetentionModel, params: Params) -> pa.RecordBatch:
    """Score one batch: customer_id, is_eligible, ineligible_reason, is_active, then the model's features in order."""
    n = batch.num_rows
    matrix = np.empty((n, len(model.features)))
    for j in range(len(model.features)):
        matrix[:, j] = batch.column(4 + j).to_numpy(zero_copy_only=False)
    matrix[~np.isfinite(matrix)] = np.nan
    eligible = np.array(batch.column(1).to_pylist(), dtype=bool)
    chosen = np.flatnonzero(eligible)
    numbers = {
        name: np.full(n, np.nan)
        for name in ("churn_probability", "baseline_probability", "margin_if_retained", "predicted_margin",
                     "value_at_risk")
    }
    baseline_rule: list[str | None] = [None] * n
    explained: list[tuple[reasons.Reason, ...]] = [()] * n
    if len(chosen):
        inside = matrix[chosen]
        churn, margin = model.churn_probability(inside), model.margin_if_retained(inside)
        is_low = churn < params.churn_band_medium_min
        if model.scored_by == "model":
            log_odds = model.log_odds(inside)
            found = reasons.explain_by_model(model, inside, log_odds, is_low)
        else:
            found = reasons.explain_by_rule(model, inside, is_low)
        numbers["churn_probability"][chosen] = churn
        numbers["baseline_probability"][chosen] = model.baseline_probability(inside)
        numbers["margin_if_retained"][chosen] = margin
        numbers["predicted_margin"][chosen] = ((1 - churn) * margin).round(MARGIN_DECIMALS)
        numbers["value_at_risk"][chosen] = (churn * numbers["predicted_margin"][chosen]).round(MARGIN_DECIMALS)
        rule = model.rule
        for place, silent, why in zip(chosen, model.column(inside, "days_since_last_order"), found, strict=True):
            baseline_rule[place] = rule.words(float(silent))
            explained[place] = why
    ineligible_reason = batch.column(2).to_pylist()
    silence, tenure = model.column(matrix, "days_since_last_order"), model.column(matrix, "tenure_days")
    for place in np.flatnonzero(~eligible):
        explained[place] = reasons.explain_not_scored(
            ineligible_reason[place],
            None if np.isnan(silence[place]) else float(silence[place]),
            None if np.isnan(tenure[place]) else float(tenure[place]),
            params.churn_min_tenure_days,
        )
    columns = {
        "customer_id": batch.column(0), "is_eligible": batch.column(1), "ineligible_reason": batch.column(2),
        "is_active": batch.column(3), "baseline_rule": baseline_rule,
        **{name: pa.array(values, pa.float64(), from_pandas=True) for name, values in numbers.items()},
        **{f"reason_{i + 1}": [why[i].text for why in explained] for i in range(reasons.N_REASONS)},
        **{f"reason_{i + 1}_family": [why[i].family for why in explained] for i in range(reasons.N_REASONS)},
    }
    return pa.RecordBatch.from_arrays(
        [_as(columns[name], kind) for name, kind in zip(_SCHEMA.names, _SCHEMA.types, strict=True)], schema=_SCHEMA
    )


def _as(values, kind: pa.DataType) -> pa.Array:
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)


def _empty_select() -> str:
    kinds = {pa.string(): "varchar", pa.bool_(): "boolean", pa.float64(): "double"}
    return "select " + ", ".join(f"null::{kinds[field.type]} as {quoted(field.name)}" for field in _SCHEMA)
