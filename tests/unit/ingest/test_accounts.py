"""Ids that a person has called no customers are left out and counted as such; large customers are told to the guard."""

import pytest
from landed_shop import COLUMNS, HEADER

from assets.ingest import raw_views
from assets.ingest.check import check_source
from assets.ingest.sources import resolve_source
from assets.shared.errors import UserError

ROWS = (
    f"{HEADER}\n7,o1,1,2024-05-01,5\nPOS-WALKIN,o2,1,2024-05-01,6\n8,o3,1,2024-05-02,x\nPOS-WALKIN,o4,1,2024-05-02,x\n"
)


def counts(shop) -> list[tuple]:
    return shop.query("select rows_in, rows_accepted, rows_quarantined, rows_left_out from ingest.batches")


def test_rows_of_an_excluded_account_are_left_out_and_not_refused(shop):
    shop.write(ROWS)
    shop.describe(top={"accounts": {"exclude": ["POS-WALKIN", "it's"]}})
    shop.land()
    assert shop.query("select order_id from ingest.transactions") == [("o1",)]
    assert counts(shop) == [(4, 1, 1, 2)]


def test_an_account_that_is_excluded_later_leaves_the_files_that_are_still_there(shop):
    """The rows of the same file are other rows then."""
    shop.write(ROWS)
    shop.describe()
    shop.land()
    assert counts(shop) == [(4, 2, 2, 0)]
    shop.describe(top={"accounts": {"exclude": "POS-WALKIN"}})
    shop.land()
    assert counts(shop) == [(4, 1, 1, 2)]


def test_who_is_included_changes_no_file(shop):
    shop.write(ROWS)
    shop.describe()
    (before,) = shop.land()
    shop.describe(top={"accounts": {"include": ["POS-WALKIN"]}})
    (after,) = shop.land()
    assert (after.batch_id, after.is_new) == (before.batch_id, False)


def test_an_excluded_account_leaves_every_table_of_the_source_that_has_customers(shop):
    shop.write(ROWS, "sales.csv")
    shop.write("who,since\n7,2024-01-01\nPOS-WALKIN,2024-01-01\n", "people.csv")
    people = {"files": "people.csv", "columns": {"customer_id": "who", "joined_on": "since"}}
    shop.describe({"files": "sales.csv"}, {"accounts": {"exclude": ["POS-WALKIN"]}}, customers=people)
    shop.land()
    assert shop.query("select customer_id from ingest.customers") == [("7",)]


def test_the_guard_is_told_what_each_source_says(shop):
    shop.describe(top={"accounts": {"exclude": ["a", "a"], "include": ["b"]}})
    con = shop.rebuilt()
    raw_views.write_accounts(con, {"shop": resolve_source(str(shop.yaml)).accounts})
    rows = con.execute("select source, customer_id, treatment from ingest.accounts order by all").fetchall()
    assert rows == [("shop", "a", "exclude"), ("shop", "b", "include")]


def test_accounts_that_are_called_so_are_told_too(shop):
    """By id, name or address; a surname, a word within another one and a numbered guest are none."""
    ids = ["TEST-01", "Demo User 3", "POS-WALKIN", "guest", "测试", "GUEST-0042", "contest", "Anna Test", "T100", "qa"]
    known = {
        3: "Test Kunde,",
        4: "Anna Test,",
        5: "Testa Rossa,",
        6: ",demo2@acme.com",
        7: ",a@example.com",
        8: ",attest@x.de",
    }
    sold = [*ids, *(f"K{i}" for i in range(90))]
    shop.write("\n".join([HEADER, *(f"{who},o{n},1,2024-05-01,5" for n, who in enumerate(sold))]) + "\n", "sales.csv")
    shop.write("who,name,mail\n" + "\n".join(f"K{i},{known.get(i, ',')}" for i in range(90)) + "\n", "people.csv")
    people = {"files": "people.csv", "columns": {"customer_id": "who", "full_name": "name", "email": "mail"}}
    shop.describe({"files": "sales.csv"}, customers=people)
    shop.land()
    con = shop.rebuilt()
    raw_views.write_accounts(con, {})
    found = con.execute("select customer_id, treatment from ingest.accounts order by all").fetchall()
    assert [who for who, treatment in found if treatment == "nobody"] == ["POS-WALKIN", "guest"]
    assert [who for who, treatment in found if treatment == "test"] == [
        "Demo User 3",
        "K3",
        "K6",
        "K7",
        "TEST-01",
        "测试",
    ]


def test_a_business_that_is_made_up_as_a_whole_has_no_test_accounts(shop):
    lines = [f"test{n},o{n},1,2024-05-01,5" for n in range(4)]
    shop.write("\n".join([HEADER, *lines]) + "\n")
    shop.describe()
    shop.land()
    con = shop.rebuilt()
    raw_views.write_accounts(con, {})
    assert con.execute("select * from ingest.accounts").fetchall() == []


def test_nobody_is_both_a_customer_and_none(shop):
    shop.describe(top={"accounts": {"exclude": ["a", "b"], "include": ["b"]}})
    with pytest.raises(UserError, match="'b' is in both"):
        resolve_source(str(shop.yaml))


def test_the_remedy_of_the_hint_works(shop):
    """A check that says how to leave out an id is followed by one without the hint."""
    lines = [f"{'GUEST' if n % 2 else n},o{n},1,2024-05-{n % 28 + 1:02},5" for n in range(400)]
    shop.write("\n".join([HEADER, *lines]) + "\n")
    shop.describe()
    assert "accounts: {exclude: ['GUEST']}" in check_source(shop.yaml).render()
    shop.describe(top={"accounts": {"exclude": ["GUEST"]}})
    report = check_source(shop.yaml)
    assert report.ok and "GUEST" not in report.render()


def test_an_account_is_named_as_the_files_write_it_or_as_the_tables_have_it(shop, monkeypatch):
    """With `hash` nobody knows the published id by heart; one who copies it from a list may write it too."""
    monkeypatch.setenv("ID_KEY", "k" * 16)
    shop.write(f"{HEADER}\nA@x.com,o1,1,2024-05-01,5\nPos@x.com,o2,1,2024-05-01,6\nb@x.com,o3,1,2024-05-01,7\n")
    table = {"columns": {**COLUMNS, "customer_id": {"column": "who", "case": "lower", "hash": "ID_KEY"}}}
    shop.describe(table, {"accounts": {"exclude": ["POS@x.com"], "include": ["b@x.com"]}})
    shop.land()
    found = dict(shop.query("select order_id, customer_id from ingest.transactions"))
    assert set(found) == {"o1", "o3"} and counts(shop) == [(3, 2, 0, 1)]
    said = resolve_source(str(shop.yaml)).accounts
    assert said.include == (found["o3"],) and len(said.exclude) == 1 and "@" not in str(said)
    shop.describe(table, {"accounts": {"exclude": ["POS@x.com", found["o1"]]}})
    shop.land()
    assert shop.query("select order_id from ingest.transactions") == [("o3",)]


def test_an_account_is_found_whatever_the_case_where_ids_are_written_in_one(shop):
    shop.write(ROWS.replace("POS-WALKIN", "Pos-Walkin"))
    columns = {**COLUMNS, "customer_id": {"column": "who", "case": "upper"}}
    for said in ("Pos-Walkin", "POS-WALKIN", "pos-walkin"):
        shop.describe({"columns": columns}, {"accounts": {"exclude": [said]}})
        shop.land()
        assert counts(shop) == [(4, 1, 1, 2)]
