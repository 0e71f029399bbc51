"""Batches: nothing lost, nothing doubled, nothing half there; and the tables that are made from them."""

import json
import shutil
import subprocess
import sys
from datetime import date, datetime

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from landed_shop import COLUMNS, HEADER, Shop

from assets.ingest.canonical import ENTITIES
from assets.ingest.lost_columns import refuse_lost
from assets.ingest.refusals import FileRefused
from assets.shared.leftovers import sweep_leftovers

GOOD = "7,o1,1,2024-05-01 10:00,5.00"
WITHOUT_IDS = {"customer_id": "who", "occurred_at": "when", "amount": "money"}


def content(*orders: str) -> str:
    return "\n".join([HEADER, *(GOOD.replace("o1", order) for order in orders), ""])


def orders(shop) -> list[str]:
    return [order for (order,) in shop.query("select order_id from ingest.transactions order by 1")]


# -- nothing lost -----------------------------------------------------------------------------------------------------


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


_cell = st.one_of(
    st.sampled_from(["", "7", "o1", "2024-05-01", "31.12.2024", "5", "-5.5", "NaN"]),
    st.sampled_from(['"', '""', 'a"b', '"x', 'x"', "\r"]),
    st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=6),
)
_line = st.one_of(
    st.lists(_cell, min_size=1, max_size=8).map(",".join),
    st.lists(_cell, min_size=5, max_size=5).map(lambda cells: ",".join(_quoted(cell) for cell in cells)),
)


@given(lines=st.lists(_line, max_size=25), keyed=st.booleans(), refuse_repeats=st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_line_of_a_random_file_is_accepted_or_quarantined(tmp_path_factory, lines, keyed, refuse_repeats):
    shop = Shop(tmp_path_factory.mktemp("shop"))
    text = "\n".join([HEADER, *lines])
    shop.write(text.encode("utf-8"))
    shop.describe(
        {
            "columns": COLUMNS if keyed else WITHOUT_IDS,
            "exact_duplicates": "quarantine" if refuse_repeats else "keep",
        }
    )
    (batch,) = shop.land()
    accepted = shop.query("select count(*) from ingest.transactions")[0][0]
    kept = shop.query("select line_number, raw_text, rule, reason from personal.quarantined_rows order by 1")
    assert (batch.rows_accepted, batch.rows_quarantined) == (accepted, len(kept))
    assert batch.rows_in == accepted + len(kept)
    # Counted by other means: every physical line that is not blank lies in one record at most, and none is left out.
    physical = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    n_lines = sum(1 for line in physical[1:] if line.strip(" "))
    assert batch.rows_in <= n_lines
    if '"' not in text:
        assert batch.rows_in == n_lines
    for line_number, raw_text, rule, reason in kept:
        assert raw_text.split("\n")[0] == physical[line_number - 1]
        assert rule and reason


@given(rows=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(-500, 500)), max_size=12))
@settings(max_examples=12, deadline=None)
def test_good_rows_come_out_as_they_went_in(tmp_path_factory, rows):
    shop = Shop(tmp_path_factory.mktemp("shop"))
    lines = [f'{who},"{who};{n}","{n}",2024-05-0{who},"{cents / 100:.2f}"' for n, (who, _, cents) in enumerate(rows)]
    shop.write("\n".join([HEADER, *lines]))
    shop.describe()
    shop.land()
    found = shop.query("select customer_id, order_id, cast(amount * 100 as int) from ingest.transactions order by all")
    assert found == sorted((str(who), f"{who};{n}", cents) for n, (who, _, cents) in enumerate(rows))


def lost(n_rows: int, n_bad: int, rule: str = "amount_not_a_number") -> bool:
    """Is a file of `n_rows`, `n_bad` of which break the rule, refused as a whole?"""
    con = duckdb.connect()
    con.execute(
        "create table converted as "
        "select case when i < ? then ? end as rule, 'five: no' as reason from range(?) as t (i)",
        [n_bad, rule, n_rows],
    )
    try:
        refuse_lost(con, "sales.csv", ENTITIES["transactions"], n_rows)
    except FileRefused:
        return True
    return False


@pytest.mark.parametrize(
    ("n_rows", "n_bad", "is_lost"),
    [(20, 10, False), (20, 11, True), (19, 19, False), (1000, 500, False), (1000, 501, True)],
)
def test_a_column_is_lost_when_more_than_half_of_at_least_twenty_rows_fail_in_it(n_rows, n_bad, is_lost):
    assert lost(n_rows, n_bad) == is_lost
    assert not lost(n_rows, n_bad, "quantity_not_a_number"), "a column that may be missing"


# -- nothing doubled --------------------------------------------------------------------------------------------------


def test_landing_again_changes_nothing(shop):
    shop.write(content("o1") + "broken\n")
    shop.describe()
    first = shop.land()
    tree = {path: path.stat().st_mtime_ns for path in shop.home.rglob("*")}
    second = shop.land()
    assert [b.is_new for b in first] == [True]
    assert [b.is_new for b in second] == [False]
    assert first[0].batch_id == second[0].batch_id
    assert {path: path.stat().st_mtime_ns for path in shop.home.rglob("*")} == tree


def test_the_same_file_under_two_names_is_one_batch(shop):
    shop.write(content("o1"), "a.csv")
    shop.write(content("o1"), "b.csv")
    shop.describe({"columns": WITHOUT_IDS})
    first, second = shop.land()
    assert first.batch_id == second.batch_id
    assert shop.query("select count(*), min(file) from ingest.batches") == [(1, "a.csv")]
    assert shop.query("select count(*) from ingest.transactions") == [(1,)]


def test_a_moved_file_is_the_same_batch(shop):
    shop.write(content("o1"), "a.csv").rename(shop.folder / "archive.csv")
    shop.describe()
    assert [b.is_new for b in shop.land()] == [True]
    (shop.folder / "archive.csv").rename(shop.folder / "z.csv")
    assert [b.is_new for b in shop.land()] == [False]


def test_batches_stay_when_their_files_are_taken_away(shop):
    shop.write(content("o1"), "may.csv")
    shop.describe()
    shop.land()
    (shop.folder / "may.csv").unlink()
    shop.write(content("o2"), "june.csv")
    shop.land()
    assert orders(shop) == ["o1", "o2"]


def test_another_mapping_replaces_the_batch_and_the_old_one_can_return(shop):
    shop.write(content("o1") + "x,o9,1,bad,5\n")
    shop.describe({"columns": WITHOUT_IDS})
    (old,) = shop.land()
    shop.describe({"columns": COLUMNS})
    (new,) = shop.land()
    assert new.batch_id != old.batch_id
    assert orders(shop) == ["o1"], "the same lines must not stand there twice"
    assert shop.query("select count(*), count(distinct batch_id) from personal.quarantined_rows") == [(1, 1)]
    shop.describe({"columns": WITHOUT_IDS})
    assert [b.batch_id for b in shop.land()] == [old.batch_id]
    assert orders(shop) == ["7@2024-05-01"]


def test_a_file_that_grew_adds_a_batch_where_rows_have_ids(shop):
    shop.write(content("o1"))
    shop.describe()
    shop.land()
    shop.write(content("o1", "o2"))
    assert [b.is_new for b in shop.land()] == [True]
    assert shop.query("select count(*) from ingest.batches") == [(2,)]


def test_a_file_that_changed_without_ids_asks_what_it_means(shop):
    shop.write(content("o1"))
    shop.describe({"columns": WITHOUT_IDS})
    shop.land()
    shop.write(content("o1", "o2"))
    assert shop.land() == []
    assert shop.query("select count(*) from ingest.transactions") == [(1,)], "what was landed before stays"
    ((file, rule, remedy),) = shop.query("select file, rule, remedy from ingest.refused_files")
    assert (file, rule) == ("sales.csv", "changed_without_ids")
    assert "file_changes" in remedy
    shop.describe({"columns": WITHOUT_IDS, "file_changes": "replace"})
    shop.land()
    assert shop.query("select count(*) from ingest.transactions") == [(2,)]


def test_a_file_that_holds_only_what_is_new(shop):
    shop.describe({"columns": WITHOUT_IDS, "file_changes": "add"})
    for order in ("o1", "o2"):
        shop.write(content(order))
        shop.land()
    assert shop.query("select count(*) from ingest.transactions") == [(2,)]


# -- nothing half there -----------------------------------------------------------------------------------------------


def test_a_landing_that_dies_before_the_rename_leaves_no_batch(shop, monkeypatch):
    shop.write(content("o1") + "broken\n")
    shop.describe()

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("assets.shared.files._sync_folder", die)
        with pytest.raises(KeyboardInterrupt):
            shop.land()
    assert orders(shop) == []
    assert shop.query("select count(*) from personal.quarantined_rows") == [(0,)]
    assert [b.is_new for b in shop.land()] == [True]
    assert orders(shop) == ["o1"]


KILLED_WHILE_LANDING = """
import os, sys
from pathlib import Path
from assets.ingest.sources import resolve_source
from assets.shared import files
from assets.shared.settings import Settings
files._sync_folder = lambda folder: os._exit(9)
resolve_source(sys.argv[1]).land(Settings(home=Path(sys.argv[2]), sources=("shop",)))
"""


def test_left_overs_of_dead_landings_are_removed(shop):
    shop.write(content("o1"))
    shop.describe()
    arguments = [sys.executable, "-c", KILLED_WHILE_LANDING, str(shop.yaml), str(shop.home)]
    assert subprocess.run(arguments, check=False).returncode == 9
    (left,) = (shop.settings.raw / "shop" / "transactions").iterdir()
    assert left.name.startswith(".tmp-") and orders(shop) == []
    assert sweep_leftovers(shop.settings) == [left] and not left.exists()
    shop.land()
    assert orders(shop) == ["o1"]


def test_two_landings_of_one_file_at_once_give_one_batch(shop, monkeypatch):
    shop.write(content("o1"))
    shop.describe()

    def the_other_was_faster(folder):
        shutil.copytree(folder, folder.with_name(folder.name.split("-")[1]))

    monkeypatch.setattr("assets.shared.files._sync_folder", the_other_was_faster)
    shop.land()
    assert orders(shop) == ["o1"]
    assert [path.name for path in (shop.settings.raw / "shop" / "transactions").iterdir()] == [
        shop.query("select batch_id from ingest.batches")[0][0]
    ]


def test_a_mismatch_of_counts_is_never_written(shop, monkeypatch):
    shop.write(content("o1"))
    shop.describe()
    monkeypatch.setattr("assets.ingest.landing.count_records", lambda *_: 2)
    with pytest.raises(RuntimeError, match="2 rows in the file, but 1 rows converted"):
        shop.land()
    assert not list(shop.settings.raw.rglob("batch.json"))


# -- what is on disk and in the warehouse -----------------------------------------------------------------------------


def test_a_batch_on_disk(shop):
    shop.write(content("o2", "o1") + ",,,,\n")
    shop.describe()
    (batch,) = shop.land()
    folder = shop.settings.raw / "shop" / "transactions" / batch.batch_id
    assert sorted(path.name for path in folder.iterdir()) == ["batch.json", "data.parquet"]
    facts = json.loads((folder / "batch.json").read_text())
    assert (facts["rows_in"], facts["rows_accepted"], facts["rows_quarantined"]) == (3, 2, 1)
    assert facts["first_occurred_at"] == "2024-05-01 10:00:00"
    assert facts["days"] == [["2024-05-01", 2]]
    assert len(facts["sha256"]) == 64
    assert (shop.settings.quarantine / "shop" / "transactions" / f"{batch.batch_id}.parquet").is_file()
    described = duckdb.connect().execute(f"select * from '{folder / 'data.parquet'}' limit 0").description
    expected = {c.name: c.type for c in ENTITIES["transactions"].columns} | {"source": "varchar", "batch_id": "varchar"}
    assert {name: str(kind).lower() for name, kind, *_ in described} == expected


def test_rows_are_sorted_by_time_then_customer(shop):
    shop.write(f"{HEADER}\n9,a,1,2024-05-02,1\n8,b,1,2024-05-01,1\n7,c,1,2024-05-02,1\n")
    shop.describe()
    (batch,) = shop.land()
    data = shop.settings.raw / "shop" / "transactions" / batch.batch_id / "data.parquet"
    assert duckdb.connect().execute(f"select customer_id from '{data}'").fetchall() == [("8",), ("7",), ("9",)]


def test_the_tables_of_the_warehouse(shop):
    shop.write(content("o1") + "8,o2,1,2024-05-03,5\nbroken\n")
    shop.write("who,born\n1,1990-01-01\n", "people.txt")
    customers = {"files": "people.txt", "columns": {"customer_id": "who", "birth_date": "born"}}
    shop.describe({"files": "sales.csv"}, customers=customers)
    sales = next(batch for batch in shop.land() if batch.entity == "transactions")
    ledger = shop.query("select entity, file, rows_in, rows_accepted, rows_quarantined from ingest.batches order by 1")
    assert ledger == [("customers", "people.txt", 1, 1, 0), ("transactions", "sales.csv", 3, 2, 1)]
    assert shop.query("select first_occurred_at, last_occurred_at from ingest.batches order by entity") == [
        (None, None),
        (datetime(2024, 5, 1, 10), datetime(2024, 5, 3)),
    ]
    assert shop.query("select * from ingest.batch_days order by day") == [
        (sales.batch_id, date(2024, 5, 1), 1, "shop"),
        (sales.batch_id, date(2024, 5, 3), 1, "shop"),
    ]
    assert shop.query("select batch_id, source, entity, line_number from personal.quarantined_rows") == [
        (sales.batch_id, "shop", "transactions", 4)
    ]
    status = shop.rebuilt().execute("select * from ingest.source_status").fetchdf().iloc[0].to_dict()
    assert status["has_customers"] and not status["has_consents"] and not status["has_channel"]
    assert (status["n_batches"], status["rows_in"], status["rows_quarantined"]) == (2, 4, 1)
    assert [str(status[day])[:10] for day in ("first_day", "last_day")] == ["2024-05-01", "2024-05-03"]


def test_tables_without_a_batch_are_there_typed_and_empty(shop):
    for entity in ENTITIES.values():
        described = shop.rebuilt().execute(f"select * from ingest.{entity.name}").description
        kinds = {name: str(kind).lower() for name, kind, *_ in described}
        shown = {f"has_{c.name}" if c.personal else c.name: "boolean" if c.personal else c.type for c in entity.columns}
        assert kinds == shown | {"source": "varchar", "batch_id": "varchar"}
        assert shop.query(f"select count(*) from ingest.{entity.name}") == [(0,)]
    assert shop.query("select source, has_customers, n_batches, last_day from ingest.source_status") == [
        ("shop", False, 0, None)
    ]


def test_only_selected_sources_are_seen(shop):
    shop.write(content("o1"))
    shop.describe()
    shop.land()
    shop.describe(top={"name": "other"})
    shop.land()
    assert orders(shop) == ["o1"]
    ids = {path.parent.name for path in shop.settings.raw.rglob("batch.json")}
    assert len(ids) == 2, "the same file in two sources is two batches"


def test_a_home_with_wildcards_in_its_name(tmp_path):
    folder = tmp_path / "a[1]b*c"
    folder.mkdir()
    shop = Shop(folder)
    shop.write(content("o1") + "broken\n")
    duckdb.connect().execute(f"copy (select 1 as x) to '{tmp_path}/decoy.parquet'")
    shop.describe()
    shop.land()
    assert orders(shop) == ["o1"]
    assert shop.refused() == [(3, "wrong_number_of_columns")]


def test_progress_says_what_is_landed(shop):
    shop.write(content("o1") + "broken\n")
    shop.describe()
    words: list[str] = []
    shop.source().land(shop.settings, words.append)
    assert words[0] == "landing shop: sales.csv as transactions"
    assert words[1].startswith("landed 1 of 2 rows, 1 quarantined")
