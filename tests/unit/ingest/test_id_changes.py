"""Which id stands for a customer now: dates, chains, merges and circles of an alias table."""

from datetime import date

import duckdb
import pytest

from assets.ingest.id_changes import write_id_changes

DAY = date(2024, 5, 1)


@pytest.fixture
def con():
    with duckdb.connect() as con:
        con.execute(
            "create schema ingest;"
            "create table ingest.customer_aliases"
            " (old_customer_id text, customer_id text, valid_from date, source text, batch_id text);"
            "create table ingest.batches (batch_id text, loaded_at timestamp);"
            "insert into ingest.batches values ('first', '2024-01-01'), ('second', '2024-02-01')"
        )
        yield con


def alias(con, old: str, new: str, on: str | None = "2024-01-01", batch: str = "first") -> None:
    con.execute("insert into ingest.customer_aliases values (?, ?, ?, 'crm', ?)", [old, new, on, batch])


def found(con, shown: str = "customer_id", as_of: date = DAY) -> dict:
    write_id_changes(con, as_of)
    rows = con.execute(f"select old_customer_id, {shown} from ingest.id_changes order by 1").fetchall()
    return {old: rest[0] if len(rest) == 1 else rest for old, *rest in rows}


@pytest.mark.parametrize(("as_of", "holds"), [(date(2024, 4, 30), False), (DAY, True), (date(2025, 1, 1), True)])
def test_a_change_holds_from_its_day_on(con, as_of, holds):
    alias(con, "a", "b", "2024-05-01")
    assert found(con, as_of=as_of) == ({"a": "b"} if holds else {})


def test_a_change_without_a_day_holds_always(con):
    alias(con, "a", "b", None)
    assert found(con, as_of=date(1999, 1, 1)) == {"a": "b"}


def test_a_chain_is_followed_to_its_end_as_far_as_it_holds(con):
    alias(con, "b", "c", "2024-03-01")
    alias(con, "a", "b", "2023-01-01")
    alias(con, "c", "d", "2024-06-01")
    assert found(con, as_of=date(2024, 2, 1)) == {"a": "b"}
    assert found(con) == {"a": "c", "b": "c"}
    assert found(con, as_of=date(2024, 6, 1)) == {"a": "d", "b": "d", "c": "d"}
    assert found(con, "next_customer_id") == {"a": "b", "b": "c"}
    assert found(con, "is_first_id") == {"a": True, "b": False}


def test_a_chain_of_any_length_ends(con):
    for n in range(40):
        alias(con, f"a{n:02d}", f"a{n + 1:02d}")
    assert set(found(con).values()) == {"a40"}


def test_several_old_ids_become_one_customer_whose_first_id_is_the_one_given_up_first(con):
    alias(con, "later", "new", "2024-02-01")
    alias(con, "z", "new", "2024-01-01")
    alias(con, "y", "new", "2024-01-01")
    assert found(con) == {"later": "new", "y": "new", "z": "new"}
    assert found(con, "is_first_id") == {"later": False, "y": True, "z": False}


def test_a_circle_is_not_applied_and_neither_is_what_leads_into_it(con):
    alias(con, "a", "b")
    alias(con, "b", "a")
    alias(con, "into", "a")
    alias(con, "x", "y")
    assert found(con) == {"a": "a", "b": "b", "into": "into", "x": "y"}
    assert found(con, "is_circular") == {"a": True, "b": True, "into": True, "x": False}
    assert not any(first for old, first in found(con, "is_first_id").items() if old != "x")


def test_an_id_that_becomes_itself_is_no_change(con):
    alias(con, "a", "a")
    assert found(con) == {}


def test_of_several_new_ids_the_latest_day_holds_then_the_newest_delivery(con):
    alias(con, "a", "old", "2024-01-01", "second")
    alias(con, "a", "new", "2024-02-01", "first")
    alias(con, "b", "old", batch="first")
    alias(con, "b", "new", batch="second")
    alias(con, "c", "late", "2024-06-01")
    alias(con, "c", "early", None)
    assert found(con) == {"a": "new", "b": "new", "c": "early"}
