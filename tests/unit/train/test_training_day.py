"""As of which day the model of a date is trained."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.shared.params import load_params
from assets.train.cutoffs import plan_cutoffs
from assets.train.training_day import depth, is_week_of_youth, training_day

PARAMS = load_params({"churn_horizon_days": 30})
DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))
AGES = st.integers(0, 900)


def test_without_data_it_is_the_first_of_the_month():
    assert training_day(date(2024, 8, 17), None, PARAMS) == date(2024, 8, 1)
    assert training_day(date(2024, 8, 17), date(2024, 8, 17), PARAMS) == date(2024, 8, 1)


@given(DAYS, AGES)
def test_it_lies_in_the_month_and_knows_no_future(day, age):
    found = training_day(day, day - timedelta(age), PARAMS)
    assert day.replace(day=1) <= found <= day


@given(DAYS, AGES)
def test_every_day_from_it_on_has_the_same_until_the_next(day, age):
    began = day - timedelta(age)
    found = training_day(day, began, PARAMS)
    assert training_day(found, began, PARAMS) == found


def test_a_new_business_is_trained_each_week_from_its_second_on():
    began = date(2024, 8, 3)
    trained = {training_day(date(2024, 8, d), began, PARAMS).day for d in range(4, 32)}
    assert trained == {1, 10, 17, 24, 31}


@pytest.mark.parametrize(("age", "expected"), [(0, False), (6, False), (7, True), (8, False), (91, True), (98, False)])
def test_weeks_of_youth(age, expected):
    assert is_week_of_youth(age) == expected


def test_more_to_learn_from_does_not_wait_for_the_first_of_the_month():
    """A long horizon: the first outcomes close on a day of their own, long after the weeks of youth."""
    params, began = load_params({"churn_horizon_days": 180}), date(2020, 1, 1)
    days = [began + timedelta(n) for n in range(122, 1500)]
    trained = sorted({training_day(day, began, params) for day in days})
    within = [day for day in trained if day.day != 1]
    reached = {depth(plan_cutoffs(day, began, params)) for day in within}
    assert reached == {1, 2, 3, 4} and len(within) == 4
    for day in within:
        before = plan_cutoffs(day - timedelta(1), began, params)
        assert depth(before) < depth(plan_cutoffs(day, began, params))


@given(DAYS)
def test_an_old_business_is_trained_on_the_first_of_the_month_only(day):
    assert training_day(day, day - timedelta(800), PARAMS) == day.replace(day=1)
