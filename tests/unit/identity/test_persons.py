"""Which accounts become one person, by which id, and what a person may say of it."""

from datetime import date, timedelta

import pytest

from assets.identity.links import CANNOT, MUST, Link
from tests.unit.identity.identity_world import World

DAY = date(2024, 9, 1)
NEXT = DAY + timedelta(1)


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path / "ledgers")


def test_the_same_address_is_one_person_under_the_id_with_more_transactions(world):
    world.deliver(a={"email": "Eva@Example.org ", "lines": 2}, b={"email": "eva@example.org", "lines": 5}, c={})
    world.night(DAY)
    assert world.persons() == {"a": "b"}
    assert world.rows("identity_members") == [
        ("a", "b", DAY, None, "match"), ("b", "b", DAY, None, "new"), ("c", "c", DAY, None, "new"),
    ]  # fmt: skip
    assert world.rows("identity_edges") == [("a", "b", "email", 0.97, DAY, "merged")]
    assert world.rows("person_accounts") == [("b", 2, '["a", "b"]')]


def test_all_rules_compare_what_is_meant_and_not_how_it_is_written(world):
    world.deliver(
        e1={"email": " A.B@x.de"}, e2={"email": "a.b@X.de"},
        p1={"phone": "+49 170 1234567"}, p2={"phone": "0170/1234567"},
        l1={"loyalty_number": "KK-1234"}, l2={"loyalty_number": "kk 1234"},
        n1={"national_id": "ab" * 16}, n2={"national_id": "AB" * 16},
    )  # fmt: skip
    world.night(DAY)
    assert world.rows("identity_edges", "customer_id, other_customer_id, rule") == [
        ("e1", "e2", "email"), ("l1", "l2", "loyalty_number"), ("n1", "n2", "national_id"), ("p1", "p2", "phone"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "rule, value",
    [
        ("email", "none"),
        ("email", "a@b"),
        ("phone", "0000000000"),
        ("phone", "123456"),
        ("loyalty_number", "1-2"),
        ("national_id", "12345"),
    ],
)
def test_what_is_no_address_or_number_joins_nobody(world, rule, value):
    world.deliver(a={rule: value}, b={rule: value})
    world.night(DAY)
    assert world.rows("identity_edges") == []


def test_a_value_on_more_accounts_than_the_guard_allows_is_no_key(world):
    world.deliver(**{f"a{n}": {"email": "all@four.de"} for n in range(4)})
    world.deliver(**{f"b{n}": {"email": "all@five.de"} for n in range(5)})
    counts = world.night(DAY, max_records=4)
    assert set(world.persons()) == {"a1", "a2", "a3"}
    assert counts["guarded_values"] == 1


@pytest.mark.parametrize("rule", ["email", "phone"])
def test_a_household_is_not_one_person(world, rule):
    value = "us@home.de" if rule == "email" else "030 5551234"
    world.deliver(
        a={rule: value, "full_name": "Ada Berg"},
        b={rule: value, "full_name": "Carl Berg"},
        c={rule: value, "full_name": "Berg, Adda", "birth_date": date(1980, 1, 1)},
        d={rule: value, "birth_date": date(1951, 1, 1)},
    )
    world.night(DAY)
    pairs = world.rows("identity_edges", "customer_id, other_customer_id")
    assert ("a", "c") in pairs, "a letter more in the name"
    assert ("a", "b") not in pairs and ("b", "c") not in pairs, "other first names"
    assert ("c", "d") not in pairs, "other dates of birth"


def test_names_say_nothing_against_a_national_id(world):
    world.deliver(
        a={"national_id": "f" * 32, "full_name": "Ada Berg"}, b={"national_id": "f" * 32, "full_name": "Zoe Xu"}
    )
    world.night(DAY)
    assert world.persons() == {"b": "a"}


def test_the_newest_value_counts_so_that_a_correction_undoes_the_mistake(world):
    world.deliver(a={"email": "x@x.de", "lines": 1}, b={"email": "x@x.de"})
    world.night(DAY)
    world.deliver(b={"email": "b@x.de"})
    world.night(NEXT)
    assert world.persons() == {}
    assert world.rows("identity_members")[1:] == [
        ("b", "a", DAY, NEXT, "match"), ("b", "b", NEXT, None, "no_evidence"),
    ]  # fmt: skip
    assert world.rows("identity_events") == [(NEXT, "split", "a", "b", 1)]
    assert world.rows("identity_edges") == []


def test_an_id_that_was_known_before_stays_whatever_a_new_source_brings(world):
    world.deliver(a={"email": "x@x.de", "lines": 1})
    world.night(DAY)
    world.deliver(b={"email": "x@x.de", "lines": 100})
    world.night(NEXT)
    assert world.persons() == {"b": "a"}
    assert world.rows("identity_events") == [], "nobody lost an id"


def test_of_two_persons_the_one_with_more_transactions_goes_on_and_the_other_is_an_alias(world):
    world.deliver(
        a={"email": "x@x.de", "lines": 3}, b={"email": "x@x.de", "lines": 2}, c={"phone": "0305551234", "lines": 4}
    )
    world.night(DAY)
    world.deliver(c={"email": "x@x.de"})
    world.night(NEXT)
    assert world.persons() == {"b": "a", "c": "a"}, "five transactions are more than four"
    assert world.rows("identity_events") == [(NEXT, "merge", "a", "c", 1)]
    assert [row for row in world.rows("identity_members") if row[0] == "c"] == [
        ("c", "a", NEXT, None, "match"), ("c", "c", DAY, NEXT, "new"),
    ]  # fmt: skip


def test_a_night_without_new_evidence_changes_and_looks_at_nothing(world):
    world.deliver(a={"email": "x@x.de"}, b={"email": "x@x.de"}, c={})
    assert world.night(DAY, [Link(CANNOT, "a", "c")])["looked_at"] == 3
    world.con.execute("insert into ingest.transactions select 'b', timestamp '2024-01-01' from range(99)")
    assert world.night(NEXT, [Link(CANNOT, "a", "c")])["looked_at"] == 0
    assert world.persons() == {"b": "a"}


def test_what_a_person_says_wins_over_every_evidence(world):
    world.deliver(a={"email": "x@x.de", "lines": 2}, b={"email": "x@x.de"}, c={}, d={})
    world.night(DAY, [Link(MUST, "c", "d")])
    assert world.persons() == {"b": "a", "d": "c"}
    world.night(NEXT, [Link(CANNOT, "a", "b")])
    assert world.persons() == {}
    assert [row[4] for row in world.rows("identity_members") if row[2] == NEXT] == ["cannot_link", "no_evidence"]


def test_accounts_that_are_apart_stay_so_over_a_third_one(world):
    world.deliver(
        a={"email": "x@x.de", "lines": 3}, b={"email": "x@x.de", "phone": "0305551234"}, c={"phone": "0305551234"}
    )
    world.night(DAY)
    assert world.persons() == {"b": "a", "c": "a"}
    world.night(NEXT, [Link(CANNOT, "a", "c")])
    assert world.persons() == {"b": "a"}, "e-mail weighs more than the phone"
    assert world.rows("identity_review", "customer_id, other_customer_id, reason") == [("b", "c", "kept_apart")]


def couples(world, n: int = 2) -> None:
    """a1 and a2 are one person, b1 and b2 another; a2 and b1 have one phone."""
    world.deliver(
        a1={"email": "a@x.de", "lines": 9}, a2={"email": "a@x.de", "phone": "0305551234"},
        b1={"email": "b@x.de", "phone": "0305551234"}, b2={"email": "b@x.de", "lines": 8},
    )  # fmt: skip


def test_a_bridge_between_two_groups_waits_for_a_person(world):
    couples(world)
    world.night(DAY)
    assert world.persons() == {"a2": "a1", "b1": "b2"}
    assert world.rows("identity_review") == [("a2", "b1", "phone", 0.9, DAY, "bridge")]
    world.night(NEXT, [Link(MUST, "a2", "b1")])
    assert world.persons() == {"a2": "a1", "b1": "a1", "b2": "a1"}
    assert world.rows("identity_review") == []
    assert world.rows("identity_events") == [(NEXT, "merge", "a1", "b2", 2)]


def test_a_pair_that_agrees_twice_is_no_bridge(world):
    couples(world)
    world.deliver(a2={"loyalty_number": "12345"}, b1={"loyalty_number": "12345"})
    world.night(DAY)
    assert len(world.persons()) == 3


def test_a_group_beyond_the_size_merges_nothing_by_itself(world):
    world.deliver(**{f"a{n}": {"email": f"{n // 2}@x.de", "phone": f"030555{(n + 1) // 2:04}"} for n in range(6)})
    world.night(DAY, max_accounts=6)
    assert len(world.persons()) > 0
    world.night(NEXT, [Link(MUST, "a0", "a1")], max_accounts=5)
    assert world.persons() == {"a1": "a0"}, "what a person said holds"
    assert {row[0] for row in world.rows("identity_review", "reason")} == {"too_large"}


def test_an_alias_table_and_the_evidence_follow_each_other(world):
    world.deliver(old={"lines": 2}, b={"email": "x@x.de", "lines": 1})
    world.night(DAY)
    world.con.execute(
        "insert into ingest.id_changes values ('old', 'new', 'new', date '2024-09-02', true, false, 'shop', 'b9')"
    )
    world.deliver(new={"email": "x@x.de"})
    world.night(NEXT)
    assert world.persons() == {"old": "new", "b": "new"}
    first = dict(world.rows("id_changes", "old_customer_id, is_first_id"))
    assert first == {"old": True, "b": False}


def test_the_first_id_of_a_person_is_that_of_the_account_whose_id_goes_on(world):
    world.con.execute(
        "insert into ingest.id_changes values ('b0', 'b', 'b', date '2024-01-01', true, false, 'shop', 'b9')"
    )
    world.deliver(a={"email": "x@x.de", "lines": 5}, b={"email": "x@x.de"})
    world.night(DAY)
    assert world.rows("id_changes", "old_customer_id, customer_id, is_first_id") == [
        ("b", "a", False), ("b0", "a", False),
    ]  # fmt: skip


def test_a_person_of_which_one_account_takes_another_id_goes_on(world):
    world.deliver(a={"email": "x@x.de", "lines": 5}, b={"email": "x@x.de"})
    world.night(DAY)
    world.con.execute(
        "insert into ingest.id_changes values ('a', 'a2', 'a2', date '2024-09-02', true, false, 'shop', 'b9')"
    )
    world.night(NEXT)
    assert world.persons() == {"a": "a2", "b": "a2"}


def test_a_part_without_the_account_of_the_id_is_known_by_its_largest(world):
    world.deliver(
        a={"email": "x@x.de", "lines": 9}, b={"email": "x@x.de", "phone": "0305551234", "lines": 1},
        c={"email": "x@x.de", "phone": "0305551234", "lines": 2},
    )  # fmt: skip
    world.night(DAY)
    assert world.persons() == {"b": "a", "c": "a"}
    world.deliver(a={"email": "a@x.de"})
    world.night(NEXT)
    assert world.persons() == {"b": "c"}
    assert world.rows("identity_events") == [(NEXT, "split", "a", "c", 2)]


def test_an_earlier_night_shows_what_was_known_then_and_writes_nothing(world):
    world.deliver(a={"email": "x@x.de", "lines": 1}, b={})
    world.night(DAY)
    world.deliver(b={"email": "x@x.de"})
    world.night(NEXT)
    files = {path: path.read_bytes() for path in (world.ledgers / "identity").iterdir()}
    world.night(DAY)
    assert world.persons() == {}
    assert world.rows("identity_events") == []
    assert files == {path: path.read_bytes() for path in (world.ledgers / "identity").iterdir()}
    world.night(NEXT)
    assert world.persons() == {"b": "a"}, "a night that is made again finds what it found"


def test_where_no_source_asks_for_it_nothing_is_compared_or_kept(world):
    world.con.execute("update ingest.source_status set is_matched = false")
    world.con.execute(
        "insert into ingest.id_changes values ('b0', 'b', 'b', date '2024-01-01', true, false, 'shop', 'b9')"
    )
    world.deliver(a={"email": "x@x.de"}, b={"email": "x@x.de"})
    assert world.night(DAY) == {}
    assert world.rows("id_changes") == world.con.execute("from ingest.id_changes").fetchall()
    assert not world.ledgers.exists()
    for table in ("identity_edges", "identity_members", "identity_events", "identity_review", "person_accounts"):
        assert world.rows(table) == []


def test_what_was_found_of_erased_persons_stays_though_their_values_are_gone(world):
    world.deliver(**{"erased:1": {"email": "x@x.de", "lines": 1}, "erased:2": {"email": "x@x.de"}})
    world.night(DAY)
    world.con.execute("update personal.customers set email = null")
    world.night(NEXT)
    assert world.persons() == {"erased:2": "erased:1"}


def test_no_table_and_no_file_holds_what_was_compared(world):
    world.deliver(a={"email": "secret@x.de", "full_name": "Ada Secret"}, b={"email": "secret@x.de"})
    world.night(DAY)
    shown = world.con.execute("select table_name from duckdb_tables() where schema_name = 'identity'").fetchall()
    text = str([world.rows(table) for (table,) in shown])
    assert "secret" not in text.lower()
    (file,) = (world.ledgers / "identity").iterdir()
    assert "secret" not in str(world.con.execute(f"from '{file}'").fetchall()).lower()
    left = "select count(*) from duckdb_tables() where temporary and table_name like 'matched%'"
    assert world.con.execute(left).fetchone() == (0,)
