"""A model is given the features it was trained on, as they were then, or nothing.

In: a model and the columns of `features.customer_features`. Out: nothing, or a UserError that names the feature, what
was expected, what was found, and what to do.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import duckdb
import numpy as np

from assets.model.retention_model import RetentionModel
from assets.shared.commands import command
from assets.shared.errors import UserError

TABLE = "features.customer_features"
#: What a feature is where the card names no type of its own.
DEFAULT_TYPE = "DOUBLE"
#: So many customers without a single value of a feature are no accident of a small business.
MIN_CUSTOMERS = 200


def column_types(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Column → type of `features.customer_features`; empty when there is none."""
    schema, table = TABLE.split(".")
    return dict(
        con.execute(
            "select column_name, data_type from duckdb_columns()"
            " where database_name = current_database() and schema_name = ? and table_name = ?",
            [schema, table],
        ).fetchall()
    )


def misfits(model: RetentionModel, found: Mapping[str, str]) -> list[str]:
    """What keeps the model from scoring columns of these types, in words; empty when nothing does."""
    expected = dict.fromkeys(model.features, DEFAULT_TYPE) | dict(model.card.get("feature_types") or {})
    problems = []
    for feature in model.features:
        if feature not in found:
            problems.append(f"feature {feature} is missing (expected {expected[feature]})")
        elif found[feature].upper() != expected[feature].upper():
            problems.append(f"feature {feature} is {found[feature]} (expected {expected[feature]})")
    return problems


def refuse_other_features(con: duckdb.DuckDBPyConnection, model: RetentionModel, as_of: date) -> None:
    """Raise UserError, with the remedy as of a date, unless the table has every feature of the model's fixed list with
    its type."""
    if problems := misfits(model, column_types(con)):
        raise UserError(f"model {model.model_id} cannot score {TABLE}: {'; '.join(problems)}", _remedy(as_of))


def refuse_features_without_values(
    model: RetentionModel, has_value: Sequence[bool] | np.ndarray, n_customers: int, as_of: date
) -> None:
    """Raise UserError when a feature that the model uses, and that had values when it was trained, is missing for
    every one of at least `MIN_CUSTOMERS` customers: the model would take the gap for a fact about them all.

    has_value: for each of the model's features whether any eligible customer has a value.
    """
    if n_customers < MIN_CUSTOMERS:
        return
    empty = [
        feature
        for feature, known, usual in zip(model.features, has_value, model.typical, strict=True)
        if not known and feature in model.kept_features and not np.isnan(usual)
    ]
    if empty:
        raise UserError(
            f"model {model.model_id} cannot score {TABLE}: "
            + "; ".join(
                f"feature {feature} has no value for any of {n_customers:,} eligible customers (expected values, as "
                "when the model was trained)"
                for feature in empty
            ),
            "look whether a source has stopped bringing what they are made of; if it ended for good, "
            + _remedy(as_of, first="train a model without it"),
        )


def _remedy(as_of: date, first: str = "bring the features back as they were, or train a model on the new ones") -> str:
    return f"{first}: {command('retrain', '--as-of', as_of)}"
