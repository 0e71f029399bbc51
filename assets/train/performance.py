"""The performance tables of stage train, from a model's card.

In: a card and the checks of its model. Out: `train.model_performance`, `train.reliability`, `train.model_selection` and
`train.model_monitor` in the warehouse, replaced as a whole. They are written on every run, also when the model came
from the store, which is their only source.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import duckdb

from assets.model import model_store
from assets.shared.tables import declared_table
from assets.shared.warehouse import replace_table


def write_performance(
    con: duckdb.DuckDBPyConnection,
    card: Mapping[str, Any],
    checks: Sequence[Mapping[str, Any]] = (),
    as_of: date | None = None,
) -> dict[str, int]:
    """Replace the tables; returns rows by table. A model that could not be judged leaves them empty, never absent.
    Who scores, and why, is as of `as_of`; None: as trained."""
    if as_of is not None:
        card = {**card, "decision": model_store.decision_on(card, checks, as_of)}
    rows = {
        "train.model_performance": performance_rows(card),
        "train.reliability": reliability_rows(card),
        "train.model_selection": selection_rows(card),
        "train.model_monitor": monitor_rows(card, checks, as_of),
    }
    return {table: replace_with_rows(con, table, found) for table, found in rows.items()}


def replace_with_rows(con: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Replace a declared table with these rows; returns their number. Keys that are no column are left out; dates may
    be ISO text."""
    import pyarrow as pa

    schema = declared_table(table).arrow_schema
    dates = {field.name for field in schema if pa.types.is_date(field.type)}
    read = [
        {name: date.fromisoformat(v) if name in dates and isinstance(v, str) else v for name, v in row.items()}
        for row in rows
    ]
    return replace_table(con, table, pa.Table.from_pylist(read, schema=schema))


def performance_rows(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a compared model, population, test cutoff (null = mean over them) and metric. A simple candidate model
    that has taken over is none of the two compared: then no row is of who scores."""
    decision = card["decision"]
    taken_over = decision["scored_by"] == "model" and decision["candidate_model"] != card["fitted_candidate_model"]
    scored_by = None if taken_over else decision["scored_by"]
    return [{**row, **_model(card), "is_scoring": row["candidate_model"] == scored_by} for row in card["metrics"]]


def reliability_rows(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a compared model, slice and bin of predicted probability, active customers of all test cutoffs; a slice
    other than the whole is one bin."""
    return [
        {"slice_kind": "all", "slice_value": "all", **row, **_model(card), "candidate_model": candidate_model}
        for source in (card["reliability"], card.get("reliability_by_slice", {}))
        for candidate_model, bins in source.items()
        for row in bins
    ]


def monitor_rows(
    card: Mapping[str, Any], checks: Sequence[Mapping[str, Any]], as_of: date | None
) -> list[dict[str, Any]]:
    """One row a check of the model up to `as_of`; is_applied marks the one that it is scored with."""
    known = [c for c in checks if as_of is None or c["checked_as_of"] <= as_of.isoformat()]
    applied = model_store.check_in_force(known, as_of or date.max)
    return [{**check, **_model(card), "is_applied": check is applied} for check in known]


def selection_rows(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a candidate model, population, cutoff (null = mean over the cutoffs of its role) and metric."""
    decision = card["decision"]
    return [
        {**row, **_model(card), "is_chosen": row["candidate_model"] == decision["candidate_model"]}
        | {"reason": decision["reason"]}
        for row in card.get("model_selection", [])
    ]


def _model(card: Mapping[str, Any]) -> dict[str, Any]:
    return {"model_version": card["model_id"], "trained_as_of": card["trained_as_of"]}
