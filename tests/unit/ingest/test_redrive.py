"""Rows leave the quarantine once, under the batch that delivered them, and the counts stay whole."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landed_shop import COLUMNS, HEADER, Shop

from assets.ingest.batches import read_batches
from assets.ingest.redrive import redrive_batch
from assets.shared.errors import UserError
from pipelines.cli import main

ROWS = [
    "7,o1,1,2024-05-01 10:00,5.00",
    "7,o2,1,02.05.2024 10:00,6.00",
    "8,o3,1,03.05.2024 10:00,k. A.",
    "9,o1,1,01.05.2024 11:00,7.00",  # the id of the first row
]
BOTH_FORMATS = {"date_format": ["iso", "%d.%m.%Y %H:%M"]}


def again(shop, rule: str | None = None):
    source = shop.source()
    (batch,) = [b for b in read_batches(shop.settings, ["shop"]) if b.rows_quarantined]
    return redrive_batch(shop.settings, batch, source.template(batch.entity), rule)


def ledger(shop) -> tuple:
    ((rows_in, accepted, quarantined, redriven),) = shop.query(
        "select rows_in, rows_accepted, rows_quarantined, rows_redriven from ingest.batches"
    )
    assert rows_in == accepted + quarantined
    assert shop.query("select count(*) from ingest.transactions") == [(accepted,)]
    assert shop.query("select count(*) from personal.quarantined_rows") == [(quarantined,)]
    return accepted, quarantined, redriven


@pytest.fixture
def landed(shop):
    shop.write("\n".join([HEADER, *ROWS, ""]))
    shop.describe()
    shop.land()
    # The file is gone: what is kept must be enough.
    (shop.folder / "sales.csv").unlink()
    return shop


def test_rows_that_now_parse_are_accepted_once_and_keep_their_batch(landed):
    assert ledger(landed) == (1, 3, 0)
    landed.describe(BOTH_FORMATS)
    done = again(landed)
    assert (done.n_tried, done.n_accepted, done.n_quarantined) == (3, 1, 2)
    assert ledger(landed) == (2, 2, 1)
    assert landed.query("select count(distinct batch_id) from ingest.transactions") == [(1,)]
    assert landed.query("select order_id, cast(amount as double) from ingest.transactions order by 1") == [
        ("o1", 5.0),
        ("o2", 6.0),
    ]
    assert landed.query("select line_number, rule from personal.quarantined_rows order by 1") == [
        (4, "amount_not_a_number"),
        (5, "duplicate_different_content"),
    ], "each stays with the reason of today"


def test_a_second_re_drive_changes_nothing(landed):
    landed.describe(BOTH_FORMATS)
    again(landed)
    before = {path: path.stat().st_mtime_ns for path in landed.home.rglob("*")}
    assert again(landed).n_accepted == 0
    assert {path: path.stat().st_mtime_ns for path in landed.home.rglob("*")} == before


def test_only_rows_of_one_rule_are_tried(landed):
    landed.describe(BOTH_FORMATS)
    assert again(landed, "amount_missing").n_tried == 0
    assert again(landed, "occurred_at_not_a_date").n_accepted == 1
    assert ledger(landed) == (2, 2, 1)


def test_only_the_days_of_the_rows_are_opened_again(landed):
    landed.rebuilt()
    before = landed.query("select batch_id, day from ingest.batch_days")
    landed.describe(BOTH_FORMATS)
    again(landed)
    after = landed.query("select batch_id, day, n_rows from ingest.batch_days order by day")
    assert [(batch, day) for batch, day, _ in after[:1]] == before
    assert [str(day) for _, day, _ in after] == ["2024-05-01", "2024-05-02"]
    assert after[1][0] != after[0][0], "a delivery of its own: the other days stay closed"


def test_a_re_drive_that_dies_before_its_rename_leaves_everything_as_it_was(landed, monkeypatch):
    landed.describe(BOTH_FORMATS)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("assets.shared.files._sync_folder", die)
        with pytest.raises(KeyboardInterrupt):
            again(landed)
    assert ledger(landed) == (1, 3, 0)
    again(landed)
    assert ledger(landed) == (2, 2, 1)


def test_knowledge_time_before_the_re_drive(landed):
    moment = datetime.now(UTC).replace(tzinfo=None)
    landed.describe(BOTH_FORMATS)
    again(landed)
    (then,) = read_batches(landed.settings, ["shop"], knowledge_time=moment)
    (now,) = read_batches(landed.settings, ["shop"])
    assert (then.rows_accepted, then.rows_quarantined) == (1, 3)
    assert (now.rows_accepted, now.rows_quarantined) == (2, 2)


def test_landing_the_file_by_the_mended_mapping_doubles_nothing(landed):
    landed.describe(BOTH_FORMATS)
    again(landed)
    landed.write("\n".join([HEADER, *ROWS, ""]))
    landed.land()
    assert ledger(landed)[:2] == (2, 2)


def test_rows_of_a_parquet_file_are_read_again_with_their_types(shop):
    table = pa.table(
        {
            "who": [7, 8, 9],
            "order": ["a", "b", "c"],
            "line": [1, 1, 1],
            "when": pa.array([datetime(2024, 5, 1, 10)] * 3, pa.timestamp("us")),
            "money": [5.0, float("nan"), 1.5],
            "state": ["new", "new", "old"],
        }
    )
    pq.write_table(table, shop.folder / "sales.parquet")
    columns = COLUMNS | {"currency": "state"}
    shop.describe({"columns": columns | {"discount_amount": "state"}})
    shop.land()
    assert ledger(shop) == (0, 3, 0)
    shop.describe({"columns": columns})
    again(shop)
    assert ledger(shop) == (2, 1, 2)
    found = shop.query("select customer_id, occurred_at, cast(amount as double) from ingest.transactions order by 1")
    assert found == [("7", datetime(2024, 5, 1, 10), 5.0), ("9", datetime(2024, 5, 1, 10), 1.5)]
    assert shop.query("select rule from personal.quarantined_rows") == [("amount_not_finite",)]


@pytest.mark.parametrize("name", ['paid "net"', "paid/net", "paid~1", "$.paid[0]", "it's paid"])
def test_a_parquet_column_of_any_name_is_read_again(shop, name):
    table = {"who": ["7"], "order": ["a"], "line": ["1"], "when": ["2024-05-01"], name: ["1,50"]}
    pq.write_table(pa.table(table), shop.folder / "sales.parquet")
    described = {"columns": COLUMNS | {"amount": name}}
    shop.describe(described)
    shop.land()
    shop.describe(described | {"decimal": ","})
    again(shop)
    assert ledger(shop) == (1, 0, 1)


def test_a_nul_byte_stays_in_quarantine(shop):
    table = {"who": ["a\0b"], "order": ["a"], "line": ["1"], "when": ["2024-05-01"], "money": ["1"]}
    pq.write_table(pa.table(table), shop.folder / "sales.parquet")
    shop.describe()
    shop.land()
    again(shop)
    assert ledger(shop) == (0, 1, 0)


def test_a_mapping_that_needs_a_column_the_file_did_not_have(landed):
    landed.describe({"columns": COLUMNS | {"amount": "price"}})
    with pytest.raises(UserError, match="price"):
        again(landed)
    assert ledger(landed) == (1, 3, 0)


@given(
    words=st.lists(st.sampled_from(["5.00", "6,50", "x", "", "NaN", "1.234,5", '"7', "8;9"]), min_size=1, max_size=12),
    first=st.sampled_from([{}, {"decimal": ","}]),
    then=st.lists(st.sampled_from([{}, {"decimal": ","}, {"decimal": ",", "thousands": "."}]), max_size=3),
)
@settings(max_examples=12, deadline=None)
def test_counts_are_whole_after_any_number_of_re_drives(tmp_path_factory, words, first, then):
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.write("\n".join([HEADER, *(f'{n},o{n},1,2024-05-01,"{word}"' for n, word in enumerate(words))]))
    shop.describe(first)
    (batch,) = shop.land()
    accepted = batch.rows_accepted
    for table in then:
        shop.describe(table)
        for left in read_batches(shop.settings, ["shop"]):
            redrive_batch(shop.settings, left, shop.source().template("transactions"))
        now, _, redriven = ledger(shop)
        assert now >= accepted and redriven == now - batch.rows_accepted
        assert shop.query("select count(*) - count(distinct order_id) from ingest.transactions") == [(0,)]
        accepted = now


# -- The command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(landed, monkeypatch, capsys):
    monkeypatch.setenv("HOLDFAST_HOME", str(landed.home))
    monkeypatch.setenv("HOLDFAST_SOURCES", str(landed.yaml))

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["quarantine", *arguments])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_list_counts_by_batch_and_rule_and_names_refused_files(landed, command):
    landed.write(b"", "broken.csv")
    landed.land()
    code, said = command("list")
    assert code == 0
    assert "occurred_at_not_a_date  (sales.csv)" in said
    assert "4 rows in = 1 accepted (0 of them re-driven) + 3 quarantined" in said
    assert "broken.csv  empty" in said and "remedy:" in said
    assert "k. A." not in said, "counts only"


def test_show_gives_the_place_the_reason_and_the_raw_text(command):
    code, said = command("show", "--rule", "occurred_at_not_a_date", "--limit", "1")
    assert code == 0
    assert "sales.csv line 3" in said and "7,o2,1,02.05.2024 10:00,6.00" in said
    assert "1 of 3 quarantined rows shown" in said


def test_redrive_by_the_command(landed, command):
    landed.describe(BOTH_FORMATS)
    code, said = command("redrive")
    assert code == 0 and "1 rows accepted, 2 stay in quarantine in 1 batches" in said
    assert ledger(landed) == (2, 2, 1)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(["list", "--source", "shpo"], "shop"), (["show", "--batch", "fff"], "fff"), (["redrive", "--batch", "0x"], "0x")],
)
def test_what_does_not_exist_is_said(command, arguments, word):
    code, said = command(*arguments)
    assert code == 2 and word in said and "remedy" in said


def test_control_characters_of_raw_text_do_not_reach_the_terminal(landed, command):
    landed.write(f"{HEADER}\n\x1b[2J9,o9,1,never,5\n", "odd.csv")
    landed.land()
    _, said = command("show")
    assert "\x1b" not in said and "\\x1b[2J9" in said
