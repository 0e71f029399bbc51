"""`holdfast doctor`: each thing that can be wrong is found, and its remedy works."""

import fcntl
import json
import os
import shlex
import subprocess
import sys
from datetime import UTC, date, datetime
from importlib import metadata

import duckdb
import pytest

from assets.publish.release_ledger import ReleaseLedger, SetId
from assets.shared.settings import load_settings, prepare_home
from pipelines import doctor
from pipelines.cli import main
from pipelines.launch import prepare_dagster_home
from tests.published_set import publish_tables

TILL = """
name: till
tables:
  transactions:
    files: till.csv
    columns: {customer_id: who, order_id: id, occurred_at: day, amount: money}
"""


@pytest.fixture
def settings(home, monkeypatch, tmp_path):
    """A home of one till, a year of sales in one file."""
    rows = [f"{n},{n % 5},2024-{1 + n % 12:02d}-{1 + n % 28:02d},10.50" for n in range(500)]
    (tmp_path / "till.csv").write_text("\n".join(["id,who,day,money", *rows]))
    (tmp_path / "till.yml").write_text(TILL)
    monkeypatch.setenv("HOLDFAST_SOURCES", str(tmp_path / "till.yml"))
    (home / "raw").mkdir(mode=0o700)
    settings = load_settings()
    prepare_home(settings)
    return settings


def found(part: str, level: str) -> doctor.Finding:
    """The one finding of a part and level."""
    (finding,) = [f for f in doctor.examine() if (f.part, f.level) == (part, level)]
    return finding


def test_nothing_is_wrong_with_a_home_in_order(settings, capsys):
    before = sorted(path for path in settings.home.rglob("*"))
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "0 errors, 0 warnings, 1 note" in said and "source till: as-of dates from" in said
    assert "nothing is published yet" in said
    assert sorted(path for path in settings.home.rglob("*")) == before, "it changes nothing"


def test_an_error_is_an_exit_code_and_json_says_the_same(home, monkeypatch, capsys):
    monkeypatch.setenv("HOLDFAST_HOME", str(home / "none"))
    assert main(["doctor", "--json"]) == 1
    (error,) = [f for f in json.loads(capsys.readouterr().out) if f["level"] == "error"]
    assert f"there is no home at {home / 'none'}" in error["what"] and "run --home" in error["remedy"]


def test_settings_that_cannot_be_are_told(home):
    (home / "home.yml").write_text("sources: []\n")
    assert "home.yml" in found("settings", "error").what


def test_a_library_of_another_version_is_told_with_the_command_that_corrects_it(settings, monkeypatch):
    installed = metadata.version
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "1.0" if name == "duckdb" else installed(name))
    finding = found("versions", "error")
    assert "duckdb 1.0 is installed, ==2.0.0 is needed" in finding.what
    assert shlex.split(finding.remedy) == [sys.executable, "-m", "pip", "install", "duckdb==2.0.0"]


def test_a_home_of_a_later_version_is_told(settings):
    (settings.home / "home.json").write_text('{"layout": 99}')
    assert "has layout 99" in found("home", "error").what


def test_open_folders_are_told_and_the_remedy_closes_them(settings):
    (settings.home / "raw").chmod(0o755)
    finding = found("home", "warning")
    assert "may enter raw" in finding.what
    subprocess.run(finding.remedy, shell=True, check=True)
    assert (settings.home / "raw").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("free", "level"), [(doctor.LEAST_FREE - 1, "warning"), (doctor.LEAST_FREE, "ok")])
def test_a_disk_that_is_nearly_full(settings, monkeypatch, free, level):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free}))
    assert "free" in found("home", level).what


@pytest.mark.parametrize(("factor", "level"), [(2, "warning"), (0.5, "ok")])
def test_a_memory_limit_above_what_there_is(settings, monkeypatch, factor, level):
    monkeypatch.setenv("HOLDFAST_MEMORY_LIMIT", f"{int(factor * doctor.available_memory() / 10**6)}MB")
    assert found("memory", level)


def test_spark_without_java_or_packages(settings, monkeypatch):
    assert not [f for f in doctor.examine() if f.part == "spark"]
    monkeypatch.setenv("HOLDFAST_TARGET", "spark")
    monkeypatch.setattr(doctor, "_is_installed", lambda name: name == "pyspark")
    monkeypatch.setenv("HOLDFAST_SPARK_URL", "sc://127.0.0.1:15002")
    assert found("spark", "error").what == "dbt.adapters.spark is not installed"
    monkeypatch.setattr(doctor, "_is_installed", lambda name: True)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert "sc://127.0.0.1:15002" in found("spark", "ok").what
    monkeypatch.setenv("HOLDFAST_SPARK_URL", "local[2]")
    assert found("spark", "error").what == "there is no java"


def test_a_source_whose_file_is_gone_and_one_that_does_not_pass(settings, tmp_path):
    (tmp_path / "till.csv").write_text("id,who,day,money\n" + "x,1,no date,no money\n" * 50)
    assert found("sources", "error").remedy
    (tmp_path / "till.csv").unlink()
    assert "till" in found("sources", "error").what


def test_who_holds_the_home_or_its_working_tables(settings):
    with (settings.home / ".run.lock").open("w") as lock:
        lock.write("4711")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "process 4711 holds the home" in found("locks", "note").what
    code = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(settings.warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        finding = found("locks", "error")
        other.stdin.close()
    assert f"process {other.pid} has" in finding.what and str(settings.published_db) in finding.remedy


def test_working_tables_that_are_broken_go_by_the_remedy(settings):
    settings.warehouse.write_bytes(b"no database" * 1000)
    finding = found("locks", "error")
    assert "cannot be opened" in finding.what
    subprocess.run(finding.remedy.rpartition(": ")[2], shell=True, check=True)
    assert not settings.warehouse.exists()


def publish(settings, day: date) -> None:
    publish_tables(settings, day, {"customer_360": f"select '1' as customer_id, date '{day}' as as_of_date"})
    ReleaseLedger(settings).append("published", SetId(day, "run"), "set")
    settings.published_db.resolve().chmod(0o444)


def test_what_readers_see(settings):
    publish(settings, date(2024, 12, 28))
    assert "readers see 2024-12-28" in found("readers", "ok").what
    database = settings.published_db.resolve()
    database.chmod(0o644)
    finding = found("readers", "warning")
    assert "can be written" in finding.what
    subprocess.run(finding.remedy, shell=True, check=True)
    assert found("readers", "ok")
    database.chmod(0o644)
    with duckdb.connect(str(database)) as con:
        con.execute("create table scribble as select 1 as x")
    assert "has written into" in found("readers", "warning").what


def test_readers_who_are_left_behind(settings):
    publish(settings, date(2024, 6, 1))
    finding = found("readers", "warning")
    assert "days behind" in finding.what and "run --home" in finding.remedy


@pytest.mark.parametrize(
    ("silent", "level", "words"), [(10, "ok", "sign of life"), (doctor.DAEMON_SILENCE + 60, "note", "silent since")]
)
def test_a_daemon_that_lives_or_died(settings, monkeypatch, silent, level, words):
    import dagster as dg
    from dagster._daemon.types import DaemonHeartbeat

    monkeypatch.setenv("DAGSTER_HOME", "")
    prepare_dagster_home(settings)
    with dg.DagsterInstance.get() as instance:
        now = datetime.now(UTC).timestamp()
        instance.add_daemon_heartbeat(DaemonHeartbeat(now - silent, "SENSOR", "1"))
    assert words in found("dagster", level).what


def test_a_configuration_that_dagster_cannot_use(settings, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    prepare_dagster_home(settings)
    (settings.dagster / "dagster.yaml").write_text("storage:\n  no_such: {}\n")
    finding = found("dagster", "error")
    subprocess.run(finding.remedy.rpartition(": ")[2], shell=True, check=True)
    prepare_dagster_home(settings)
    assert found("dagster", "ok")


def test_a_server_that_is_away_and_one_that_answers(settings, monkeypatch, database):
    monkeypatch.setenv("HOLDFAST_PUBLISH_POSTGRES", database)
    assert "answers: server" in found("postgres", "ok").what
    monkeypatch.setenv("HOLDFAST_PUBLISH_POSTGRES", "postgresql://me:secret@127.0.0.1:1/bi")
    finding = found("postgres", "error")
    assert "127.0.0.1:1/bi" in finding.what and "secret" not in str(finding)


def test_unfinished_files_of_the_dead_are_counted_and_stay(settings):
    left = settings.home / "raw" / ".tmp-batch-999999999"
    left.mkdir()
    assert "1 unfinished files" in found("locks", "note").what and left.exists()
    assert os.access(left, os.R_OK)
