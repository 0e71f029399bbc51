"""The performance tables of stage train, from a model's card.

In: a card. Out: `train.model_performance`, `train.reliability` and `train.model_contest` in the warehouse,
replaced as a whole. They are written on every run, also when the model came from the store: the card is their only
source.
"""

from datetime import date
from typing import Any

import duckdb

from assets.shared.warehouse import replace_table


def write_performance(con: duckdb.DuckDBPyConnection, card: dict[str, Any]) -> dict[str, int]:
    """Replace the tables; returns rows by table. A model that could not be judged leaves them empty, never absent."""
    return {
        "train.model_performance": replace_table(con, "train.model_performance", performance_table(card)),
        "train.reliability": replace_table(con, "train.reliability", reliability_table(card)),
        "train.model_contest": replace_table(con, "train.model_contest", contest_table(card)),
    }


def performance_table(card: dict[str, Any]):
    """Arrow table: one row a member, population, test cut (null = mean over them) and metric."""
    import pyarrow as pa

    schema = pa.schema([
        ("model_version", pa.string()), ("trained_as_of", pa.date32()), ("member", pa.string()),
        ("population", pa.string()), ("cut_date", pa.date32()), ("metric", pa.string()), ("value", pa.float64()),
        ("low", pa.float64()), ("high", pa.float64()), ("n_rows", pa.int64()), ("n_churned", pa.int64()),
        ("is_champion", pa.bool_()),
    ])
    rows = [
        {
            **row,
            "model_version": card["model_id"],
            "trained_as_of": date.fromisoformat(card["trained_as_of"]),
            "cut_date": date.fromisoformat(row["cut_date"]) if row["cut_date"] else None,
            "is_champion": row["member"] == card["decision"]["scored_by"],
        }
        for row in card["metrics"]
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def reliability_table(card: dict[str, Any]):
    """Arrow table: one row a member and bin of predicted probability, active customers of all test cuts."""
    import pyarrow as pa

    schema = pa.schema([
        ("model_version", pa.string()), ("member", pa.string()), ("bin", pa.int32()), ("n", pa.int64()),
        ("mean_predicted", pa.float64()), ("observed_share", pa.float64()), ("low", pa.float64()),
        ("high", pa.float64()),
    ])
    rows = [
        {**row, "model_version": card["model_id"], "member": member}
        for member, bins in card["reliability"].items()
        for row in bins
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def contest_table(card: dict[str, Any]):
    """Arrow table: one row a member, population, cut (null = mean over the cuts of its role) and metric."""
    import pyarrow as pa

    schema = pa.schema([
        ("model_version", pa.string()), ("trained_as_of", pa.date32()), ("member", pa.string()),
        ("member_rank", pa.int32()), ("population", pa.string()), ("cut_date", pa.date32()), ("cut_role", pa.string()),
        ("metric", pa.string()), ("value", pa.float64()), ("low", pa.float64()), ("high", pa.float64()),
        ("n_rows", pa.int64()), ("n_churned", pa.int64()), ("is_chosen", pa.bool_()), ("reason", pa.string()),
    ])
    rows = [
        {
            **row,
            "model_version": card["model_id"],
            "trained_as_of": date.fromisoformat(card["trained_as_of"]),
            "cut_date": date.fromisoformat(row["cut_date"]) if row["cut_date"] else None,
            "reason": card["decision"]["reason"],
        }
        for row in card.get("contest", [])
    ]
    return pa.Table.from_pylist(rows, schema=schema)
