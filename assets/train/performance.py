"""The performance tables of stage train, from a model's card.

In: a card and the checks beside it. Out: `train.model_performance`, `train.reliability`, `train.model_selection` and
`train.model_monitor` in the warehouse, replaced as a whole. They are written on every run, also when the model came
from the store, which is their only source.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import duckdb

from assets.shared.warehouse import replace_table


def write_performance(
    con: duckdb.DuckDBPyConnection,
    card: dict[str, Any],
    checks: Sequence[dict[str, Any]] = (),
    as_of: date | None = None,
) -> dict[str, int]:
    """Replace the tables; returns rows by table. A model that could not be judged leaves them empty, never absent."""
    return {
        "train.model_performance": replace_table(con, "train.model_performance", performance_table(card)),
        "train.reliability": replace_table(con, "train.reliability", reliability_table(card)),
        "train.model_selection": replace_table(con, "train.model_selection", contest_table(card)),
        "train.model_monitor": replace_table(con, "train.model_monitor", monitor_table(card, checks, as_of)),
    }


def performance_table(card: dict[str, Any]):
    """Arrow table: one row a candidate model, population, test cutoff (null = mean over them) and metric."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("model_version", pa.string()),
            ("trained_as_of", pa.date32()),
            ("candidate_model", pa.string()),
            ("population", pa.string()),
            ("cutoff_date", pa.date32()),
            ("metric", pa.string()),
            ("value", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("n_rows", pa.int64()),
            ("n_churned", pa.int64()),
            ("is_scoring", pa.bool_()),
        ]
    )
    rows = [
        {
            **row,
            "model_version": card["model_id"],
            "trained_as_of": date.fromisoformat(card["trained_as_of"]),
            "cutoff_date": date.fromisoformat(row["cutoff_date"]) if row["cutoff_date"] else None,
            "is_scoring": row["candidate_model"] == card["decision"]["scored_by"],
        }
        for row in card["metrics"]
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def reliability_table(card: dict[str, Any]):
    """Arrow table: one row a candidate model, slice and bin of predicted probability, active customers of all test
    cutoffs; a slice other than the whole is one bin."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("model_version", pa.string()),
            ("trained_as_of", pa.date32()),
            ("candidate_model", pa.string()),
            ("slice_kind", pa.string()),
            ("slice_value", pa.string()),
            ("bin", pa.int32()),
            ("n", pa.int64()),
            ("mean_predicted", pa.float64()),
            ("observed_share", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
        ]
    )
    rows = [
        {
            "slice_kind": "all",
            "slice_value": "all",
            **row,
            "model_version": card["model_id"],
            "trained_as_of": date.fromisoformat(card["trained_as_of"]),
            "candidate_model": candidate_model,
        }
        for source in (card["reliability"], card.get("reliability_by_slice", {}))
        for candidate_model, bins in source.items()
        for row in bins
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def monitor_table(card: dict[str, Any], checks: Sequence[dict[str, Any]], as_of: date | None):
    """Arrow table: one row a check of the model up to `as_of`; is_applied marks the newest."""
    import pyarrow as pa

    numbers = (
        "predicted_share",
        "observed_share",
        "observed_low",
        "observed_high",
        "auc",
        "auc_low",
        "auc_high",
        "auc_promised",
        "shift",
    )
    schema = pa.schema(
        [
            ("model_version", pa.string()),
            ("adjustment_id", pa.string()),
            ("checked_as_of", pa.date32()),
            ("cutoff_date", pa.date32()),
            ("n_rows", pa.int64()),
            ("n_churned", pa.int64()),
            *((name, pa.float64()) for name in numbers),
            ("verdict", pa.string()),
            ("reason", pa.string()),
            ("is_applied", pa.bool_()),
        ]
    )
    known = [c for c in checks if as_of is None or c["checked_as_of"] <= as_of.isoformat()]
    rows = [
        {
            **check,
            "model_version": card["model_id"],
            "checked_as_of": date.fromisoformat(check["checked_as_of"]),
            "cutoff_date": date.fromisoformat(check["cutoff_date"]),
            "is_applied": check is known[-1],
        }
        for check in known
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def contest_table(card: dict[str, Any]):
    """Arrow table: one row a candidate model, population, cutoff (null = mean over the cutoffs of its role) and
    metric."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("model_version", pa.string()),
            ("trained_as_of", pa.date32()),
            ("candidate_model", pa.string()),
            ("simplicity_rank", pa.int32()),
            ("population", pa.string()),
            ("cutoff_date", pa.date32()),
            ("cutoff_role", pa.string()),
            ("metric", pa.string()),
            ("value", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("n_rows", pa.int64()),
            ("n_churned", pa.int64()),
            ("is_chosen", pa.bool_()),
            ("reason", pa.string()),
        ]
    )
    rows = [
        {
            **row,
            "model_version": card["model_id"],
            "trained_as_of": date.fromisoformat(card["trained_as_of"]),
            "cutoff_date": date.fromisoformat(row["cutoff_date"]) if row["cutoff_date"] else None,
            "reason": card["decision"]["reason"],
        }
        for row in card.get("model_selection", [])
    ]
    return pa.Table.from_pylist(rows, schema=schema)
