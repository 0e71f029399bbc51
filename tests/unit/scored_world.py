"""A small warehouse that is scored and explained, for the tests of both stages: real models, real tables."""

from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from assets.explain.earlier import Earlier
from assets.explain.score_reasons import scored_by, write_reasons
from assets.model.churn_features import FEATURES
from assets.model.gamma_gamma import GammaGamma
from assets.model.purchase_process import PurchaseProcess
from assets.model.purchase_rhythm import PurchaseRhythm
from assets.model.retention_model import RetentionModel
from assets.model.return_curve import ReturnCurve
from assets.model.value_model import ValueModel
from assets.score.scores import write_scores
from assets.shared.params import Params

DAY = date(2020, 1, 1)
#: Gaps of around 20 days, and half of everybody leaves after some purchases.
CURVE = ReturnCurve(PurchaseRhythm(GammaGamma(2.0, 3.0, 20.0), 500), PurchaseProcess("mbg_nbd", 1.0, 4.0, 0.5, 3.0), 30)
VALUE = ValueModel(
    {
        "basis": "labels",
        "label_days": 365,
        "horizon_days": 30,
        "value_horizon_days": 365,
        "margin_share": 0.25,
        "window": {"name": "year", "days": 365, "candidate_model": "average_spend", "level": 1.0},
        "extrapolation_factor": 1.0,
        "gamma_gamma": None,
        "intervals": {"horizon": None, "window": None},
        "return_curve": CURVE.to_dict(),
    }
)


def features_table(matrix: np.ndarray, ids: list[str], why: list[str | None] | None = None) -> pa.Table:
    """features.customer_features as an Arrow table; `why`: reason of ineligibility, None for eligible customers."""
    why = why or [None] * len(ids)
    return pa.table(
        {
            "as_of_date": pa.array([DAY] * len(ids), pa.date32()),
            "customer_id": ids,
            "is_eligible": [reason is None for reason in why],
            "ineligible_reason": pa.array(why, pa.string()),
            "is_active": [i % 2 == 0 for i in range(len(ids))],
            **{name: pa.array(matrix[:, j], from_pandas=True) for j, name in enumerate(FEATURES)},
            "income_a_day": pa.nulls(len(ids), pa.float64()),
        }
    )


def warehouse(features: pa.Table) -> duckdb.DuckDBPyConnection:
    """Features, and a plan of nobody."""
    con = duckdb.connect()
    con.execute(
        "create schema features; create schema actions; create schema identity; create schema ingest;"
        "create table identity.id_changes (old_customer_id text, customer_id text, is_first_id boolean)"
    )
    con.register("rows", features)
    con.execute("create table features.customer_features as select * from rows")
    con.execute("create table actions.contact_plan (as_of_date date, customer_id varchar, decision varchar)")
    return con


def plan(con: duckdb.DuckDBPyConnection, decisions: dict[str, str], day: date = DAY) -> None:
    """Put customers on the plan of a date."""
    con.executemany("insert into actions.contact_plan values (?, ?, ?)", [[day, *row] for row in decisions.items()])


def score(con: duckdb.DuckDBPyConnection, model: RetentionModel, params: Params, day: date = DAY) -> int:
    return write_scores(con, day, model, VALUE, params)


def explain(
    con: duckdb.DuckDBPyConnection, model: RetentionModel, params: Params, earlier: Earlier | None = None
) -> int:
    """As the stage does, with `model` for what the store would hold."""
    who = scored_by(con)
    assert who is None or who.model_version == model.model_id
    return write_reasons(con, DAY, None if who is None else who.as_it_scored(model), params, earlier)


def numbers_of(con: duckdb.DuckDBPyConnection) -> dict[str, dict]:
    """Rows of score.churn_scores by customer."""
    return _by_customer(con, "select * from score.churn_scores")


def rows_of(con: duckdb.DuckDBPyConnection) -> dict[str, dict]:
    """Scores with their reasons by customer, as the mart joins them."""
    return _by_customer(
        con,
        "select scores.*, reasons.* exclude (as_of_date, customer_id) from score.churn_scores as scores"
        " left join explain.score_reasons as reasons using (as_of_date, customer_id)",
    )


def explained(features: pa.Table, model: RetentionModel, params: Params, earlier: Earlier | None = None):
    """Scores with reasons of customers nobody has planned for, by customer."""
    con = warehouse(features)
    assert score(con, model, params) == explain(con, model, params, earlier) == features.num_rows
    found = rows_of(con)
    assert len(found) == features.num_rows
    return found


def _by_customer(con: duckdb.DuckDBPyConnection, select: str) -> dict[str, dict]:
    found = con.execute(select)
    names = [column[0] for column in found.description or ()]
    return {row[names.index("customer_id")]: dict(zip(names, row, strict=True)) for row in found.fetchall()}
