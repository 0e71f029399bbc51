"""A source in a real Postgres: pulled by watermark with overlap, resumed after a kill, conserved like files."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
from adbc_driver_postgresql import dbapi

from assets.ingest import postgres_source, raw_views
from assets.ingest.batches import read_all_batches, read_batches
from assets.ingest.check import check_source
from assets.ingest.sources import resolve_source
from assets.shared.errors import UserError
from assets.shared.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
VARIABLE = "SHOP_DATABASE_OF_TEST"

YAML = """
name: pgshop
currency: EUR
postgres: {{dsn_env: {variable}, batch_rows: {batch_rows}}}
tables:
  transactions:
    postgres: {{table: sales."lines", watermark: changed_at, overlap: 2 hours}}
    columns:
      customer_id: customer
      order_id: receipt
      line_id: position
      occurred_at: sold_at
      amount: paid
  consents:
    postgres: {{query: "select * from sales.consents where channel <> 'fax'"}}
    columns: {{customer_id: customer, channel: channel, status: status}}
"""

TABLES = """
create schema sales;
create table sales.lines (
    customer text, receipt bigint, position int, sold_at timestamp, paid numeric(12, 2), changed_at timestamptz,
    note jsonb
);
create table sales.consents (customer text, channel text, status text, note uuid);
insert into sales.consents values ('c1', 'email', 'granted', null), ('c2', 'sms', 'denied', null),
    ('c3', 'fax', 'granted', null);
insert into sales.lines
    select 'c' || i % 7, i, 1, timestamp '2024-01-01' + i * interval '1 hour', 1.5 * i,
        timestamptz '2024-03-01 00:00+00' + i * interval '1 minute', '{"a": 1}'
    from generate_series(1, 100) as i
"""


class Shop:
    def __init__(self, folder: Path, uri: str):
        self.folder, self.uri = folder, uri
        self.settings = Settings(home=folder / "home", sources=(str(folder / "pgshop.yml"),))
        (folder / "home").mkdir(exist_ok=True)

    def describe(self, batch_rows: int = 40, **changes: str) -> "Shop":
        text = YAML.format(variable=VARIABLE, batch_rows=batch_rows).replace('sales."lines"', "sales.lines")
        for old, new in changes.items():
            text = text.replace(old.replace("_", " "), new)
        (self.folder / "pgshop.yml").write_text(text)
        return self

    def tell(self, sql: str) -> None:
        with dbapi.connect(self.uri, autocommit=True) as con, con.cursor() as cursor:
            for statement in sql.split(";"):
                cursor.execute(statement)

    def source(self):
        return resolve_source(str(self.folder / "pgshop.yml"))

    def land(self):
        return self.source().land(self.settings)

    def rows(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.settings.warehouse)) as con:
            raw_views.rebuild_raw_views(con, self.settings, ["pgshop"])
            return con.execute(sql).fetchall()

    def transactions(self) -> list[tuple]:
        return self.rows("select order_id, line_id, customer_id, amount from ingest.transactions order by all")


@pytest.fixture
def shop(tmp_path, database, monkeypatch) -> Shop:
    monkeypatch.setenv(VARIABLE, database)
    shop = Shop(tmp_path, database).describe()
    shop.tell(TABLES)
    return shop


def n_in(batches) -> int:
    return sum(b.rows_in for b in batches if b.entity == "transactions")


def test_everything_is_pulled_in_bounded_batches(shop):
    landed = shop.land()
    assert [(b.entity, b.rows_in) for b in landed] == [
        ("transactions", 40),
        ("transactions", 40),
        ("transactions", 20),
        ("consents", 2),
    ]
    assert all(b.rows_in == b.rows_accepted + b.rows_quarantined for b in landed)
    rows = shop.transactions()
    assert len(rows) == 100 and len(set(rows)) == 100
    assert (
        shop.rows(
            "select sum(amount), max(file) from ingest.transactions, ingest.batches"
            " where ingest.batches.entity = 'transactions' and ingest.batches.batch_id ="
            " ingest.transactions.batch_id"
        )[0][1]
        == "postgres:sales.lines"
    )
    assert float(shop.rows("select sum(amount) from ingest.transactions")[0][0]) == sum(1.5 * i for i in range(1, 101))
    assert shop.rows("select customer_id, channel, status from ingest.consents order by 1") == [
        ("c1", "email", "granted"),
        ("c2", "sms", "denied"),
    ]


def test_a_second_pull_brings_nothing_and_a_third_only_what_is_new(shop):
    shop.land()
    assert n_in(b for b in shop.land() if b.is_new) == 0
    shop.tell("insert into sales.lines values ('c9', 101, 1, '2024-01-06', 9, '2024-03-01 01:41+00', null)")
    (new,) = [b for b in shop.land() if b.is_new]
    assert (new.rows_in, len(shop.transactions())) == (1, 101)


def test_a_row_that_commits_late_within_the_overlap_is_found(shop):
    shop.land()
    shop.tell("insert into sales.lines values ('late', 900, 1, '2024-01-02', 9, '2024-03-01 00:05+00', null)")
    assert n_in(b for b in shop.land() if b.is_new) == 1
    assert ("900", "1", "late", 9) in [(*row[:3], float(row[3])) for row in shop.transactions()]


def test_a_row_before_the_overlap_is_not_asked_for_again(shop):
    shop.describe(**{"2_hours": "10 minutes"}).land()
    shop.tell("insert into sales.lines values ('late', 900, 1, '2024-01-02', 9, '2024-03-01 00:05+00', null)")
    assert n_in(b for b in shop.land() if b.is_new) == 0


def test_a_corrected_row_is_landed_once_and_is_the_newest(shop):
    shop.land()
    shop.tell("update sales.lines set paid = 77, changed_at = '2024-03-01 02:00+00' where receipt = 5")
    (new,) = [b for b in shop.land() if b.is_new]
    assert new.rows_in == 1
    newest = shop.rows(
        "select amount from ingest.transactions join ingest.batches using (batch_id) where order_id = '5'"
        " order by loaded_at desc limit 1"
    )
    assert float(newest[0][0]) == 77
    assert not [b for b in shop.land() if b.is_new]


def test_bad_rows_are_quarantined_with_their_text_and_not_again(shop):
    shop.tell(
        "insert into sales.lines values (null, 201, 1, '2024-01-02', 9, '2024-03-01 01:30+00', null),"
        " ('c1', 202, 1, '2024-01-02', 'NaN', '2024-03-01 01:31+00', null),"
        " ('c1', 203, 1, 'infinity', 9, '2024-03-01 01:32+00', null)"
    )
    landed = [b for b in shop.land() if b.entity == "transactions"]
    assert (n_in(landed), sum(b.rows_quarantined for b in landed)) == (103, 3)
    refused = shop.rows("select rule, file, raw_text from personal.quarantined_rows order by 1")
    assert [(rule, file) for rule, file, _ in refused] == [
        ("amount_not_finite", "postgres:sales.lines"),
        ("customer_id_missing", "postgres:sales.lines"),
        ("occurred_at_missing", "postgres:sales.lines"),
    ]
    assert json.loads(refused[0][2])["receipt"] == 202
    assert not [b for b in shop.land() if b.is_new]


def test_rows_without_a_watermark_are_not_lost(shop):
    shop.land()
    shop.tell("insert into sales.lines values ('c1', 301, 1, '2024-01-02', 9, null, null)")
    assert n_in(b for b in shop.land() if b.is_new) == 1
    assert not [b for b in shop.land() if b.is_new]


def test_a_watermark_in_the_future_hides_nothing_that_comes_later(shop):
    shop.tell("insert into sales.lines values ('c1', 301, 1, '2024-01-02', 9, '2999-01-01', null)")
    shop.land()
    shop.tell("insert into sales.lines select 'c1', 302, 1, '2024-01-02', 9, now(), null")
    assert n_in(b for b in shop.land() if b.is_new) == 1
    assert not [b for b in shop.land() if b.is_new]


def test_a_number_may_be_the_watermark(shop):
    path = shop.folder / "pgshop.yml"
    numbered = path.read_text().replace("watermark: changed_at, overlap: 2 hours", "watermark: receipt, overlap: 5")
    path.write_text(numbered)
    assert n_in(shop.land()) == 100
    shop.tell("insert into sales.lines values ('c9', 101, 1, '2024-01-06', 9, null, null)")
    assert n_in(b for b in shop.land() if b.is_new) == 1


def test_a_table_pulled_as_a_whole_takes_the_place_of_what_it_was(shop):
    shop.land()
    shop.tell("delete from sales.consents where customer = 'c1'")
    shop.tell("insert into sales.consents values ('c4', 'sms', 'granted')")
    shop.land()
    assert shop.rows("select customer_id from ingest.consents order by 1") == [("c2",), ("c4",)]


def test_a_mended_mapping_pulls_all_again_and_replaces(shop):
    shop.land()
    path = shop.folder / "pgshop.yml"
    path.write_text(path.read_text().replace("amount: paid\n", "amount: paid\n      store_id: {constant: main}\n"))
    assert n_in(b for b in shop.land() if b.is_new) == 100
    assert shop.rows("select count(*), count(store_id) from ingest.transactions") == [(100, 100)]
    assert len(read_all_batches(shop.settings, ["pgshop"], "transactions")) == 6
    assert not [b for b in shop.land() if b.is_new]


def test_the_dates_are_known_before_anything_is_landed(shop):
    assert shop.source().as_of_bounds(shop.settings) == (date(2024, 1, 2), date(2024, 1, 6))
    assert read_batches(shop.settings, ["pgshop"]) == []


def test_the_dates_know_no_purchase_more_than_a_day_ahead(shop):
    """As the rows are refused later, so they are not counted here."""
    shop.tell("alter table sales.lines alter column sold_at type timestamptz")
    shop.tell("update sales.lines set sold_at = now() + interval '23 hours'")
    first, _ = shop.source().as_of_bounds(shop.settings)
    assert first > datetime.now(UTC).date()
    shop.tell("update sales.lines set sold_at = now() + interval '25 hours'")
    with pytest.raises(UserError, match="no transaction has a valid date"):
        shop.source().as_of_bounds(shop.settings)


def test_dates_that_are_text_are_known_after_landing(shop):
    shop.tell("alter table sales.lines alter column sold_at type text")
    assert shop.source().as_of_bounds(shop.settings) == (date(2024, 1, 2), date(2024, 1, 6))
    assert len(shop.transactions()) == 100


def test_check_source_reads_a_sample_and_writes_nothing(shop):
    report = check_source(shop.folder / "pgshop.yml", sample_rows=30)
    assert report.ok, report.render()
    assert "postgres:sales.lines as transactions" in report.render() and report.files[0].n_rows == 30
    assert not (shop.settings.home / "raw").exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("table: sales.lines", "table: sales.nothing", "sales.nothing"),
        ("watermark: changed_at", "watermark: changed", "has no column 'changed'"),
        ("watermark: changed_at", "watermark: note", "of type jsonb, which cannot say"),
        ("overlap: 2 hours", "overlap: 12", "does not fit changed_at"),
        ("overlap: 2 hours", "overlap: a while", "is no overlap"),
        ("table: sales.lines", "table: db.sales.lines", "names no table"),
        ("table: sales.lines", "table: sales.lines, query: select 1", "exactly one of 'table' and 'query'"),
        ("      line_id: position\n", "", "a watermark needs rows with an id"),
        (VARIABLE, "NOT_SET_ANYWHERE", "NOT_SET_ANYWHERE, which is not set"),
        ("      occurred_at: sold_at\n", "      occurred_at: sold\n", "'sold'"),
    ],
)
def test_mistakes_are_named(shop, old, new, words):
    path = shop.folder / "pgshop.yml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=words):
        shop.land()


def test_a_hostile_table_name_is_only_a_name(shop):
    path = shop.folder / "pgshop.yml"
    path.write_text(path.read_text().replace("table: sales.lines", "table: 'sales.lines\"; drop schema sales; --'"))
    with pytest.raises(UserError, match="does not exist"):
        shop.land()
    shop.describe()
    assert n_in(shop.land()) == 100


def test_a_query_cannot_write(shop):
    shop.tell(
        "create function sales.eat() returns setof sales.consents language sql as"
        " 'delete from sales.consents returning *'"
    )
    path = shop.folder / "pgshop.yml"
    path.write_text(
        path.read_text().replace("select * from sales.consents where channel <> 'fax'", "select * from sales.eat()")
    )
    with pytest.raises(UserError, match="read-only"):
        shop.land()
    shop.tell("create table sales.proof as select count(*) as n from sales.consents")
    shop.describe()
    assert [b.rows_in for b in shop.land() if b.entity == "consents"] == [2]


def test_the_secret_is_nowhere(shop, monkeypatch):
    secret = "hUnter2-of-test"
    monkeypatch.setenv(VARIABLE, shop.uri.replace("postgres:@", f"postgres:{secret}@"))
    messages: list[str] = []
    shop.source().land(shop.settings, messages.append)
    monkeypatch.setenv(VARIABLE, f"postgresql://ann:{secret}@127.0.0.1:1/x?connect_timeout=1")
    with pytest.raises(UserError) as error:
        shop.land()
    assert secret not in str(error.value) and "127.0.0.1:1/x" in str(error.value)
    assert secret not in "".join(messages) + repr(shop.source())
    for path in shop.settings.home.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


KILLED = """
import importlib, os, signal, sys
from pathlib import Path
from assets.ingest.sources import resolve_source
from assets.shared.settings import Settings

yaml, home, point, n = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
module, name = point.split(":")
module = importlib.import_module(module)
calls = 0
original = getattr(module, name)

def dying(*arguments, **options):
    global calls
    calls += 1
    if calls > n:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **options)

setattr(module, name, dying)
resolve_source(yaml).land(Settings(home=home, sources=(yaml,)))
"""


KILLED_AT = [
    ("pyarrow.parquet:write_table", 3),
    pytest.param("pyarrow.parquet:write_table", 1, marks=pytest.mark.campaign),
    pytest.param("assets.ingest.postgres_source:land_extracts", 0, marks=pytest.mark.campaign),
    pytest.param("assets.ingest.postgres_source:land_extracts", 2, marks=pytest.mark.campaign),
]


@pytest.mark.parametrize(("point", "n"), KILLED_AT)
def test_a_pull_that_is_killed_goes_on_with_the_batch_that_was_not_landed(shop, point, n):
    """`write_table` writes a batch, then what is remembered of it; `land_extracts` puts it in place."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(shop.folder / "pgshop.yml"), str(shop.settings.home), point, str(n)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    before = n_in(read_batches(shop.settings, ["pgshop"]))
    assert before < 100
    new = n_in(b for b in shop.land() if b.is_new)
    assert before + new == 100, "a row was landed twice or not at all"
    assert len(set(shop.transactions())) == len(shop.transactions()) == 100
    assert not list((shop.settings.home / "raw" / ".pull").glob("*"))


def test_memory_holds_one_batch_at_a_time(shop, monkeypatch):
    sizes = []
    original = postgres_source.fresh_rows
    monkeypatch.setattr(
        postgres_source,
        "fresh_rows",
        lambda con, chunk, *rest: sizes.append(chunk.num_rows) or original(con, chunk, *rest),
    )
    shop.land()
    assert sizes == [40, 40, 20]
