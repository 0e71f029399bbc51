"""The money tables of stage train: how good the value estimates were, and what which ranking would have earned.

In: the files of the active model, the economics of a contact as they are set now. Out: `train.value_performance` and
`train.profit_curve`, replaced as a whole on every run: a change of costs shows the next night without training.
"""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from assets.model.model_store import VALUE_CARD
from assets.shared.params import Params
from assets.shared.warehouse import replace_table
from assets.train.judged import JUDGED_FILE, from_parquet
from assets.train.value.profit_curve import curve_rows, economics, emp_rows


def write_value_tables(con: duckdb.DuckDBPyConnection, folder: Path, model_id: str, params: Params) -> None:
    """Replace both tables from the folder of a model; without a test cutoff they are empty, never absent."""
    card = json.loads((folder / VALUE_CARD).read_text()) if (folder / VALUE_CARD).is_file() else None
    path = folder / JUDGED_FILE
    judged = from_parquet(path.read_bytes()) if path.is_file() else []
    terms = economics(params)
    performance = (card["performance"] if card else []) + emp_rows(judged, params, terms)
    replace_table(con, "train.value_performance", _performance_table(performance, model_id, card))
    replace_table(con, "train.profit_curve", _curve_table(curve_rows(judged, params, terms), model_id))


def _performance_table(rows: Sequence[dict[str, Any]], model_id: str, card: dict[str, Any] | None):
    import pyarrow as pa

    schema = pa.schema(
        [
            ("model_version", pa.string()),
            ("trained_as_of", pa.date32()),
            ("target", pa.string()),
            ("window_days", pa.int32()),
            ("candidate_model", pa.string()),
            ("is_scoring", pa.bool_()),
            ("cutoff_date", pa.date32()),
            ("metric", pa.string()),
            ("value", pa.float64()),
            ("n_rows", pa.int64()),
        ]
    )
    trained = date.fromisoformat(card["anchor"]) if card else None
    return pa.Table.from_pylist(
        [
            {
                **row,
                "model_version": model_id,
                "trained_as_of": trained,
                "cutoff_date": date.fromisoformat(row["cutoff_date"]) if row["cutoff_date"] else None,
            }
            for row in rows
        ],
        schema=schema,
    )


def _curve_table(rows: Sequence[dict[str, Any]], model_id: str):
    import pyarrow as pa

    schema = pa.schema(
        [
            ("model_version", pa.string()),
            ("cutoff_date", pa.date32()),
            ("ranking", pa.string()),
            ("contacted_share", pa.float64()),
            ("is_stop_point", pa.bool_()),
            ("is_best", pa.bool_()),
            ("n_customers", pa.int64()),
            ("n_contacted", pa.float64()),
            ("spend", pa.float64()),
            ("profit", pa.float64()),
        ]
    )
    return pa.Table.from_pylist([{**row, "model_version": model_id} for row in rows], schema=schema)


def headline_numbers(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, float | str]:
    """The few numbers of a table that its metadata show, by name."""
    if table == "value_performance":
        found = con.execute(
            """
            select target || ' ' || metric, value from train.value_performance
            where cutoff_date is null and is_scoring and value is not null
                and metric in ('spearman', 'actual_over_expected', 'coverage', 'mae_days', 'emp')
            order by all
            """
        ).fetchall()
        return {name: round(value, 4) for name, value in found}
    found = con.execute(
        """
        select ranking || case when is_stop_point then ' at the stop point' else ' at a tenth' end, profit
        from train.profit_curve
        where cutoff_date is null and (is_stop_point or contacted_share = 0.1)
        order by all
        """
    ).fetchall()
    return {f"profit by {name}": round(value, 2) for name, value in found}
