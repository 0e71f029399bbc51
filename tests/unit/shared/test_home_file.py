"""`home.yml` says whose home it is: what is written is read again, and what cannot be is refused with its name."""

import pytest

from assets.shared.errors import UserError
from assets.shared.home_file import NAME, HomeFile, read_home_file, write_home_file


def test_a_home_without_a_record_has_none(tmp_path):
    assert read_home_file(tmp_path) is None
    assert read_home_file(tmp_path / "not there") is None


@pytest.mark.parametrize("hour", [None, 0, 23])
@pytest.mark.parametrize("zone", [None, "America/Los_Angeles"])
def test_what_is_written_is_read_again(tmp_path, hour, zone):
    sources = ("/data/tills of München/till.yml", "completejourney")
    written = write_home_file(tmp_path, sources, hour, zone)
    expected = HomeFile(sources=sources, schedule_hour=5 if hour is None else hour, time_zone=zone)
    assert read_home_file(tmp_path) == written == expected


def test_the_file_shows_what_else_it_may_say_and_that_can_be_uncommented(tmp_path):
    write_home_file(tmp_path, ("completejourney",), None, None)
    path = tmp_path / NAME
    path.write_text(path.read_text().replace("# schedule_hour", "schedule_hour").replace("# time_zone", "time_zone"))
    assert read_home_file(tmp_path) == HomeFile(
        sources=("completejourney",), schedule_hour=5, time_zone="Europe/Berlin"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sources: []", "sources"),
        ("sources: [a.yml]\nschedule_hour: 24", "schedule_hour"),
        ("sources: [a.yml]\nschedule_hour: -1", "schedule_hour"),
        ("sources: [a.yml]\ntime_zone: Europe/Berln", "Europe/Berlin"),
        ("sources: [a.yml]\ntimezone: UTC", "timezone"),
        ("", "file"),
        ("sources: [a.yml", "home.yml"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_by_key(tmp_path, text, words):
    (tmp_path / NAME).write_text(text)
    with pytest.raises(UserError, match="home.yml") as refused:
        read_home_file(tmp_path)
    assert words in refused.value.what and "schedule_hour" in refused.value.remedy


def test_values_that_cannot_be_are_not_written(tmp_path):
    with pytest.raises(UserError, match="schedule_hour"):
        write_home_file(tmp_path, ("a.yml",), 24, None)
    assert not (tmp_path / NAME).exists()
