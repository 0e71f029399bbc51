"""The control group: its size, its persistence, and what its record says."""

import hashlib
from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.ledgers.holdout import build_holdout_ledger, global_hash_sql
from assets.shared.params import load_params

AS_OF = date(2017, 12, 1)

ID_CHANGES = (
    "create table identity.id_changes (old_customer_id text, customer_id text, next_customer_id text, valid_from date,"
    " is_first_id boolean)"
)


def seen(n: int, first: int = 0) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("create schema features; create schema identity; create schema ingest")
    con.execute(ID_CHANGES)
    con.execute("create table features.customer_day (customer_id varchar, day date)")
    con.execute(
        "create table features.customer_features as select 'c' || i as customer_id, null::date as joined_on, "
        "date '2017-01-01' + cast(i % 90 as integer) as first_order_on from range(?, ?) as numbers(i)",
        [first, first + n],
    )
    return con


def build(con, ledgers, as_of=AS_OF, share=0.1, salt="one"):
    params = load_params({"actions_global_holdout_share": share, "actions_holdout_salt": salt})
    build_holdout_ledger(con, params, as_of, ledgers)
    return {
        row[0]: row[1:]
        for row in con.execute(
            "select person_id, valid_from, valid_to, share, hash_value from ledgers.holdout_ledger where salt = ?",
            [salt],
        ).fetchall()
    }


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_the_share_is_about_right(tmp_path, share):
    members = build(seen(20_000), tmp_path, share=share)
    # Five standard deviations of a binomial count.
    assert abs(len(members) - 20_000 * share) < 5 * (20_000 * share * (1 - share)) ** 0.5
    assert all(0 <= hash_value < share for *_, hash_value in members.values())


def test_no_share_holds_nobody_out(tmp_path):
    assert build(seen(500), tmp_path, share=0) == {}


def test_the_place_is_the_start_of_sha256_so_it_is_the_same_everywhere():
    con = duckdb.connect()
    got = con.execute(f"select {global_hash_sql('$person')}", {"salt": "s", "person": "18 中"}).fetchone()[0]
    assert got == int(hashlib.sha256("global|s|18 中".encode()).hexdigest()[:13], 16) / 16**13


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=20), st.text(min_size=1, max_size=10))
def test_any_person_has_a_place_and_salts_have_their_own(person, salt):
    con = duckdb.connect()
    places = [
        con.execute(f"select {global_hash_sql('$person')}", {"salt": text, "person": person}).fetchone()[0]
        for text in (salt, f"{salt}2")
    ]
    assert all(0 <= place < 1 for place in places) and len(set(places)) == 2


def test_other_people_change_nobodys_membership(tmp_path):
    small, large = build(seen(500), tmp_path / "a"), build(seen(2_000), tmp_path / "b")
    assert small == {person: row for person, row in large.items() if int(person[1:]) < 500}


def test_a_larger_share_only_adds(tmp_path):
    groups = [set(build(seen(2_000), tmp_path / str(share), share=share)) for share in (0.05, 0.1, 0.3)]
    assert groups[0] < groups[1] < groups[2]


def test_the_record_is_append_only_and_a_rerun_adds_nothing(tmp_path):
    first = build(seen(500), tmp_path)
    before = (tmp_path / "holdout.parquet").read_bytes()
    assert build(seen(500), tmp_path) == first
    assert (tmp_path / "holdout.parquet").read_bytes() == before
    later = build(seen(1_000), tmp_path, AS_OF + timedelta(days=1))
    assert first.items() <= later.items() and len(later) > len(first)


def test_valid_from_is_the_first_night_that_planned_with_the_person_and_is_never_backdated(tmp_path):
    def entries(as_of: date, n: int) -> set[date]:
        return {row[0] for row in build(seen(n), tmp_path, as_of).values()}

    later = AS_OF + timedelta(days=30)
    assert entries(later, 500) == {later}
    # Who comes later enters later, and a larger share takes effect when it is planned with.
    assert entries(later + timedelta(days=1), 1_000) == {later, later + timedelta(days=1)}
    wider = build(seen(1_000), tmp_path, later + timedelta(days=2), share=0.2)
    assert {row[0] for row in wider.values()} == {later + timedelta(days=days) for days in (0, 1, 2)}
    # An earlier night that is run afterwards planned with its own group: it does not see later ones.
    assert entries(AS_OF, 500) == {AS_OF}
    assert {
        row[0]
        for person, row in build(seen(1_000), tmp_path, later + timedelta(days=3)).items()
        if int(person[1:]) < 500 and row[1] is None
    } == {AS_OF}


def test_a_record_that_was_backdated_is_read_as_what_was_planned(tmp_path):
    first = build(seen(300), tmp_path)
    path = tmp_path / "holdout.parquet"
    duckdb.execute(
        f"copy (select * replace (date '2016-05-05' as valid_from) from '{path}') to '{path}.old' (format parquet)"
    )
    path.with_suffix(".parquet.old").replace(path)
    assert build(seen(300), tmp_path, AS_OF + timedelta(days=1)) == first


def test_a_new_salt_starts_a_group_and_the_old_one_stays_on_record(tmp_path):
    con = seen(2_000)
    old = build(con, tmp_path, salt="one")
    new = build(con, tmp_path, AS_OF + timedelta(days=1), salt="two")
    assert 0 < len(set(old) & set(new)) < len(old) / 2
    rows = con.execute("select person_id, valid_to from ledgers.holdout_ledger where salt = 'one'").fetchall()
    assert {person for person, _ in rows} == set(old)
    assert {valid_to for _, valid_to in rows} == {AS_OF + timedelta(days=1)}
    assert {row[1] for row in new.values()} == {None}
    build(con, tmp_path, AS_OF + timedelta(days=9), salt="two")
    rows = con.execute("select distinct valid_to from ledgers.holdout_ledger where salt = 'one'").fetchall()
    assert rows == [(AS_OF + timedelta(days=1),)]


def test_a_smaller_share_releases_and_says_so(tmp_path):
    con = seen(1_000)
    wide = build(con, tmp_path, share=0.2)
    narrow = build(con, tmp_path, AS_OF + timedelta(days=1), share=0.1)
    active = {person for person, row in narrow.items() if row[1] is None}
    assert active == {person for person, row in wide.items() if row[3] < 0.1}
    assert {narrow[person][1] for person in set(wide) - active} == {AS_OF + timedelta(days=1)}
    # The end stays where it was, night after night, and for a date of before the release there is none.
    later = build(con, tmp_path, AS_OF + timedelta(days=9), share=0.1)
    assert later == narrow
    assert build(con, tmp_path, AS_OF, share=0.2) == wide
    assert build(con, tmp_path, AS_OF + timedelta(days=9), share=0.1) == narrow
    wider = build(con, tmp_path, AS_OF + timedelta(days=20), share=0.2)
    assert {row[1] for row in wider.values()} == {None}
    again = build(con, tmp_path, AS_OF + timedelta(days=30), share=0.1)
    assert {again[person][1] for person in set(wide) - active} == {AS_OF + timedelta(days=30)}


def test_groups_of_later_dates_are_not_seen_earlier(tmp_path):
    con = seen(500)
    alone = build(con, tmp_path / "a", AS_OF, salt="one")
    build(con, tmp_path / "b", AS_OF + timedelta(days=9), salt="two")
    assert build(con, tmp_path / "b", AS_OF, salt="one") == alone
    assert con.execute("select distinct salt from ledgers.holdout_ledger").fetchall() == [("one",)]
    # Run in the other order: the later date sees both.
    build(con, tmp_path / "b", AS_OF + timedelta(days=9), salt="two")
    rows = con.execute("select distinct salt, valid_to from ledgers.holdout_ledger order by salt").fetchall()
    assert rows == [("one", AS_OF + timedelta(days=9)), ("two", None)]


def test_a_record_of_before_releases_were_kept_is_read(tmp_path):
    con = seen(300)
    first = build(con, tmp_path)
    path = tmp_path / "holdout.parquet"
    duckdb.execute(f"copy (select * exclude (released_on) from '{path}') to '{path}.old' (format parquet)")
    path.with_suffix(".parquet.old").replace(path)
    assert build(con, tmp_path) == first


def renamed(con, old: str, new: str, first: bool = True, on: date = AS_OF) -> None:
    """From `on` on the customer `old` is called `new`."""
    con.execute("insert into identity.id_changes values (?, ?, ?, ?, ?)", [old, new, new, on, first])
    con.execute("update features.customer_features set customer_id = ? where customer_id = ?", [new, old])


def test_a_customer_with_a_new_id_keeps_the_place_of_the_first(tmp_path):
    con = seen(1_000)
    before = build(con, tmp_path, AS_OF - timedelta(days=1))
    for n in range(1_000):
        renamed(con, f"c{n}", f"n{n}")
    after = build(con, tmp_path)
    assert after == {person.replace("c", "n"): row for person, row in before.items()}
    # Without what earlier nights recorded, too; and a new customer has a place of their own.
    anew = build(con, tmp_path / "new")
    assert {person: row[1:] for person, row in anew.items()} == {person: row[1:] for person, row in after.items()}
    con.execute("update features.customer_features set customer_id = 'x' || customer_id where customer_id = 'n1'")
    assert set(build(con, tmp_path)) - set(after) <= {"xn1"}


def test_an_id_recorded_after_the_change_and_before_it_was_known_draws_nothing(tmp_path):
    con = seen(1_000)
    con.execute("update features.customer_features set customer_id = replace(customer_id, 'c', 'n')")
    wrong = build(con, tmp_path, AS_OF)
    for n in range(1_000):
        renamed(con, f"c{n}", f"n{n}", on=AS_OF)
    assert build(con, tmp_path, AS_OF + timedelta(days=1)).keys() == {
        person.replace("c", "n") for person in build(seen(1_000), tmp_path / "before")
    }
    assert wrong


def test_of_ids_that_become_one_a_recorded_one_keeps_the_customer_in_the_group(tmp_path):
    con = seen(1_000)
    members = build(con, tmp_path, AS_OF - timedelta(days=1))
    held = sorted(members)[0]
    free = next(f"c{n}" for n in range(1_000) if f"c{n}" not in members)
    # Somebody free becomes a customer who is held out, and was it before.
    con.execute("delete from features.customer_features where customer_id = ?", [free])
    con.execute("insert into identity.id_changes values (?, ?, ?, ?, true)", [free, held, held, AS_OF])
    assert held in build(con, tmp_path)
    # And the other way round: who was held out becomes somebody free.
    con = seen(1_000)
    con.execute("delete from features.customer_features where customer_id = ?", [held])
    con.execute("insert into identity.id_changes values (?, ?, ?, ?, true)", [held, free, free, AS_OF])
    both = build(con, tmp_path)
    assert free in both and held not in both
    rows = con.execute("select count(*) from ledgers.holdout_ledger where customer_id = ?", [free]).fetchone()
    assert rows == (1,)
