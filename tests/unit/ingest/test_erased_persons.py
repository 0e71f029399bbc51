"""Somebody is erased from what was landed, and comes again in an old extract: dropped, and counted."""

import json

import pytest
from landed_shop import HEADER, Shop

from assets.ingest.batches import read_batches
from assets.ingest.redrive import redrive_batch
from assets.publish.marts import NO_MARTS
from assets.shared.erasure_ledger import Fingerprints, is_under_way, read_ledger
from assets.shared.errors import UserError
from assets.shared.lock import home_lock
from pipelines.erasure import erase as erasing
from pipelines.erasure.erase import Erased, erase
from pipelines.erasure.persons import Request, read_holds, read_requests

PERSON, MAIL = "zz90210", "canary@nest.example"
SALES = [
    "7,o1,1,2024-05-01,5.00",
    f"{PERSON},o2,1,2024-05-01,6.00",
    f"{PERSON},o3,1,2024-05-02,7.50",
    f"{PERSON},o4,1,2024-05-03,much",
    f"{PERSON},o5",
    "8,o6,1,2024-05-03,many",
]
PEOPLE = f"who,mail,name,zip\n7,a@x.example,Bo Bell,11\n{PERSON},{MAIL},Cy Canary,11\nzz90211,{MAIL}2,Cy Canary,12\n"
ALIASES = f"old,new\n{PERSON},zz90211\n"


def written(shop: Shop, sales: list[str]) -> None:
    shop.write("\n".join([HEADER, *sales, ""]), "sales.csv")
    shop.write(PEOPLE, "people.csv")
    shop.write(ALIASES, "aliases.csv")
    shop.describe(
        {"files": "sales.csv"},
        customers={
            "files": "people.csv",
            "columns": {"customer_id": "who", "email": "mail", "full_name": "name", "postal_code": "zip"},
        },
        customer_aliases={"files": "aliases.csv", "columns": {"old_customer_id": "old", "customer_id": "new"}},
    )


@pytest.fixture
def landed(shop) -> Shop:
    written(shop, SALES)
    shop.land()
    return shop


def erased(shop: Shop, *ids: str, holds: dict[str, str] | None = None, basis: str = "GDPR 17(1)(b)") -> Erased:
    requests = [Request(one, basis) for one in ids]
    return erase(shop.settings, requests, holds or {}, lambda _: None, lambda: NO_MARTS)


def counts(shop: Shop) -> list[tuple]:
    found = shop.query(
        "select entity, rows_in, rows_accepted, rows_quarantined, rows_left_out, rows_erased from ingest.batches"
        " order by entity, loaded_at"
    )
    assert all(row[1] == row[2] + row[3] + row[4] and row[5] <= row[4] for row in found)
    return found


def in_home(shop: Shop, word: str) -> list[str]:
    """Rows of the home's tables that hold a word."""
    tables = ("ingest.transactions", "ingest.customers", "personal.customers", "ingest.customer_aliases",
              "personal.quarantined_rows", "ingest.batches")  # fmt: skip
    return [
        row[0]
        for table in tables
        for row in shop.query(f"select cast(t as varchar) from {table} as t")
        if word in row[0]
    ]


def test_rows_stay_in_the_sums_and_the_person_goes(landed):
    before = landed.query("select count(*), sum(amount), count(distinct customer_id) from ingest.transactions")
    done = erased(landed, PERSON)
    assert (done.n_persons, done.n_ids) == (1, 2), "the id that took its place is the same person"
    assert landed.query("select count(*), sum(amount), count(distinct customer_id) from ingest.transactions") == before
    for word in (PERSON, "zz90211", MAIL, "Cy Canary", "o2", "o3"):
        assert not in_home(landed, word), word
    old, new = landed.query("select old_customer_id, customer_id from ingest.customer_aliases")[0]
    assert old.startswith("erased:") and new.startswith("erased:") and old != new
    known = landed.query("select customer_id from ingest.transactions where customer_id like 'erased:%'")
    assert known == [(old,), (old,)], "one pseudonym in every table"
    assert landed.query("select has_email, has_full_name from ingest.customers order by customer_id")[0] == (True, True)
    assert done.by_area["raw"]["rows_before"] == done.by_area["raw"]["rows_after"]


def test_quarantined_rows_of_the_person_count_as_left_out(landed):
    assert ("transactions", 6, 3, 3, 0, 0) in counts(landed)
    erased(landed, PERSON)
    assert ("transactions", 6, 3, 1, 2, 2) in counts(landed)
    assert [row[0] for row in landed.query("select raw_text from personal.quarantined_rows")] == [SALES[-1]]


def test_whoever_comes_again_in_an_old_extract_is_dropped_and_counted(landed):
    erased(landed, PERSON)
    sums = "select count(*), sum(amount) from ingest.transactions"
    before = landed.query(sums)
    assert not [batch for batch in landed.land() if batch.is_new], "the same files change nothing"
    written(landed, [*SALES, "9,o7,1,2024-05-04,1.00", "zz90211,o8,1,2024-05-04,2.00"])
    landed.land()
    assert ("transactions", 8, 2, 1, 5, 5) in counts(landed)
    for word in (PERSON, "zz90211", MAIL):
        assert not in_home(landed, word), word
    # What the new extract repeats of others is a duplicate for staging to find; the person's own rows are not doubled.
    assert landed.query(sums)[0][0] == before[0][0] + 2


def test_a_re_drive_accepts_nobody_who_is_erased(landed):
    """Rows that came before the erasure's fingerprints, as a backup that is restored brings them."""
    prints = Fingerprints.of_home(landed.home, make_key=True)
    (landed.home / "ledgers").mkdir()
    (landed.home / "ledgers" / "erasures.jsonl").write_text(
        json.dumps({"status": "erased", "fingerprints": [prints.of(PERSON)], "previous": ""}) + "\n"
    )
    (batch,) = [b for b in read_batches(landed.settings, ["shop"]) if b.rows_quarantined]
    redrive_batch(landed.settings, batch, landed.source().template("transactions"))
    assert ("transactions", 6, 3, 1, 2, 2) in counts(landed)


def test_a_second_erasure_changes_no_batch(landed):
    erased(landed, PERSON)
    before = {path: path.read_bytes() for path in (landed.home / "raw").rglob("*.parquet")}
    done = erased(landed, PERSON)
    assert {path: path.read_bytes() for path in (landed.home / "raw").rglob("*.parquet")} == before
    assert not done.by_area and done.n_persons == 1
    assert [line["status"] for line in read_ledger(landed.home)] == ["erased", "done"] * 2


@pytest.mark.parametrize("kept_files", range(6))
def test_a_kill_between_any_two_files_is_made_good_by_the_next_call(landed, monkeypatch, kept_files):
    real, seen = erasing._erase_file, []

    def killed(*arguments):
        if len(seen) == kept_files:
            raise KeyboardInterrupt
        seen.append(arguments)
        real(*arguments)

    monkeypatch.setattr(erasing, "_erase_file", killed)
    with pytest.raises(KeyboardInterrupt):
        erased(landed, PERSON)
    monkeypatch.undo()
    assert is_under_way(landed.home)
    with pytest.raises(UserError, match="begun and has not ended"), home_lock(landed.settings):
        raise AssertionError("a run would begin")
    erased(landed)
    assert not is_under_way(landed.home) and not list(landed.home.glob(".erasing*"))
    assert not in_home(landed, PERSON) and not in_home(landed, MAIL)
    names = {row[0] for row in landed.query("select customer_id from ingest.transactions")}
    assert len([name for name in names if name.startswith("erased:")]) == 1, "the pseudonym of before"
    (request, done) = read_ledger(landed.home)
    assert request["status"] == "erased" and done["resumed"] == 1
    assert ("transactions", 6, 3, 1, 2, 2) in counts(landed)
    assert done["rewritten"]["quarantine"] == {
        "files": 1, "rows_before": 3, "rows_after": 1, "rows_of_persons": 2
    }, "what was done before the kill counts"  # fmt: skip


def test_a_legal_hold_refuses_also_by_another_id_of_the_person(landed):
    done = erased(landed, PERSON, "7", holds={"zz90211": "court 12/24"})
    assert done.refused == {PERSON: "court 12/24"} and done.n_persons == 1
    assert in_home(landed, PERSON) and not landed.query("select 1 from ingest.transactions where customer_id = '7'")
    text = (landed.home / "ledgers" / "erasures.jsonl").read_text()
    assert "court 12/24" in text and PERSON not in text and "zz90211" not in text
    assert counts(landed), "who is held is no erased person: nothing of them is dropped"
    written(landed, [*SALES, f"{PERSON},o9,1,2024-05-05,1.00"])
    landed.land()
    assert landed.query("select count(*) from ingest.transactions where order_id = 'o9'") == [(1,)]


def test_an_id_that_is_nowhere_is_told_and_an_erased_one_is_not(landed):
    assert erased(landed, "zz9021O").not_found == ["zz9021O"], "a slip of the pen erases nobody"
    assert erased(landed, "zz90211").not_found == [], "an id of an alias table"
    assert erased(landed, PERSON, "7").not_found == [], "erased before, and there"
    text = (landed.home / "ledgers" / "erasures.jsonl").read_text()
    assert "zz9021O" not in text and text.count('"not_found": true') == 1


def test_the_ledger_is_not_rewritten_by_a_later_erasure(landed):
    """A customer may be called as the user who gave the command, or be named by the reason of a hold."""
    request = [Request(PERSON, "GDPR 17(1)(b)")]
    erase(landed.settings, request, {PERSON: f"suit of {MAIL}"}, lambda _: None, lambda: NO_MARTS, by="Bo Bell")
    erased(landed, PERSON, "7")
    lines = read_ledger(landed.home)
    assert lines[0]["by"] == "Bo Bell" and lines[0]["hold"] == "suit of erased"
    assert not in_home(landed, "Bo Bell")


def test_a_basis_that_names_the_person_is_refused(landed):
    with pytest.raises(UserError, match="says who it is"):
        erased(landed, PERSON, basis=f"letter of {MAIL}")
    assert not is_under_way(landed.home)


def test_files_of_requests_and_holds_say_which_row_is_wrong(tmp_path):
    from datetime import date

    path = tmp_path / "r.csv"
    path.write_text("customer_id,basis\n1,GDPR\n2,\n")
    with pytest.raises(UserError, match="row 3: basis is empty"):
        read_requests(path)
    path.write_text("id,basis\n")
    with pytest.raises(UserError, match="no column customer_id"):
        read_requests(path)
    path.write_text("customer_id,reason,until\n1,a,2024-05-01\n2,b,2024-05-02\n3,c,\n")
    assert read_holds(path, date(2024, 5, 2)) == {"2": "b", "3": "c"}, "the last day is in force"
    path.write_text("customer_id,reason,until\n1,a,soon\n")
    with pytest.raises(UserError, match="row 2: until 'soon' is no date"):
        read_holds(path, date(2024, 5, 2))
    assert read_holds(tmp_path / "none.csv", date(2024, 5, 2)) == {}
