"""The money tables of stage train: how good the value estimates were, and what which ranking would have earned.

In: the files of the active model, the economics of a contact as they are set now. Out: `train.value_performance` and
`train.profit_curve`, replaced as a whole on every run: a change of costs shows the next night without training.
"""

import json
from pathlib import Path

import duckdb

from assets.model.model_store import VALUE_CARD
from assets.shared.params import Params
from assets.train.judged import JUDGED_FILE, from_parquet
from assets.train.performance import replace_with_rows
from assets.train.value.profit_curve import curve_rows, economics, emp_rows


def write_value_tables(con: duckdb.DuckDBPyConnection, folder: Path, model_id: str, params: Params) -> None:
    """Replace both tables from the folder of a model; without a test cutoff they are empty, never absent."""
    card = json.loads((folder / VALUE_CARD).read_text()) if (folder / VALUE_CARD).is_file() else None
    path = folder / JUDGED_FILE
    judged = from_parquet(path.read_bytes()) if path.is_file() else []
    terms = economics(params)
    performance = (card["performance"] if card else []) + emp_rows(judged, params, terms)
    model = {"model_version": model_id, "trained_as_of": card["anchor"] if card else None}
    replace_with_rows(con, "train.value_performance", [{**row, **model} for row in performance])
    replace_with_rows(con, "train.profit_curve", [{**row, **model} for row in curve_rows(judged, params, terms)])


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
