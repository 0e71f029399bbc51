"""A home belongs to a business: its sources are recorded, and those of another one are refused with a way out."""

import os
import shlex
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from assets.ingest.claim import claim_home
from assets.ingest.sources import resolve_sources
from assets.shared.errors import UserError
from assets.shared.home_file import read_home_file, write_home_file
from assets.shared.settings import Settings, load_settings
from pipelines.build import as_of_dates
from pipelines.business_day import business_today, business_zone
from pipelines.cli import main
from pipelines.jobs import build_jobs
from pipelines.schedules import build_schedules


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path):
    """Nothing named, in an empty folder; what a command names is forgotten afterwards."""
    for name in ("HOLDFAST_HOME", "HOLDFAST_SOURCES", "HOLDFAST_RAW_HOME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def business(folder: Path, name: str, zone: str | None = None) -> str:
    """The YAML of a shop with three sales."""
    folder.mkdir(parents=True)
    (folder / "sales.csv").write_text("who,when,money\n1,2024-05-01,5\n2,2024-05-02,6\n1,2024-05-03,7\n")
    (folder / f"{name}.yml").write_text(
        f"name: {name}\n" + (f"time_zone: {zone}\n" if zone else "") + "tables: {transactions: {files: sales.csv, "
        "columns: {customer_id: who, occurred_at: when, amount: money}}}\n"
    )
    return str(folder / f"{name}.yml")


def forget_sources() -> None:
    os.environ.pop("HOLDFAST_SOURCES", None)


# -- The record -------------------------------------------------------------------------------------------------------


def test_init_records_the_sources_and_later_commands_use_them(tmp_path, capsys):
    till, home = business(tmp_path / "till", "till"), tmp_path / "home"
    assert main(["init", "--home", str(home), "--source", till, "--schedule-hour", "4"]) == 0
    forget_sources()
    assert read_home_file(home).sources == (till,)
    assert (load_settings().sources, load_settings().schedule_hour) == ((till,), 4)
    assert main(["check-source", "--home", str(home)]) == 0
    assert "3 rows, 2 customers" in capsys.readouterr().out


def test_the_first_landing_records_them_too_and_changes_no_record(tmp_path):
    till = business(tmp_path / "till", "till")
    settings = Settings(home=tmp_path / "home", sources=(till,))
    settings.home.mkdir()
    claim_home(settings, resolve_sources(settings.sources))
    assert read_home_file(settings.home).sources == (till,)
    write_home_file(settings.home, (till,), 4, None)
    claim_home(settings, resolve_sources(settings.sources))
    assert read_home_file(settings.home).schedule_hour == 4


def test_a_run_as_known_earlier_has_the_sources_of_its_home_and_records_nothing(tmp_path, monkeypatch):
    till = business(tmp_path / "till", "till")
    inner = tmp_path / "as_known" / "then"
    inner.mkdir(parents=True)
    write_home_file(tmp_path, (till,), None, None)
    monkeypatch.setenv("HOLDFAST_HOME", str(inner))
    monkeypatch.setenv("HOLDFAST_RAW_HOME", str(tmp_path))
    assert load_settings().sources == (till,)
    claim_home(load_settings(), resolve_sources((till,)))
    assert read_home_file(inner) is None


def test_init_keeps_hour_and_zone_and_says_what_it_needs(tmp_path):
    till, home = business(tmp_path / "till", "till"), tmp_path / "home"
    assert main(["init", "--home", str(home)]) == 2, "no source"
    assert not home.exists()
    assert main(["init", "--home", str(home), "--source", till, "--time-zone", "Asia/Tokyo"]) == 0
    assert main(["init", "--home", str(home), "--schedule-hour", "0"]) == 0
    record = read_home_file(home)
    assert (record.sources, record.schedule_hour, record.time_zone) == ((till,), 0, "Asia/Tokyo")
    assert main(["init", "--home", str(home), "--schedule-hour", "24"]) == 2
    assert read_home_file(home) == record


# -- Another business -------------------------------------------------------------------------------------------------


@pytest.fixture
def two_shops(tmp_path) -> tuple[Path, str, str]:
    """(home, till, webshop): the home belongs to the till, and holds its sales."""
    till, web = business(tmp_path / "till", "till"), business(tmp_path / "web", "web")
    home = tmp_path / "home"
    assert main(["init", "--home", str(home), "--source", till]) == 0
    forget_sources()
    resolve_sources((till,))[0].land(load_settings())
    return home, till, web


@pytest.mark.parametrize("arguments", [["run"], ["retrain"], ["ui"], ["quarantine", "redrive"]])
def test_sources_of_another_business_are_refused_before_anything_happens(two_shops, arguments, capsys):
    home, till, web = two_shops
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    assert main([*arguments, "--home", str(home), "--source", web]) == 2
    said = capsys.readouterr().err
    assert till in said and web in said
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before


def test_the_environment_is_held_to_it_as_well(two_shops, monkeypatch):
    home, till, web = two_shops
    monkeypatch.setenv("HOLDFAST_HOME", str(home))
    monkeypatch.setenv("HOLDFAST_SOURCES", web)
    with pytest.raises(UserError, match="belongs to"):
        load_settings()
    monkeypatch.setenv("HOLDFAST_SOURCES", f"{till}, {web}")
    with pytest.raises(UserError, match="belongs to"):
        load_settings()
    monkeypatch.setenv("HOLDFAST_SOURCES", os.path.relpath(till))
    assert load_settings().sources == (till,), "the same file, named from here"


def test_the_remedies_work(two_shops, capsys, monkeypatch):
    """A home of its own; or, when the sources are of the same business, those from now on."""
    home, till, web = two_shops
    assert main(["run", "--home", str(home), "--source", till, "--source", web]) == 2
    lines = [line.split() for line in capsys.readouterr().err.splitlines() if line.startswith("    ")]
    (_, run, *apart), (_, init, *together) = lines
    assert (run, init) == ("run", "init")
    forget_sources()
    assert main([init, *together]) == 0
    assert load_settings().sources == (till, web)
    forget_sources()
    monkeypatch.setenv("HOLDFAST_HOME", apart[apart.index("--home") + 1])
    monkeypatch.setenv("HOLDFAST_SOURCES", ",".join(apart[1:4:2]))
    assert load_settings().home != home and load_settings().sources == (till, web)


def test_a_home_with_sales_of_a_source_is_not_given_to_another(two_shops, capsys):
    home, till, web = two_shops
    assert main(["init", "--home", str(home), "--source", web]) == 2
    assert "till" in capsys.readouterr().err and read_home_file(home).sources == (till,)
    (home / "home.yml").unlink()
    with pytest.raises(UserError, match="belongs to till"):
        claim_home(Settings(home=home, sources=(web,)), resolve_sources((web,)))
    assert read_home_file(home) is None


def test_a_source_that_has_moved_is_taken_on(two_shops, tmp_path):
    home, till, _ = two_shops
    moved = Path(till).rename(tmp_path / "till.yml")
    assert main(["init", "--home", str(home), "--source", str(moved)]) == 0
    assert read_home_file(home).sources == (str(moved),)


# -- Which home -------------------------------------------------------------------------------------------------------

READING = [["quarantine", "list"], ["quarantine", "show"], ["release", "--list"], ["rollback", "--list"]]


@pytest.mark.parametrize("arguments", [*READING, ["check-source"], ["quarantine", "redrive"], ["rollback"]])
def test_a_command_that_reads_makes_no_home_and_says_where_it_looked(arguments, capsys, tmp_path):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert f"holdfast: home {tmp_path / 'here' / 'data'} (the folder data where you are" in said
    assert "there is no home at" in said and not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize("arguments", READING)
def test_in_a_home_without_anything_there_is_nothing_to_show(arguments, tmp_path, capsys, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "other"))
    assert main([*arguments, "--home", str(tmp_path / "home")]) == 0, "what the command names comes first"
    assert f"home {tmp_path / 'home'} (--home)" in capsys.readouterr().err


# -- The clock of the business ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "sources", "zone"),
    [
        (None, [None], "UTC"),
        (None, ["America/Los_Angeles"], "America/Los_Angeles"),
        (None, [None, "Asia/Tokyo", "UTC"], "Asia/Tokyo"),
        ("Europe/Berlin", ["Asia/Tokyo"], "Europe/Berlin"),
    ],
)
def test_the_clock_is_that_of_the_home_else_of_its_sources(tmp_path, said, sources, zone):
    yamls = [business(tmp_path / str(n), f"shop{n}", own) for n, own in enumerate(sources)]
    broken = str(tmp_path / "broken.yml")
    assert business_zone(Settings(home=tmp_path, sources=(broken, *yamls), time_zone=said)) == zone


@pytest.mark.parametrize(
    ("zone", "today"),
    [("UTC", date(2024, 7, 2)), ("America/Los_Angeles", date(2024, 7, 1)), ("Asia/Tokyo", date(2024, 7, 2))],
)
def test_today_is_that_of_the_business(tmp_path, zone, today):
    settings = Settings(home=tmp_path, sources=("shop.yml",), time_zone=zone)
    assert business_today(settings, datetime(2024, 7, 2, 6, 59, tzinfo=UTC)) == today


def next_tick(schedule: dg.ScheduleDefinition, after: datetime) -> datetime:
    return next(
        schedule_execution_time_iterator(after.timestamp(), schedule.cron_schedule, schedule.execution_timezone)
    )


@pytest.mark.parametrize(
    ("zone", "hour", "ticks_at", "newest"),
    [
        ("America/Los_Angeles", 5, datetime(2024, 7, 1, 12, tzinfo=UTC), "2024-07-01"),
        ("America/Los_Angeles", 22, datetime(2024, 7, 2, 5, tzinfo=UTC), "2024-07-01"),
        ("Asia/Tokyo", 5, datetime(2024, 6, 30, 20, tzinfo=UTC), "2024-07-01"),
        ("UTC", 0, datetime(2024, 7, 1, 0, tzinfo=UTC), "2024-07-01"),
    ],
)
def test_the_night_starts_at_the_hour_of_the_business_for_its_day(tmp_path, zone, hour, ticks_at, newest):
    settings = Settings(home=tmp_path, sources=("shop.yml",), time_zone=zone, schedule_hour=hour)
    dates = as_of_dates(settings)
    nightly, retrain = build_schedules(*build_jobs(), dates, hour, zone)
    assert next_tick(nightly, ticks_at - timedelta(seconds=1)) == ticks_at
    first = next_tick(retrain, datetime(2024, 6, 15, tzinfo=UTC))
    assert (first.month, first.day, first.hour) == (7, 1, max(hour - 2, 0)), "on the clock of the business"
    with dg.partition_loading_context(effective_dt=ticks_at):
        assert dates.get_last_partition_key() == newest


def test_words_of_a_pasted_command_survive_the_shell(tmp_path, capsys):
    till, home = business(tmp_path / "the till", "till"), tmp_path / "my home"
    assert main(["init", "--home", str(home), "--source", till]) == 0
    line = capsys.readouterr().out.splitlines()[-1].removeprefix("run it: ")
    assert shlex.split(line)[-2:] == ["--home", str(home)]
