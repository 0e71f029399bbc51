"""The season's shift of a day: a straight line between the stated days, constant beyond them, nothing without any."""

from datetime import date, timedelta

import pytest

from assets.model.season import YEAR, season_shift

CARD = {"season": {"share": 0.8, "shifts": {"2024-01-01": 0.4, "2023-12-02": 0.0, "2024-01-17": 0.2}}}


@pytest.mark.parametrize(
    ("day", "shift"),
    [
        ("2023-12-02", 0.0),
        ("2024-01-01", 0.4),
        ("2024-01-17", 0.2),
        ("2023-12-17", 0.2),
        ("2024-01-09", 0.3),
        ("2023-01-01", 0.0),
        ("2025-01-01", 0.2),
    ],
)
def test_shift_of_a_day(day, shift):
    assert season_shift(CARD, date.fromisoformat(day)) == pytest.approx(shift)


@pytest.mark.parametrize("card", [{}, {"season": None}, {"season": {"share": 0.0, "shifts": {}}}])
def test_no_season_no_shift(card):
    assert season_shift(card, date(2024, 1, 1)) == 0.0


def test_no_day_jumps():
    days = [date(2023, 12, 2) + timedelta(i) for i in range(47)]
    steps = [abs(season_shift(CARD, b) - season_shift(CARD, a)) for a, b in zip(days, days[1:], strict=False)]
    assert max(steps) < 0.02


def test_one_year_before_is_the_nearest_same_day_of_the_week():
    assert timedelta(364) == YEAR
    assert (date(2024, 5, 1) - YEAR).weekday() == date(2024, 5, 1).weekday()
