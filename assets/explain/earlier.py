"""What was published before a date, to compare its scores with.

In: the published history, the model store, the model that scored the date. Out: an `Earlier`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from assets.explain.explainer import GROUPS
from assets.model import feature_schema, model_store
from assets.model.retention_model import RetentionModel
from assets.shared.errors import UserError
from assets.shared.published_history import newest_before
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_row

TABLE = "churn_scores"


@dataclass(frozen=True)
class Earlier:
    """The last published scores before a date: their file, its columns, and the model that made them.

    model: that model with the calibration of then, or None when the store no longer has it or it cannot see today's
    features. change: `definition`, `model` or None, what differs between it and the present model; `model` too where
    a check has put a simple candidate model of the same training in its place.
    """

    as_of_date: date
    path: Path
    columns: frozenset[str]
    model_version: str
    model: RetentionModel | None
    change: str | None

    def select(self) -> str:
        """SQL of the earlier scores, one row a customer of now, from the Parquet file `$earlier`; columns that the file
        does not have are null. Where several ids became one, the one that stayed speaks, else the first."""
        kept = {"previous_probability": "churn_probability"}
        kept |= {f"previous_{group}": f"contribution_{group}" for group in GROUPS}
        listed = ", ".join(
            f"scores.{column} as {name}" if column in self.columns else f"null::double as {name}"
            for name, column in kept.items()
        )
        now = "coalesce(changes.customer_id, scores.customer_id)"
        return (
            f"select {now} as customer_id, {listed}, true as was_listed from read_parquet($earlier) as scores"
            " left join identity.id_changes as changes on scores.customer_id = changes.old_customer_id"
            f" qualify row_number() over (partition by {now}"
            " order by changes.customer_id is null desc, changes.is_first_id desc, scores.customer_id) = 1"
        )

    def readable_with(self, column_types: Mapping[str, str]) -> "Earlier":
        """Without the earlier model where it cannot see features of these types."""
        if self.model is not None and feature_schema.misfits(self.model, column_types):
            return replace(self, model=None)
        return self


def read_earlier(
    con: duckdb.DuckDBPyConnection, settings: Settings, as_of: date, model: RetentionModel
) -> Earlier | None:
    """The newest published scores before `as_of`; None when nothing was published before."""
    found = newest_before(settings, TABLE, as_of)
    if found is None:
        return None
    day, path = found
    columns = frozenset(row[0] for row in con.execute("select name from parquet_schema(?)", [str(path)]).fetchall())
    shift, scoring = (
        f"any_value({name})" if name in columns else "null" for name in ("calibration_shift", "scoring_model")
    )
    version, then, scored_by = fetch_row(
        con,
        f"select any_value(model_version), coalesce(cast({shift} as double), 0), {scoring} from read_parquet(?)",
        [str(path)],
    )
    if version is None:
        return None
    if version == model.model_id and scored_by in (None, model.candidate_model):
        return Earlier(day, path, columns, version, replace(model, shift=then), None)
    try:
        old = replace(model_store.load_model(settings.models, version, day), shift=then)
    except (UserError, KeyError, TypeError):
        return Earlier(day, path, columns, version, None, "model")
    return Earlier(day, path, columns, version, old, "definition" if _asks_otherwise(old, model) else "model")


def _asks_otherwise(old: RetentionModel, new: RetentionModel) -> bool:
    return old.horizon_days != new.horizon_days or old.card.get("parameters") != new.card.get("parameters")
