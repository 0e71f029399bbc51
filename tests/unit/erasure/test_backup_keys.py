"""What a backup holds of a person is read with the person's key, and with nothing once the key is gone."""

import csv
import gzip
import json
import tarfile
from datetime import date
from pathlib import Path

import duckdb
import pytest

from assets.ingest.batches import read_all_batches
from assets.publish.marts import NO_MARTS
from assets.shared.erasure_ledger import read_ledger
from assets.shared.home_layout import LAYOUT
from assets.shared.settings import Settings, prepare_home
from pipelines.backup_keys import NAME, open_keys
from pipelines.cli import main
from pipelines.erasure.erase import erase
from pipelines.erasure.persons import Request
from pipelines.home_archive import LIST, back_up, restore

ANN = ("ann@canary.example", "+4930111222", "Ann Canary", "10999")
BOB = ("bob@canary.example", "+4930333444", "Bob Canary", "20999")
REFUSED = "x;broken;carl@canary.example"
CANARIES = [value.encode() for value in (*ANN, *BOB, "carl@canary.example", "1971-02-03")]


def batch(home: Path, entity: str, rows: str, **counts: int) -> None:
    folder = home / "raw" / "shop" / entity / "b1"
    folder.mkdir(parents=True)
    with duckdb.connect() as con:
        con.execute(f"copy ({rows}) to '{folder}/data.parquet' (format parquet)")
    facts = {
        "batch_id": "b1",
        "source": "shop",
        "entity": entity,
        "file": "f.csv",
        "size_bytes": 1,
        "sha256": "0",
        "mapping": "m",
        "days": [],
        "first_occurred_at": None,
        "last_occurred_at": None,
        "loaded_at": "2024-01-01 00:00:00",
        **{"rows_in": 2, "rows_accepted": 2, "rows_quarantined": 0, **counts},
    }
    (folder / "batch.json").write_text(json.dumps(facts))


@pytest.fixture
def home(tmp_path) -> Path:
    made = tmp_path / "shop"
    prepare_home(Settings(home=made, sources=("completejourney",)))
    (made / "home.json").write_text(json.dumps({"layout": LAYOUT}))
    (made / "home.yml").write_text("sources: [completejourney]\n")
    people = " union all ".join(
        f"select '{one}' as customer_id, date '2020-01-01' as joined_on, {born} as birth_date, '{mail}' as email,"
        f" '{phone}' as phone, '{name}' as full_name, '{place}' as postal_code, 'north' as region"
        for one, born, (mail, phone, name, place) in (
            ("c-ann-1", "date '1971-02-03'", ANN),
            ("c-bob-2", "null::date", BOB),
        )
    )
    batch(made, "customers", people)
    batch(
        made,
        "transactions",
        "select 'c-ann-1' as customer_id, timestamp '2024-01-01 10:00:00' as occurred_at, 5 as amount union all"
        " select 'c-bob-2', timestamp '2024-01-02 10:00:00', 7",
        rows_in=3,
        rows_quarantined=1,
    )
    refused = made / "quarantine" / "shop" / "transactions" / "b1.parquet"
    refused.parent.mkdir(parents=True)
    with duckdb.connect() as con:
        con.execute(
            f"copy (select 'b1' as batch_id, 'shop' as source, 'transactions' as entity, 'f.csv' as file,"
            f" 3::bigint as line_number, 'r' as rule, 'because' as reason, '{REFUSED}' as raw_text, null::date as day)"
            f" to '{refused}' (format parquet)"
        )
    export = made / "exports" / "2024-01-03" / "email.csv"
    export.parent.mkdir(parents=True)
    with export.open("w", newline="") as file:
        csv.writer(file).writerows([["contact_id", "customer_id", "address"], ["1", "c-bob-2", BOB[0]]])
    return made


def people(home: Path) -> list[tuple]:
    with duckdb.connect() as con:
        return con.execute(
            "select customer_id, birth_date, email, phone, full_name, postal_code, region from read_parquet(?)",
            [str(home / "raw" / "shop" / "customers" / "b1" / "data.parquet")],
        ).fetchall()


def in_clear(archive: Path) -> list[bytes]:
    """Canaries in the unpacked archive, and in the values of its tables, however they are compressed."""
    found = [value for value in CANARIES if value in gzip.decompress(archive.read_bytes())]
    with tarfile.open(archive) as tar, duckdb.connect() as con:
        for member in tar.getmembers():
            if member.name.endswith(".parquet"):
                target = archive.with_name("member.parquet")
                target.write_bytes(tar.extractfile(member).read())  # type: ignore[union-attr]
                try:
                    text = str(con.execute(f"select * from read_parquet('{target}')").fetchall()).encode()
                except duckdb.Error:
                    continue  # encrypted whole
                found += [value for value in CANARIES if value in text]
    return found


def forget(home: Path, *ids: str) -> None:
    settings = Settings(home=home, sources=())
    erase(settings, [Request(one, "GDPR 17(1)(b)") for one in ids], {}, lambda _: None, lambda: NO_MARTS)


def test_with_the_keys_everything_comes_back_and_no_backup_shows_it(home, tmp_path):
    (home / "warehouse.duckdb").write_bytes(b"ann@canary.example")
    before, archive = people(home), tmp_path / "a.tar.gz"
    back_up(home, archive, lambda _: None)
    assert in_clear(archive) == []
    with tarfile.open(archive) as tar:
        names = {member.name for member in tar.getmembers()}
    assert not {NAME, "warehouse.duckdb"} & names and LIST in names
    assert (home / NAME).stat().st_mode & 0o777 == 0o600
    again = tmp_path / "again"
    restore(archive, again, home / NAME)
    assert people(again) == before and before[0][1] == date(1971, 2, 3)
    for name in ("quarantine/shop/transactions/b1.parquet", "exports/2024-01-03/email.csv"):
        assert (again / name).read_bytes() == (home / name).read_bytes()
        assert (again / name).stat().st_mode & 0o777 == (home / name).stat().st_mode & 0o777


def test_without_the_keys_the_home_is_there_and_nobody_is_named(home, tmp_path):
    back_up(home, tmp_path / "a.tar.gz", lambda _: None)
    made = restore(tmp_path / "a.tar.gz", tmp_path / "again")
    assert people(tmp_path / "again") == [
        ("c-ann-1", None, None, None, None, None, "north"),
        ("c-bob-2", None, None, None, None, None, "north"),
    ]
    assert made.n_unreadable == 2 and not (tmp_path / "again/exports/2024-01-03/email.csv").exists()
    (sales,) = read_all_batches(Settings(home=tmp_path / "again", sources=()), ["shop"], "transactions")
    assert (sales.rows_in, sales.rows_accepted, sales.rows_quarantined, sales.rows_left_out) == (3, 2, 0, 1)


def test_who_is_erased_after_the_backup_is_gone_after_the_restore(home, tmp_path, monkeypatch, capsys):
    archive, again = tmp_path / "a.tar.gz", tmp_path / "again"
    back_up(home, archive, lambda _: None)
    forget(home, "c-ann-1")
    assert main(["restore", str(archive), "--home", str(again), "--keys", str(home / NAME)]) == 0
    assert "1 ids that were erased after the backup were erased again" in capsys.readouterr().out
    ann, bob = people(again)
    assert ann[0].startswith("erased:") and ann[1:6] == (None,) * 5
    assert bob == ("c-bob-2", None, *BOB, "north")
    for path in again.rglob("*"):
        if path.is_file() and path.name != NAME:
            assert b"c-ann-1" not in path.read_bytes(), path
    (request, done) = read_ledger(again)
    assert request["basis"] == "erased after the backup that was restored" and done["status"] == "done"
    # The key is gone: not even somebody who takes the ledger away can read the person out of the old backup.
    with open_keys(home / NAME) as keys:
        assert keys.of_person("c-ann-1") is None and keys.is_destroyed("c-ann-1") and keys.of_person("c-bob-2")
    restore(archive, tmp_path / "raw", home / NAME)
    assert people(tmp_path / "raw")[0] == ("c-ann-1", None, None, None, None, None, "north")


def test_a_file_from_which_a_person_was_taken_cannot_be_read_in_old_backups(home, tmp_path):
    """The export names Bob; a backup made after his erasure has a key of its own for it."""
    old, new = tmp_path / "old.tar.gz", tmp_path / "new.tar.gz"
    back_up(home, old, lambda _: None)
    forget(home, "c-bob-2")
    back_up(home, new, lambda _: None)
    restore(old, tmp_path / "of-old", home / NAME)
    restore(new, tmp_path / "of-new", home / NAME)
    export = "exports/2024-01-03/email.csv"
    assert not (tmp_path / "of-old" / export).exists()
    assert (tmp_path / "of-new" / export).read_text() == (home / export).read_text()
    assert (tmp_path / "of-old/quarantine/shop/transactions/b1.parquet").exists()


def test_a_backup_in_the_home_is_packed_again_and_still_opens(home, tmp_path):
    back_up(home, tmp_path / "a.tar.gz", lambda _: None)
    (tmp_path / "a.tar.gz").rename(home / "a.tar.gz")
    forget(home, "c-bob-2")
    restore(home / "a.tar.gz", tmp_path / "again", home / NAME)
    ann, bob = people(tmp_path / "again")
    assert ann == ("c-ann-1", date(1971, 2, 3), *ANN, "north") and bob[0].startswith("erased:") and bob[2] is None
    assert in_clear(home / "a.tar.gz") == []


def test_the_keys_may_lie_elsewhere(home, tmp_path, monkeypatch):
    place = tmp_path / "safe.keys"
    monkeypatch.setenv("HOLDFAST_BACKUP_KEYS", str(place))
    back_up(home, tmp_path / "a.tar.gz", lambda _: None)
    assert place.stat().st_mode & 0o777 == 0o600 and not (home / NAME).exists()
    forget(home, "c-ann-1")
    with open_keys(place) as keys:
        assert keys.is_destroyed("c-ann-1")
    assert main(["restore", str(tmp_path / "a.tar.gz"), "--home", str(tmp_path / "again")]) == 0
    assert people(tmp_path / "again")[0][0].startswith("erased:") and not (tmp_path / "again" / NAME).exists()


def test_a_destroyed_key_is_no_byte_of_the_file_any_more(tmp_path):
    with open_keys(tmp_path / NAME) as keys:
        key = keys.make_person("c1")
        keys.save()
        assert key and key in (tmp_path / NAME).read_bytes()
        keys.destroy(["c1"], [])
        keys.destroy(["c1"], [])
        assert keys.make_person("c1") is None
    assert key not in (tmp_path / NAME).read_bytes()


def test_keys_that_are_not_there_are_an_error_before_anything_is_made(home, tmp_path, capsys):
    back_up(home, tmp_path / "a.tar.gz", lambda _: None)
    assert main(["restore", str(tmp_path / "a.tar.gz"), "--home", str(tmp_path / "x"), "--keys", "/none.keys"]) != 0
    assert "/none.keys is not there" in capsys.readouterr().err and not (tmp_path / "x").exists()
