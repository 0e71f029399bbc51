"""What of a text says who somebody is, and what only looks like it."""

import duckdb
import pytest

from assets.ingest.canonical import ENTITIES
from pipelines.erasure.identifiers import Identifiers, is_customer_column, is_distinctive

WHO = Identifiers({"kx0042": "erased:a", "1044": "erased:b"}, ["ann@x.example", "Ann O'Hara", "An"], "secret")


def in_sql(who: Identifiers, text: str) -> str:
    expression = who.value_sql("words", "VARCHAR", ["words"], searched=True)
    return duckdb.execute(f"select {expression} from (select ? as words)", [text]).fetchone()[0]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("row of kx0042, again KX0042", "row of erased, again erased"),
        ("kx0042 kx0042 kx0042", "erased erased erased"),
        ("kx00421 and akx0042 are others", "kx00421 and akx0042 are others"),
        ("mail to ann@x.example.", "mail to erased."),
        ("Ann O'Hara called", "erased called"),
        ("An apple", "An apple"),
        ("customer 1044 paid 1044.00", "customer erased paid 1044.00"),
        ('{"customer_id": "1044", "n": 1044}', '{"customer_id": "erased", "n": 1044}'),
        ("1044 rows", "1044 rows"),
        ("<b>1044</b></td><td>1044</td>", "<b>erased</b></td><td>1044</td>"),
        ("", ""),
    ],
)
def test_a_text_loses_what_says_who_it_is_and_nothing_else(text, cleaned):
    assert WHO.clean(text) == cleaned
    assert in_sql(WHO, text) == cleaned
    assert WHO.clean(cleaned) == cleaned, "once more changes nothing"


def test_a_text_is_found_as_json_and_html_write_it():
    who = Identifiers({"ä#0001": "p"}, ["Zoë <Ann>"])
    assert who.clean(r"\u00e4#0001") == "erased"
    assert who.clean("<td>Zoë &lt;Ann&gt;</td>") == "<td>erased</td>"
    assert who.clean_bytes(b"\xff kx") == b"\xff kx", "bytes that are no text stay"
    assert who.is_in("x Zoë <Ann>".encode()) and not who.is_in(b"nobody")


@pytest.mark.parametrize(
    ("customer_id", "expected"),
    [("c001", True), ("c01", False), ("1234567", False), ("12345678", True), ("anna", False), ("an", False)],
)
def test_an_id_is_distinctive_from_a_letter_and_a_digit_or_eight_signs(customer_id, expected):
    assert is_distinctive(customer_id) is expected


def test_columns_are_known_by_their_names():
    assert all(map(is_customer_column, ("customer_id", "old_customer_id", "person_id", "referrer_customer_id")))
    assert not any(map(is_customer_column, ("customer", "customer_ids", "order_id", "n_customers")))


def test_who_was_brought_by_an_erased_person_stays_who_they_are():
    names = ["customer_id", "referrer_customer_id"]
    parts = ", ".join(f"{WHO.value_sql(name, 'VARCHAR', names, False)} as {name}" for name in names)
    rows = duckdb.execute(f"select {parts} from (values ('b', 'kx0042'), ('kx0042', 'c')) as t({', '.join(names)})")
    assert rows.fetchall() == [("b", "erased:a"), ("erased:a", "c")]
    # Every column of a row that names the person counts as theirs: no row may name two and say who one of them is.
    for entity in ENTITIES.values():
        n_customers = sum(is_customer_column(column.name) for column in entity.columns)
        assert n_customers == 1 or not any(column.personal for column in entity.columns), entity.name


def test_a_row_of_the_person_keeps_its_numbers_under_the_pseudonym():
    con = duckdb.connect()
    con.execute(
        "create table t as select * from (values ('kx0042', 'o1', 'ann@x.example', 5.0, 0.1, 0.2),"
        " ('other', 'o1', 'b@x.example', 7.0, 0.1, 0.2), ('kx0042', null, null, 1.0, 0.1, 0.2))"
        " as r(customer_id, order_id, email, amount, hash_value, share)"
    )
    columns = {row[0]: row[1] for row in con.execute("describe t").fetchall()}
    parts = [f"{WHO.value_sql(n, kind, list(columns), False)} as {n}" for n, kind in columns.items()]
    (theirs, other, without) = con.execute(f"select {', '.join(parts)} from t").fetchall()
    assert theirs[0] == "erased:a" and theirs[2] is None and float(theirs[3]) == 5.0
    assert len(theirs[1]) == 16 and theirs[1] != "o1", "an order number leads back to the person in the shop"
    assert float(theirs[4]) == 0.1, "half the share: in the group as before, and no place that follows from the id"
    assert other[:3] == ("other", "o1", "b@x.example") and float(other[4]) == 0.1
    assert without[1] is None
