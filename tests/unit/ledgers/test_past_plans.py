"""What earlier nights planned, as the models see it."""

from datetime import date, timedelta

import duckdb
import pyarrow as pa
import pytest

from assets.ledgers.past_plans import build_past_flagged, build_past_plans
from assets.shared.plan_ledger import flagged_folder, ledger_columns, replace_parquet, replace_plan
from assets.shared.tables import declared_table

DAY = date(2024, 5, 1)


@pytest.fixture
def con():
    with duckdb.connect() as con:
        con.execute("create schema identity; create table identity.id_changes (old_customer_id text, customer_id text)")
        yield con


def ledger_schema() -> pa.Schema:
    declared = declared_table("ledgers.past_plans").arrow_schema
    return pa.schema([declared.field(name) for name in ledger_columns()])


def keep_plan(ledgers, day: date, customer_id: str) -> None:
    schema = ledger_schema()
    plan = dict.fromkeys(schema.names) | {"as_of_date": day, "customer_id": customer_id}
    replace_plan(pa.Table.from_pylist([plan], schema=schema), ledgers / "plan", day)


def planned(con, ledgers, as_of: date) -> list[str]:
    n_rows = build_past_plans(con, as_of, ledgers)
    customers = [c for (c,) in con.execute("select customer_id from ledgers.past_plans order by as_of_date").fetchall()]
    assert len(customers) == n_rows
    return customers


def test_only_plans_of_earlier_dates_are_read(con, tmp_path):
    for days, customer_id in ((-400, "long ago"), (-1, "yesterday"), (0, "tonight"), (1, "tomorrow")):
        keep_plan(tmp_path, DAY + timedelta(days=days), customer_id)
    (tmp_path / "plan" / "notes.parquet").write_bytes(b"no plan")
    assert planned(con, tmp_path, DAY) == ["long ago", "yesterday"]
    assert planned(con, tmp_path, DAY + timedelta(days=1)) == ["long ago", "yesterday", "tonight"]
    assert planned(con, tmp_path, DAY) == ["long ago", "yesterday"]


def test_a_first_night_has_a_table_without_rows(con, tmp_path):
    assert planned(con, tmp_path, DAY) == []
    columns = con.execute("select column_name from duckdb_columns() where table_name = 'past_plans'").fetchall()
    assert [name for (name,) in columns] == [*ledger_columns(), "is_exported"]


def test_plans_of_before_a_column_was_kept_are_read(con, tmp_path):
    keep_plan(tmp_path, DAY - timedelta(days=1), "yesterday")
    schema = ledger_schema()
    old = pa.schema([field for field in schema if field.name != "experiment_arm"])
    plan = dict.fromkeys(old.names) | {"as_of_date": DAY - timedelta(days=9), "customer_id": "long ago"}
    replace_plan(pa.Table.from_pylist([plan], schema=old), tmp_path / "plan", DAY - timedelta(days=9))
    assert planned(con, tmp_path, DAY - timedelta(days=5)) == ["long ago"]
    assert planned(con, tmp_path, DAY) == ["long ago", "yesterday"]
    arms = con.execute("select distinct experiment_arm from ledgers.past_plans").fetchall()
    assert arms == [(None,)]


def test_a_plan_is_that_of_the_customer_of_now(con, tmp_path):
    keep_plan(tmp_path, DAY - timedelta(days=2), "old")
    keep_plan(tmp_path, DAY - timedelta(days=1), "other")
    con.execute("insert into identity.id_changes values ('old', 'new')")
    assert planned(con, tmp_path, DAY) == ["new", "other"]


def flagged(con, ledgers, as_of: date) -> list[tuple]:
    n_rows = build_past_flagged(con, as_of, ledgers)
    rows = con.execute("select as_of_date, customer_id from ledgers.past_flagged order by all").fetchall()
    assert len(rows) == n_rows
    return rows


def test_candidates_are_known_from_the_first_of_the_month_a_year_ago(con, tmp_path):
    con.execute("create schema ledgers")
    schema = declared_table("ledgers.past_flagged").arrow_schema
    for day, customer_id in ((date(2023, 4, 30), "before"), (date(2023, 5, 1), "first"), (DAY, "tonight")):
        row = {"as_of_date": day, "customer_id": customer_id, "action_id": "offer", "is_reachable": True}
        folder = flagged_folder(tmp_path)
        folder.mkdir(exist_ok=True)
        replace_parquet(pa.Table.from_pylist([row], schema=schema), folder / f"{day}.parquet")
    con.execute("insert into identity.id_changes values ('first', 'now')")
    assert flagged(con, tmp_path, DAY) == [(date(2023, 5, 1), "now")]
    assert flagged(con, tmp_path, date(2024, 6, 2)) == [(DAY, "tonight")]
    assert flagged(con, tmp_path / "new", DAY) == []
