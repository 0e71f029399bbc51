"""Plans that were made again stay readable as they were."""

import os
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest

from assets.actions.ledger import write_plan
from assets.shared.plan_ledger import files_before, ledger_columns, plans_known_at

DAY = date(2024, 5, 1)


@pytest.fixture
def con():
    with duckdb.connect() as con:
        con.execute("create schema actions")
        con.execute(f"create table actions.contact_plan ({', '.join(f'{n} {t}' for n, t in ledger_columns().items())})")
        yield con


def planned(con, folder, *customers: str, day: date = DAY) -> datetime:
    """Plan a contact for each of `customers`; returns a moment right after it."""
    con.execute("delete from actions.contact_plan")
    for customer in customers:
        con.execute(
            "insert into actions.contact_plan (as_of_date, customer_id, decision) values (?, ?, 'contact')",
            [day, customer],
        )
    write_plan(con, folder, day)
    return datetime.now(UTC).replace(tzinfo=None) + timedelta(milliseconds=20)


def known(folder, moment) -> dict[date, list[str]]:
    return {
        day: [c for (c,) in duckdb.execute("select customer_id from read_parquet(?)", [str(path)]).fetchall()]
        for day, path in plans_known_at(folder, moment).items()
    }


def later(folder) -> None:
    """Let all that was written so far be a minute old."""
    for path in folder.rglob("*.parquet"):
        changed = path.stat().st_mtime - 60
        os.utime(path, (changed, changed))


def test_a_plan_made_again_with_another_result_is_known_as_it_was(con, tmp_path):
    planned(con, tmp_path, "a")
    later(tmp_path)
    between = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=30)
    after = planned(con, tmp_path, "a", "b")
    assert known(tmp_path, between) == {DAY: ["a"]}
    assert known(tmp_path, after) == {DAY: ["a", "b"]}
    assert known(tmp_path, between - timedelta(hours=1)) == {}
    assert [path.name for path in files_before(tmp_path, date.max)] == ["2024-05-01.parquet"], "plans read one a date"


def test_a_date_planned_later_was_not_known(con, tmp_path):
    planned(con, tmp_path, "a")
    later(tmp_path)
    between = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=30)
    planned(con, tmp_path, "b", day=date(2024, 4, 1))
    assert known(tmp_path, between) == {DAY: ["a"]}


def test_the_same_plan_again_is_no_new_version(con, tmp_path):
    planned(con, tmp_path, "a")
    later(tmp_path)
    written = (tmp_path / "2024-05-01.parquet").stat().st_mtime_ns
    planned(con, tmp_path, "a")
    assert (tmp_path / "2024-05-01.parquet").stat().st_mtime_ns == written
    assert [path.name for path in tmp_path.iterdir()] == ["2024-05-01.parquet"], "nothing is left over either"
