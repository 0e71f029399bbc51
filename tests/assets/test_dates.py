"""Which dates the command line lets through before anything runs."""

from datetime import date, timedelta

import pytest

from assets.shared.errors import UserError
from assets.shared.settings import Settings
from pipelines.commands import run

LAST = date(2024, 5, 1)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A source whose data allow the dates from 2024-01-01 to LAST."""
    monkeypatch.setattr(run, "_bounds", lambda _: (date(2024, 1, 1), LAST, LAST - timedelta(days=3)))
    return Settings(home=tmp_path, sources=("shop.yml",))


def test_without_a_date_it_is_the_last_to_which_every_source_is_complete(settings):
    assert run.dates_to_run(settings, None) == (LAST - timedelta(days=3),) * 2


@pytest.mark.parametrize(("days_after", "is_let_through"), [(0, True), (31, True), (32, False)])
def test_an_extract_may_be_missing_for_a_month(settings, days_after, is_let_through):
    """Whether it is missing is for the run to say; later than that the date is outside the data."""
    day = LAST + timedelta(days=days_after)
    if is_let_through:
        assert run.dates_to_run(settings, day) == (day, day)
    else:
        with pytest.raises(UserError, match="outside the data"):
            run.dates_to_run(settings, day)


def test_a_date_before_the_data_or_backwards_is_refused(settings):
    with pytest.raises(UserError, match="outside the data"):
        run.dates_to_run(settings, date(2023, 12, 31))
    with pytest.raises(UserError, match="is after"):
        run.dates_to_run(settings, LAST, LAST - timedelta(days=1))
