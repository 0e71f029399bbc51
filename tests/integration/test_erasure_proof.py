"""Persons with canary values come in through every input; nights run, publish, export and fail; the persons are erased:
no byte of them is left, what was summed stays, a kill at any moment changes neither."""

import csv
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from assets.shared.erasure_ledger import JOURNAL, is_under_way, read_ledger
from tests.integration import shop
from tests.integration.command_line import holdfast
from tests.unit.erasure.searched import hits

# Three nights, and five erasures that are killed: more than the limit of one test on a busy machine.
pytestmark = [pytest.mark.campaign, pytest.mark.timeout(3600)]

N_PERSONS = 25
NIGHT = shop.AS_OF

YAML = (
    shop.YAML.replace("folder: .", "folder: .\nidentity: match")
    + """
  customers:
    files: people.csv
    columns: {customer_id: id, email: mail, phone: phone, full_name: name, postal_code: zip, birth_date: born,
              region: region}
  consents:
    files: consents.csv
    columns: {customer_id: id, channel: channel, purpose: purpose, status: status, valid_from: since}
  interactions:
    files: calls.csv
    columns: {customer_id: id, occurred_at: time, kind: kind}
  contacts:
    files: contacts.csv
    columns: {customer_id: id, contact_id: contact, channel: channel, sent_at: time, outcome: outcome}
  customer_aliases:
    files: ids.csv
    columns: {old_customer_id: old, customer_id: new}
"""
)


def person(n: int) -> str:
    return f"kx{n:04d}q"


IDS = [*map(person, range(N_PERSONS)), "kxnew1q"]
MAILS = [f"canary{n}@nest.example" for n in range(N_PERSONS)]
PHONES = [f"+49170555{n:04d}" for n in range(N_PERSONS)]
NAMES = [f"Canary{n}qx Yellowbird" for n in range(N_PERSONS)]
PERSONAL = [*MAILS, *PHONES, *NAMES]


def name_of(customer: str) -> str:
    """Every twelfth customer of the shop is one of the persons."""
    n = int(customer[1:])
    return person(n // 12) if n % 12 == 0 and n // 12 < N_PERSONS else customer


def lines() -> list[str]:
    return [line.csv().replace(line.customer, name_of(line.customer), 1) for line in shop.lines()]


def write_inputs(folder: Path) -> Path:
    folder.mkdir()
    sales = [*lines(), f"{person(3)},77777,1,2024-05-05 10:00:00,much,0,1,a\n", f"{person(4)},77778\n"]
    (folder / "sales.csv").write_text(shop.HEADER + "".join(sales))
    everybody = sorted({name_of(f"c{n:04d}") for n in range(320)})
    places = {one: n for n, one in enumerate(map(person, range(N_PERSONS)))}
    tables: dict[str, list[list[str]]] = {
        "people.csv": [["id", "mail", "phone", "name", "zip", "born", "region"]],
        "consents.csv": [["id", "channel", "purpose", "status", "since"]],
        "calls.csv": [["id", "time", "kind"]],
        "contacts.csv": [["id", "contact", "channel", "time", "outcome"]],
        "ids.csv": [["old", "new"], [person(1), "kxnew1q"]],
    }
    for one in everybody:
        n = places.get(one)
        own = (f"{one}@x.example", f"+4930{one[1:]}", f"N {one}")
        if n is not None:
            shown = 5 if n == 6 else n  # the same person twice
            own = (MAILS[shown], PHONES[n], NAMES[shown])
        tables["people.csv"].append([one, *own, "10115", "1980-02-03", "north"])
        tables["consents.csv"] += [[one, channel, "marketing", "granted", "2024-01-01"] for channel in ("email", "sms")]
    for n in range(0, N_PERSONS, 3):
        tables["calls.csv"].append([person(n), "2024-08-20 10:00", "complaint"])
        tables["contacts.csv"].append([person(n), f"x{n}", "email", "2024-06-01 09:00", "opened"])
    for name, content in tables.items():
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows(content)
    (folder / "shop.yml").write_text(YAML)
    return folder / "shop.yml"


@pytest.fixture(scope="module")
def pg(postgres_server) -> str:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(postgres_server.get_uri(), autocommit=True) as con, con.cursor() as cursor:
        cursor.execute("create database erasure")
    return postgres_server.get_uri(database="erasure")


@pytest.fixture(scope="module")
def lived(tmp_path_factory, pg):
    """(home, everything said) after a night that failed its checks and was released, and one that was published; with a
    blocked set that stayed, and a backup in the home."""
    folder = tmp_path_factory.mktemp("erasure")
    yaml, home, said = write_inputs(folder / "inbox"), folder / "home", []
    before = dict(os.environ)
    os.environ["HOLDFAST_PUBLISH_POSTGRES"] = pg
    try:
        before_it, fails = str(NIGHT - timedelta(1)), ("--param", "validate_max_quarantine_share=0")
        done = holdfast(home, "run", "--source", str(yaml), "--as-of", before_it, *fails, timeout=1500)
        said.append(done.stdout + done.stderr)
        (blocked,) = (home / "blocked").iterdir()
        shutil.copytree(blocked, folder / "blocked")
        release = ("release", "--as-of", before_it, "--run", blocked.name.split("--")[1], "--reason", "as it should be")
        for arguments in (release, ("run", "--as-of", str(NIGHT))):
            done = holdfast(home, *arguments, timeout=1500)
            said.append(done.stdout + done.stderr)
            assert done.returncode == 0, said[-1]
        shutil.copytree(folder / "blocked", home / "blocked" / blocked.name)
    finally:
        os.environ.clear()
        os.environ.update(before)
    done = holdfast(home, "backup", str(folder / "old.tar.gz"))
    assert done.returncode == 0, done.stderr
    shutil.move(folder / "old.tar.gz", home / "old.tar.gz")
    # What a person said of two of them.
    (home / "person_links.csv").write_text(f"link,customer_id,other_customer_id\ncannot_link,{person(7)},{person(8)}\n")
    # What a run that was killed has left.
    (home / "spill").mkdir(exist_ok=True)
    (home / "spill" / "duckdb_temp_storage-0.tmp").write_bytes(MAILS[0].encode())
    (home / "ledgers" / ".tmp-holdout.parquet-999999999").write_text(person(0))
    return home, "\n".join(said)


def copied(home: Path, name: str) -> Path:
    target = home.with_name(name)
    subprocess.run(["cp", "-a", str(home), str(target)], check=True)
    return target


def erase(home: Path, pg: str = "", goes_on: bool = False) -> subprocess.CompletedProcess:
    """Erase the persons; `goes_on`: end what a killed call began."""
    requests = home.with_name("requests.csv")
    requests.write_text("customer_id,basis\n" + "".join(f"{one},GDPR 17(1)(b)\n" for one in IDS[:N_PERSONS]))
    before = dict(os.environ)
    os.environ["HOLDFAST_PUBLISH_POSTGRES"] = pg
    try:
        return holdfast(home, "erase", *(() if goes_on else ("--requests", str(requests))))
    finally:
        os.environ.clear()
        os.environ.update(before)


#: Tables of sums: what a report of a month showed.
SUMS = ("retention_kpis", "retention_kpis_total", "retention_kpis_levels", "cohort_retention", "contact_funnel")


def totals(home: Path) -> dict[str, list[tuple]]:
    """The tables of sums of every night with all their rows, and the number of rows of every other table."""
    found: dict[str, list[tuple]] = {}
    with duckdb.connect(str(home / "published" / "holdfast.duckdb"), read_only=True) as con:
        con.execute("set variable holdfast_published = ?", [str(home / "published")])
        for (table,) in con.execute("select view_name from duckdb_views() where schema_name = 'history'").fetchall():
            found[table] = con.execute(f"select count(*) from history.{table}").fetchall()
            if table in SUMS:
                found[table] = con.execute(f"select * from history.{table} order by all").fetchall()
        found["customers"] = con.execute(
            "select as_of_date, count(distinct customer_id), sum(net_sales_total) from history.customer_360"
            " group by all order by all"
        ).fetchall()
    return found


def in_postgres(uri: str) -> list[str]:
    from adbc_driver_postgresql import dbapi

    found = []
    with dbapi.connect(uri) as con, con.cursor() as cursor:
        cursor.execute(
            "select schemaname::text, tablename::text from pg_tables where schemaname !~ '^(pg_|information)'"
        )
        for schema, table in cursor.fetchall():
            cursor.execute(f'select t::text from "{schema}"."{table}" as t')
            text = "\n".join(row[0] for row in cursor.fetchall())
            found += [f"{schema}.{table}" for value in (*IDS, *PERSONAL) if value in text]
    return found


def test_the_canaries_were_everywhere(lived, pg):
    """A search that finds nobody before proves nothing after."""
    home, _ = lived
    places = {found.split("/")[0].split(":")[0] for found in hits(home, [*IDS, *PERSONAL])}
    expected = {"raw", "quarantine", "ledgers", "published", "blocked", "exports", "warehouse.duckdb", "spill"}
    assert places >= expected | {"old.tar.gz", "person_links.csv"}, expected - places
    assert [place for place in hits(home, [person(6)]) if place.startswith("ledgers/identity/")]
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        assert con.execute("select accounts from identity.person_accounts").fetchall() == [
            (f'["{person(5)}", "{person(6)}"]',)
        ]
    assert in_postgres(pg)


def test_personal_data_is_where_persons_may_be_and_nowhere_else(lived):
    home, said = lived
    assert not [value for value in PERSONAL if value in said]
    found = hits(home, PERSONAL, frozenset({"old.tar.gz", "duckdb_temp_storage-0.tmp", "warehouse.duckdb"}))
    assert {place.split("/")[0] for place in found} == {"raw", "quarantine", "exports"} - (
        set() if any(place.startswith("quarantine") for place in found) else {"quarantine"}
    )


def test_every_file_outside_the_published_set_is_its_owners_only(lived):
    home, _ = lived
    for path in home.rglob("*"):
        relative = path.relative_to(home)
        if path.is_symlink() or relative.parts[0] in {"published", "spill", "home.json", ".run.lock"}:
            continue
        if len(relative.parts) == 1 and path.is_dir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o700, relative
        elif path.is_file():
            closed = any(stat.S_IMODE(folder.stat().st_mode) == 0o700 for folder in path.parents if folder != home)
            assert closed or not stat.S_IMODE(path.stat().st_mode) & 0o077, relative


@pytest.mark.parametrize("moment", ["journal", "first files", "half of the files", "warehouse", "end"])
def test_a_kill_at_any_moment_is_made_good_by_the_next_call(lived, moment):
    home = copied(lived[0], f"killed-{moment.replace(' ', '-')}")
    environment = {**os.environ, "HOLDFAST_HOME": str(home)}
    requests = home.with_name("requests.csv")
    requests.write_text("customer_id,basis\n" + "".join(f"{one},GDPR 17(1)(b)\n" for one in IDS[:N_PERSONS]))
    running = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "erase", "--requests", str(requests)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    reached = {"journal": 0, "first files": 2, "half of the files": 20, "warehouse": 0, "end": 0}[moment]
    until = time.monotonic() + 300
    while running.poll() is None and time.monotonic() < until:
        text = _text(home / JOURNAL)
        if moment == "warehouse":
            is_there = bool(list(home.glob(".tmp-warehouse.duckdb-*")))
        elif moment == "end":
            is_there = (home / "ledgers" / "erasures.jsonl").exists()
        else:
            is_there = bool(text) and text.count("rows_before") >= reached
        if is_there:
            running.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    running.wait()
    if is_under_way(home):
        refused = holdfast(home, "run", "--as-of", str(NIGHT))
        assert refused.returncode != 0 and "erasure in this home was begun" in refused.stderr + refused.stdout
        done = erase(home, goes_on=True)
        assert done.returncode == 0, done.stderr
    assert not is_under_way(home)
    assert not hits(home, [*IDS, *PERSONAL])
    lines = read_ledger(home)
    assert [line["status"] for line in lines] == ["erased"] * N_PERSONS + ["done"]
    assert totals(home) == totals(lived[0])
    shutil.rmtree(home)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def test_no_byte_is_left_and_the_past_adds_up_as_before(lived, pg):
    home, _ = lived
    before = totals(home)
    done = erase(home, pg=pg)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not hits(home, [*IDS, *PERSONAL])
    assert not in_postgres(pg)
    assert totals(home) == before
    said = done.stdout + done.stderr
    assert not [value for value in (*IDS, *PERSONAL) if value in said]
    assert "models that learned from them" in said
    (*requests, run) = read_ledger(home)
    assert len(requests) == N_PERSONS and {line["basis"] for line in requests} == {"GDPR 17(1)(b)"}
    assert {"raw", "quarantine", "published", "blocked", "exports", "ledgers"} <= run["rewritten"].keys()
    again = erase(home, pg=pg)
    assert again.returncode == 0 and not hits(home, [*IDS, *PERSONAL])
    assert totals(home) == before


def test_who_comes_again_is_dropped_and_the_next_night_is_published(lived, pg):
    """After the test before: the same home, erased."""
    home, _ = lived
    before = totals(home)
    inbox = home.with_name("inbox")
    old = [line for line in lines() if line.split(",")[0] in IDS][:200]
    tomorrow = [f"c0001,99{n:04d},1,{NIGHT} 10:00:00,5.00,0.00,1,a\n" for n in range(20)]
    (inbox / "sales-again.csv").write_text(shop.HEADER + "".join([*old, *tomorrow]))
    again = ("--as-of", str(NIGHT + timedelta(1)), "--param", "ingest_extract_guard=warn")
    done = holdfast(home, "run", *again, timeout=1500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not hits(home, [*IDS, *PERSONAL])
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        (batch,) = con.execute(
            "select rows_in, rows_accepted, rows_quarantined, rows_left_out, rows_erased from ingest.batches"
            " where file = 'sales-again.csv'"
        ).fetchall()
        persons = con.execute("select accounts from identity.person_accounts").fetchall()
    assert batch == (220, 20, 0, 200, 200)
    assert len(persons) == 1 and persons[0][0].count('"erased:') == 2, "they stay one, so that the past adds up"
    with duckdb.connect(str(home / "published" / "holdfast.duckdb"), read_only=True) as con:
        contacted = con.execute(
            "select count(*) from marts.retention_actions where decision = 'contact' and customer_id like 'erased:%'"
        ).fetchone()
        known = con.execute("select count(*) from marts.customer_360 where customer_id like 'erased:%'").fetchone()
    assert contacted == (0,) and known and known[0] > N_PERSONS // 2
    assert set(totals(home)["customers"]) >= set(before["customers"]), "the nights of before show what they showed"
