"""The export files: what each channel is to send, once."""

import csv
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest
from toy_marts import MARTS, make_marts, settings_of

from assets.ledgers.past_plans import build_past_plans
from assets.publish.exports import export_night, withdraw_after
from assets.publish.marts import Mart
from assets.publish.publication import publish_night
from assets.publish.published_set import Signature
from assets.publish.release_ledger import SetId
from assets.publish.releases import release_night
from assets.publish.rollback import roll_back
from assets.shared.errors import UserError
from assets.shared.plan_ledger import ledger_columns, replace_plan
from assets.shared.settings import Settings

DAY = date(2024, 5, 1)
NIGHT = SetId(DAY, "run-1")


class World:
    """A working warehouse with a plan, and the home whose files are written."""

    def __init__(self, home: Path):
        self.settings = Settings(home=home, sources=("toy",))
        self.con = duckdb.connect()
        self.con.execute(
            """
            create schema personal; create schema identity; create schema ingest; create schema marts;
            create table personal.customers (customer_id varchar, email varchar, phone varchar, postal_code varchar,
                full_name varchar, source varchar, batch_id varchar);
            create table ingest.batches (batch_id varchar, loaded_at timestamp);
            create table identity.id_changes (old_customer_id varchar, customer_id varchar);
            create table marts.retention_actions (candidate_id varchar, customer_id varchar, action_id varchar,
                channel varchar, plan_rank bigint, decision varchar, due_on date, owner varchar);
            insert into ingest.batches values ('b1', '2024-01-01'), ('b2', '2024-02-01');
            insert into personal.customers values
                ('ann', 'ann@old.example', '111', '8000', 'Ann', 'shop', 'b1'),
                ('ann', 'ann@new.example', null, null, 'Ann', 'shop', 'b2'),
                ('bob', null, '222', null, 'Bob', 'shop', 'b1');
            """
        )

    def plan(self, *rows: tuple[str, str, str, str]) -> None:
        """Plan these (customer, action, channel, decision), best first."""
        self.con.execute("delete from marts.retention_actions")
        for rank, (customer, action, channel, decision) in enumerate(rows, 1):
            self.con.execute(
                "insert into marts.retention_actions values (?, ?, ?, ?, ?, ?, '2024-05-02', '17')",
                [f"{customer}-{action}", customer, action, channel, rank, decision],
            )

    def export(self, night: SetId = NIGHT) -> dict[str, int]:
        return export_night(self.con, self.settings, "marts.retention_actions", night)

    def rows(self, channel: str, day: date = DAY) -> list[dict]:
        with (self.settings.exports / str(day) / f"{channel}.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def everything(self) -> dict[str, str]:
        """Each contact that a file tells somebody to make, and the customer."""
        return {
            row["contact_id"]: row["customer_id"]
            for name in ("email", "sms", "phone", "mail")
            for row in self.rows(name)
        }

    def ledger(self) -> list[tuple]:
        path = self.settings.ledgers / "exports" / f"{DAY}.parquet"
        return self.con.execute(
            "select contact_id, channel, run_id, is_withdrawn from read_parquet(?) order by all", [str(path)]
        ).fetchall()


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_each_channel_gets_its_contacts_and_the_one_address_it_needs(world):
    world.plan(
        ("ann", "offer", "email", "contact"),
        ("bob", "call", "phone", "contact"),
        ("eve", "offer", "email", "contact"),
        ("dan", "offer", "email", "holdout"),
        ("fay", "offer", "email", "not_contacted"),
    )
    assert world.export() == {"email": 2, "sms": 0, "phone": 1, "mail": 0}
    assert [tuple(row.items()) for row in world.rows("email")] == [
        (("contact_id", f"{name}-offer"), ("customer_id", name), ("action_id", "offer"), ("due_on", "2024-05-02"),
         ("plan_rank", rank), ("email", address))
        for name, rank, address in (("ann", "1", "ann@new.example"), ("eve", "3", ""))
    ]  # fmt: skip
    assert [(row["owner"], row["phone"]) for row in world.rows("phone")] == [("17", "222")]
    assert world.rows("sms") == world.rows("mail") == []


def test_the_same_rows_as_parquet_beside_the_text_where_it_is_asked_for(world):
    world.plan(("ann", "offer", "email", "contact"), ("bob", "call", "phone", "contact"))
    world.settings = replace(world.settings, export_as=("csv", "parquet"))
    world.export()
    folder = world.settings.exports / str(DAY)
    first = folder.stat().st_ino
    assert {path.suffix for path in folder.iterdir()} == {".csv", ".parquet"} and len(list(folder.iterdir())) == 8
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert world.con.sql(f"from '{folder}/phone.parquet'").fetchall() == [
        ("bob-call", "bob", "call", date(2024, 5, 2), 2, "17", "222")
    ]
    assert world.con.sql(f"from '{folder}/sms.parquet'").fetchall() == []
    world.export()
    assert folder.stat().st_ino == first, "the same again changes nothing"


def test_only_their_owner_reads_the_files_whatever_the_umask(world):
    world.plan(("ann", "offer", "email", "contact"))
    before = os.umask(0o022)
    try:
        world.export()
    finally:
        os.umask(before)
    folder = world.settings.exports / str(DAY)
    assert (folder.stat().st_mode & 0o777, folder.parent.stat().st_mode & 0o777) == (0o700, 0o700)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_the_same_plan_again_changes_nothing(world):
    world.plan(("ann", "offer", "email", "contact"))
    world.export()
    folder = world.settings.exports / str(DAY)
    first, ledger = folder.stat().st_ino, world.ledger()
    assert world.export(SetId(DAY, "run-2")) == {"email": 1, "sms": 0, "phone": 0, "mail": 0}
    assert folder.stat().st_ino == first and world.ledger() == ledger == [("ann-offer", "email", "run-1", False)]


def test_a_night_made_again_adds_no_second_contact_to_whom_it_has_already_exported(world):
    world.plan(("ann", "offer", "email", "contact"), ("bob", "offer", "sms", "contact"))
    world.export()
    # Other data came: another action for one, another channel for the other, and somebody new.
    world.plan(
        ("ann", "call", "phone", "contact"), ("bob", "offer", "phone", "contact"), ("cat", "offer", "sms", "contact")
    )
    world.export(SetId(DAY, "run-2"))
    assert world.everything() == {"cat-offer": "cat"}
    assert world.ledger() == [
        ("ann-offer", "email", "run-1", True),
        ("bob-offer", "sms", "run-1", True),
        ("cat-offer", "sms", "run-2", False),
    ]
    # As planned at first: the same contacts under the same ids.
    world.plan(("ann", "offer", "email", "contact"), ("bob", "offer", "sms", "contact"))
    world.export(SetId(DAY, "run-3"))
    assert world.everything() == {"ann-offer": "ann", "bob-offer": "bob"}
    assert [(contact, withdrawn) for contact, _, _, withdrawn in world.ledger()] == [
        ("ann-offer", False), ("bob-offer", False), ("cat-offer", True)
    ]  # fmt: skip


def test_a_customer_with_another_id_is_the_same_customer(world):
    world.plan(("old", "offer", "email", "contact"))
    world.export()
    world.con.execute("insert into identity.id_changes values ('old', 'ann')")
    world.plan(("ann", "offer", "email", "contact"))
    world.export()
    assert world.everything() == {}


def test_a_plan_of_before_due_dates_is_due_on_its_own_date(world):
    world.plan(("ann", "offer", "email", "contact"))
    world.con.execute("alter table marts.retention_actions drop due_on")
    world.con.execute("alter table marts.retention_actions add column as_of_date date default '2024-05-01'")
    world.export()
    assert [row["due_on"] for row in world.rows("email")] == ["2024-05-01"]


def test_going_back_takes_the_files_of_later_nights_away(world):
    world.plan(("ann", "offer", "email", "contact"))
    world.export(SetId(date(2024, 4, 30), "run-0"))
    world.export()
    (world.settings.exports / "notes").mkdir()
    assert withdraw_after(world.con, world.settings, date(2024, 4, 30)) == [DAY]
    assert sorted(path.name for path in world.settings.exports.iterdir()) == ["2024-04-30", "notes"]
    assert world.ledger() == [("ann-offer", "email", "run-1", True)]


def test_who_was_in_a_file_of_the_night_is_exported_in_the_plans_that_later_nights_see(world):
    columns = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in ledger_columns().items())

    def keep_plan(day: date, *customers: str) -> None:
        rows = world.con.sql(
            f"select empty.* replace ($day as as_of_date, who as customer_id, who || $day as candidate_id)"
            f" from (select {columns}) as empty, (select unnest($customers) as who)",
            params={"day": day, "customers": list(customers)},
        )
        replace_plan(rows.to_arrow_table(), world.settings.ledgers / "plan", day)

    before, after = date(2024, 4, 30), date(2024, 5, 2)
    keep_plan(before, "ann")
    keep_plan(DAY, "ann", "bob")
    keep_plan(after, "ann")
    world.plan(("ann", "offer", "email", "contact"))
    world.export()

    def exported(as_of: date) -> list[tuple]:
        build_past_plans(world.con, as_of, world.settings.ledgers)
        return world.con.execute(
            "select as_of_date, customer_id, is_exported from ledgers.past_plans order by all"
        ).fetchall()

    assert exported(DAY) == [(before, "ann", None)]
    assert exported(date(2024, 5, 3)) == [
        (before, "ann", None), (DAY, "ann", True), (DAY, "bob", False), (after, "ann", False)
    ]  # fmt: skip


KILLED = """
import os, signal, sys
from pathlib import Path
from assets.publish import exports
sys.path.insert(0, "tests/unit/publish")
import test_exports as told
world = told.World(Path(sys.argv[1]))
world.plan(("ann", "call", "phone", "contact"), ("cat", "offer", "sms", "contact"))
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "before the ledger": exports.replace_exports = die
if sys.argv[2] == "before the files": exports._write_files = die
if sys.argv[2] == "between two files": os.fdopen = die
world.export(told.SetId(told.DAY, "run-2"))
"""


@pytest.mark.parametrize("moment", ["before the ledger", "before the files", "between two files"])
def test_a_kill_at_any_moment_leaves_whole_files_and_the_next_run_ends_what_it_began(world, moment):
    world.plan(("ann", "offer", "email", "contact"), ("bob", "offer", "sms", "contact"))
    world.export()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(world.settings.home), moment], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert world.everything() == {"ann-offer": "ann", "bob-offer": "bob"}, "the files of before, whole"
    told = {contact for contact, _, _, withdrawn in world.ledger() if not withdrawn}
    assert told == ({"ann-offer", "bob-offer"} if moment == "before the ledger" else {"cat-offer"})
    world.plan(("ann", "call", "phone", "contact"), ("cat", "offer", "sms", "contact"))
    world.export(SetId(DAY, "run-2"))
    assert world.everything() == {"cat-offer": "cat"}


# -- when a set is shown ------------------------------------------------------------------------


PLANNED = replace(MARTS, tables={**MARTS.tables, "retention_actions": Mart(["candidate_id"])})


def publish(home: Path, day: date, run_id: str, passed: bool = True, settings: Settings | None = None) -> None:
    """Publish a night that contacts one customer, named after the run."""
    make_marts(settings_of(home), day, run_id, passed)
    with duckdb.connect(str(settings_of(home).warehouse)) as con:
        con.execute(
            f"""
            create schema if not exists personal; create schema if not exists identity;
            create schema if not exists ingest;
            create or replace table personal.customers (customer_id varchar, email varchar, phone varchar,
                postal_code varchar, source varchar, batch_id varchar);
            create or replace table ingest.batches (batch_id varchar, loaded_at timestamp);
            create or replace table identity.id_changes (old_customer_id varchar, customer_id varchar);
            create or replace table marts.retention_actions as select date '{day}' as as_of_date, '{run_id}' as run_id,
                '{run_id}-1' as candidate_id, '{run_id}' as customer_id, 'offer' as action_id, 'email' as channel,
                1 as plan_rank, 'contact' as decision, date '{day}' as due_on
            """
        )
    publish_night(settings or settings_of(home), SetId(day, run_id), PLANNED, keep_sets=3)


def exported(home: Path) -> dict[str, list[str]]:
    return {
        folder.name: [row.split(",")[0] for row in (folder / "email.csv").read_text().splitlines()[1:]]
        for folder in sorted((home / "exports").glob("*"))
    }


def test_a_night_is_exported_once_it_is_shown_and_no_other(tmp_path):
    publish(tmp_path, DAY, "a")
    assert exported(tmp_path) == {"2024-05-01": ["a-1"]}
    publish(tmp_path, date(2024, 4, 1), "older")
    with pytest.raises(UserError):
        publish(tmp_path, date(2024, 5, 2), "b", passed=False)
    assert exported(tmp_path) == {"2024-05-01": ["a-1"]}
    release_night(
        settings_of(tmp_path), SetId(date(2024, 5, 2), "b"), PLANNED, Signature("released", "ann", "it is right")
    )
    assert exported(tmp_path) == {"2024-05-01": ["a-1"], "2024-05-02": ["b-1"]}


def test_a_run_as_known_earlier_exports_nothing(tmp_path):
    publish(tmp_path, DAY, "a", settings=replace(settings_of(tmp_path), raw_home=tmp_path / "home"))
    assert exported(tmp_path) == {}


def test_a_rollback_shows_the_contacts_of_the_set_that_is_shown(tmp_path):
    publish(tmp_path, DAY, "a")
    publish(tmp_path, date(2024, 5, 2), "b")
    publish(tmp_path, date(2024, 5, 2), "c")
    assert exported(tmp_path) == {"2024-05-01": ["a-1"], "2024-05-02": ["c-1"]}
    roll_back(settings_of(tmp_path), "ann", to_run="b")
    assert exported(tmp_path) == {"2024-05-01": ["a-1"], "2024-05-02": ["b-1"]}
    roll_back(settings_of(tmp_path), "ann", to_run="a")
    assert exported(tmp_path) == {"2024-05-01": ["a-1"]}
