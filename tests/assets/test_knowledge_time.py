"""A run as known at an earlier moment has a home, ledgers and an environment of its own."""

import os
from datetime import date

import pytest

from assets.shared.errors import UserError
from assets.shared.settings import Settings
from pipelines import knowledge_time


@pytest.fixture
def settings(tmp_path, monkeypatch):
    for name in ("HOLDFAST_HOME", "HOLDFAST_RAW_HOME", "HOLDFAST_PUBLISH_POSTGRES", "HOLDFAST_WEBHOOK_URL"):
        monkeypatch.setenv(name, "https://example.invalid")
    monkeypatch.setenv("HOLDFAST_RAW_HOME", "")
    return Settings(home=tmp_path, sources=("shop",), publish_postgres="uri", webhook_url="https://example.invalid")


def test_it_publishes_nowhere_else_and_tells_nobody(settings):
    inner = knowledge_time.prepare_home_of_then(settings, "2024-05-01")
    assert (inner.publish_postgres, inner.webhook_url) == (None, None)
    assert "HOLDFAST_PUBLISH_POSTGRES" not in os.environ and "HOLDFAST_WEBHOOK_URL" not in os.environ
    assert inner.home.parent == settings.home / "as_known" and inner.raw == settings.raw
    assert inner.published_db != settings.published_db


def test_it_knows_the_plans_of_then_and_no_later_release(settings):
    plans = settings.ledgers / "plan"
    plans.mkdir(parents=True)
    for day, written in ((date(2024, 4, 30), 1714500000), (date(2024, 5, 9), 1715300000)):
        (plans / f"{day}.parquet").write_bytes(b"rows")
        os.utime(plans / f"{day}.parquet", (written, written))
    (settings.ledgers / "holdout.parquet").write_bytes(b"group")
    (settings.ledgers / "releases.jsonl").write_text("{}")
    inner = knowledge_time.prepare_home_of_then(settings, "2024-05-01")
    found = sorted(path.relative_to(inner.ledgers).as_posix() for path in inner.ledgers.rglob("*") if path.is_file())
    assert found == ["holdout.parquet", "plan/2024-04-30.parquet"]


def test_moments_that_differ_have_homes_that_differ(settings, monkeypatch):
    homes = set()
    for moment in ("2024-05-01", "2024-05-01T06:00:00", "2024-05-01T06:00:00+02:00", "2024-05-01T06:00:00.5"):
        monkeypatch.setenv("HOLDFAST_RAW_HOME", "")
        homes.add(knowledge_time.prepare_home_of_then(settings, moment).home.name)
    assert len(homes) == 4 and all("/" not in name and ":" not in name for name in homes)


@pytest.mark.parametrize("moment", ["", "last week", "../../x"])
def test_what_is_no_moment(settings, moment):
    with pytest.raises(UserError, match="moment|empty"):
        knowledge_time.prepare_home_of_then(settings, moment)
