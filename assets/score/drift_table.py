"""The night's drift: what the model reads and what it says, against what it was trained on.

In: score.churn_scores, features.customer_features, the reference in the model's card. Out: table `score.model_drift`.
"""

from datetime import date

import duckdb
import numpy as np

from assets.model.churn_features import FAMILIES
from assets.model.drift import compare
from assets.model.retention_model import RetentionModel
from assets.shared.quoting import quoted
from assets.shared.tables import declared_table
from assets.shared.warehouse import count_rows

TABLE = "score.model_drift"
SCORE = "churn_probability"

#: Customers looked at, drawn by a hash of their id: beyond this many the index moves in its third digit only.
MAX_CUSTOMERS = 100_000

#: Features that grow with the calendar while nobody changes: where most customers came at once, as in the first years
#: of a data set, they move every night. Shown, and never an alarm.
AGES = ("tenure_days", "recency_days", "contract_tenure_days")

_EMPTY = f"create or replace table {quoted(TABLE)} ({declared_table(TABLE).column_list})"


def write_drift(con: duckdb.DuckDBPyConnection, as_of: date, model: RetentionModel) -> int:
    """Replace `score.model_drift`; returns its rows: one a feature that the model uses, and one for its probability.
    A model whose card has no reference (nothing was fitted) leaves the table empty."""
    con.execute("create schema if not exists score")
    con.execute(_EMPTY)
    reference = model.card.get("reference") or {}
    names = [name for name in reference if name != SCORE]
    if not reference:
        return 0
    columns = ", ".join(f"cast(features.{quoted(name)} as double) as {quoted(name)}" for name in names)
    found = con.execute(
        f"""
        select scores.{SCORE}, {columns or "null as nothing"}
        from score.churn_scores as scores
        inner join features.customer_features as features on scores.customer_id = features.customer_id
        where scores.is_eligible and scores.{SCORE} is not null and features.as_of_date = $as_of
        qualify row_number() over (order by hash(scores.customer_id), scores.customer_id) <= $most
        """,
        {"as_of": as_of, "most": MAX_CUSTOMERS},
    ).fetchnumpy()
    families = {name: family for family, features in FAMILIES.items() for name in features}
    rows = []
    for name in reference:
        values: np.ndarray = np.ma.filled(np.ma.asarray(found[name], dtype=float), np.nan)
        drift = compare(reference[name], values, len(reference))
        is_score = name == SCORE
        verdict = "ages" if name in AGES and drift.verdict in ("shifted", "drifted") else drift.verdict
        rows.append(
            [
                as_of,
                model.model_id,
                "score" if is_score else "input",
                name,
                "score" if is_score else families.get(name, "other"),
                _number(drift.psi),
                _number(drift.noise),
                verdict,
                drift.n_reference,
                drift.n_now,
                drift.missing_share_reference,
                drift.missing_share_now,
            ]
        )
    con.executemany(f"insert into {quoted(TABLE)} values ({', '.join('?' * 12)})", rows)
    return count_rows(con, TABLE)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
