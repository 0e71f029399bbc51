"""To which day a contact moves."""

from datetime import date

import pytest

from assets.shared.quiet_days import WEEKDAYS, first_open_day, is_known


@pytest.mark.parametrize(
    ("quiet", "day", "due"),
    [
        (set(), date(2024, 12, 25), date(2024, 12, 25)),
        ({"12-25"}, date(2024, 12, 24), date(2024, 12, 24)),
        ({"12-25"}, date(2024, 12, 25), date(2024, 12, 26)),
        ({"12-25", "12-26", "saturday", "sunday"}, date(2026, 12, 25), date(2026, 12, 28)),
        ({"2024-12-31", "01-01"}, date(2024, 12, 31), date(2025, 1, 2)),
        ({"2024-12-31"}, date(2025, 12, 31), date(2025, 12, 31)),
        ({"02-29"}, date(2024, 2, 29), date(2024, 3, 1)),
    ],
)
def test_a_contact_moves_to_the_first_day_that_is_not_quiet(quiet, day, due):
    assert first_open_day(day, quiet) == due


def test_a_year_without_an_open_day_is_a_mistake():
    with pytest.raises(ValueError, match="every day"):
        first_open_day(date(2024, 1, 1), set(WEEKDAYS))


def test_what_can_be_quiet():
    assert all(map(is_known, ["sunday", "12-25", "02-29", "2025-04-21"]))
    assert not any(map(is_known, ["", "Sunday", "25.12.", "13-01", "2025-02-29", "12-25-2025"]))
