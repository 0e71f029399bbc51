"""What the daemon does between the nights: new files start one, a stale set and a failed run are reported, once."""

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from assets.ingest.sources import resolve_sources
from assets.shared.settings import Settings, prepare_home
from pipelines import sensors
from pipelines.dead_runs import DEAD_TAG
from pipelines.failed_runs import TELLS_ITSELF_TAG
from pipelines.new_files import find_new_files

TOYSHOP = Path(__file__).resolve().parents[1] / "toyshop"


@pytest.fixture
def settings(tmp_path):
    """A home whose source, a copy of the toy shop, has been landed."""
    shop = tmp_path / "shop"
    shutil.copytree(TOYSHOP, shop)
    made = Settings(home=tmp_path / "home", sources=(str(shop / "toyshop.yml"),))
    prepare_home(made)
    return made


@pytest.fixture
def landed(settings):
    for source in resolve_sources(settings.sources):
        source.land(settings)
    return settings


def shop_of(settings: Settings) -> Path:
    return Path(settings.sources[0]).parent


def deliver(settings: Settings, name: str, day: str = "30.09.2024", receipt: str = "990001") -> Path:
    """A file with one line that the source has not seen."""
    header = (shop_of(settings) / "transactions.csv").read_text().splitlines()
    line = header[1].split(";")
    line[header[0].split(";").index("Zeitpunkt")] = f"{day} 12:00"
    line[header[0].split(";").index("Beleg")] = receipt
    path = shop_of(settings) / name
    path.write_text("\n".join([header[0], ";".join(line)]) + "\n")
    return path


def test_a_new_file_has_arrived_when_two_looks_find_it_unchanged(landed):
    first = find_new_files(landed, None)
    second = find_new_files(landed, first.cursor)
    assert not first.arrived and not second.arrived, "what is landed is not new"
    path = deliver(landed, "transactions-2.csv")
    third = find_new_files(landed, second.cursor)
    assert not third.arrived and third.waiting, "it may still be written"
    with path.open("a") as out:
        out.write("\n")
    fourth = find_new_files(landed, third.cursor)
    assert not fourth.arrived, "it was still being written"
    fifth = find_new_files(landed, fourth.cursor)
    assert fifth.arrived == ("transactions-2.csv",)
    assert not find_new_files(landed, fifth.cursor).arrived, "it is started for once"


def test_a_changed_file_is_new_and_a_touched_one_is_not(landed):
    cursor = find_new_files(landed, find_new_files(landed, None).cursor).cursor
    path = shop_of(landed) / "customers.csv"
    os.utime(path, (1, 1))
    cursor = find_new_files(landed, cursor).cursor
    touched = find_new_files(landed, cursor)
    assert not touched.arrived
    path.write_text(path.read_text() + "\n")
    os.utime(path, (2, 2))
    cursor = find_new_files(landed, touched.cursor).cursor
    assert find_new_files(landed, cursor).arrived == ("customers.csv",)


def test_a_correction_that_is_taken_back_is_new_although_its_content_was_landed(landed):
    path = shop_of(landed) / "transactions.csv"
    original = path.read_text()
    path.write_text(original + deliver(landed, "more.csv").read_text().splitlines()[1] + "\n")
    (shop_of(landed) / "more.csv").unlink()
    for source in resolve_sources(landed.sources):
        source.land(landed)
    cursor = find_new_files(landed, find_new_files(landed, None).cursor).cursor
    path.write_text(original)
    cursor = find_new_files(landed, cursor).cursor
    arrived = find_new_files(landed, cursor)
    assert arrived.arrived == ("transactions.csv",)
    for source in resolve_sources(landed.sources):
        source.land(landed)
    path.write_text(original)  # written again, the same
    cursor = find_new_files(landed, arrived.cursor).cursor
    assert not find_new_files(landed, cursor).arrived


def test_a_home_that_never_ran_is_left_to_a_person(settings):
    first = find_new_files(settings, None)
    assert not find_new_files(settings, first.cursor).arrived and first.known["toyshop"]


def test_the_built_in_source_has_no_files_to_look_for(tmp_path):
    assert find_new_files(Settings(home=tmp_path, sources=("completejourney",)), None).known == {}


def sensor_of(settings: Settings, name: str) -> dg.SensorDefinition:
    @dg.op
    def nothing():
        pass

    partitions = dg.DailyPartitionsDefinition(start_date="2024-01-01", end_offset=1)

    @dg.job(partitions_def=partitions)
    def nightly():
        nothing()

    return next(s for s in sensors.build_sensors(settings, nightly, partitions) if s.name == name)


def test_the_sensor_asks_for_the_night_that_uses_the_new_file_once(landed):
    sensor = sensor_of(landed, "new_file_sensor")
    cursor, asked = None, []
    for tick in range(5):
        if tick == 1:
            deliver(landed, "transactions-2.csv")
        with dg.DagsterInstance.ephemeral() as instance:
            found = sensor(dg.build_sensor_context(instance, cursor=cursor))
        cursor = found.cursor
        asked += found.run_requests or []
    assert [request.partition_key for request in asked] == ["2024-10-01"], "complete through the 30th of September"
    assert len({request.run_key for request in asked}) == 1


def test_a_source_that_cannot_be_read_is_told_once_and_taken_up_later(landed, monkeypatch):
    told = []
    monkeypatch.setattr(sensors, "notify", lambda notice, *_: told.append(notice.kind))
    sensor = sensor_of(landed, "new_file_sensor")
    yaml = Path(landed.sources[0])
    good = yaml.read_text()
    yaml.write_text(good.replace("transactions:", "transaktions:"))
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(3):
            assert "transaktions" in sensor(dg.build_sensor_context(instance, cursor=None)).skip_message
        assert told == ["source_unusable"]
        yaml.write_text(good)
        assert sensor(dg.build_sensor_context(instance, cursor=None)).cursor


def test_a_stale_set_is_told_once_a_day(landed, monkeypatch):
    told = []
    monkeypatch.setattr(sensors, "notify", lambda notice, *_: told.append(notice))
    monkeypatch.setattr(sensors, "published_as_of", lambda _: datetime(2024, 8, 1, tzinfo=UTC).date())
    sensor = sensor_of(landed, "freshness_sensor")
    with dg.DagsterInstance.ephemeral() as instance:
        first = dg.build_sensor_context(instance)
        sensor(first)
        sensor(dg.build_sensor_context(instance, cursor=first.cursor))
        assert [notice.kind for notice in told] == ["stale"]
        sensor(dg.build_sensor_context(instance, cursor="2024-08-03 2024-08-01"))
    assert len(told) == 2


@pytest.mark.parametrize(
    ("tags", "is_told"),
    [({}, True), ({TELLS_ITSELF_TAG: "true"}, False), ({TELLS_ITSELF_TAG: "true", DEAD_TAG: "true"}, True)],
)
def test_a_failed_run_is_told_by_the_daemon_unless_it_told_itself(landed, monkeypatch, tags, is_told):
    told = []
    monkeypatch.setattr(sensors, "notify", lambda notice, url, log: told.append((notice.kind, url)))
    sensor = sensor_of(replace(landed, webhook_url="http://127.0.0.1:9"), "failed_run_sensor")

    @dg.op
    def breaks():
        raise ValueError("no")

    @dg.job(tags=tags)
    def broken():
        breaks()

    with dg.DagsterInstance.ephemeral() as instance:
        result = broken.execute_in_process(instance=instance, raise_on_error=False)
        event = next(e for e in result.all_events if e.event_type == dg.DagsterEventType.RUN_FAILURE)
        sensor(
            dg.build_run_status_sensor_context(
                "failed_run_sensor", event, instance, instance.get_run_by_id(result.run_id)
            ).for_run_failure()
        )
    assert told == ([("run_failed", "http://127.0.0.1:9")] if is_told else [])


def test_every_sensor_runs_without_being_switched_on(definitions):
    names = {"dead_run_sensor", "failed_run_sensor", "freshness_sensor", "new_file_sensor"}
    for name in names:
        assert definitions.resolve_sensor_def(name).default_status == dg.DefaultSensorStatus.RUNNING
