"""Cutoff dates: never unmatured, never before there is something to see."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.shared.params import load_params
from assets.train.cutoffs import plan_cutoffs

DEFAULTS = load_params()
plans = st.builds(
    lambda horizon, spacing, n_cutoffs, n_tests, history, tenure: (
        plan_cutoffs(
            date(2020, 6, 1),
            date(2020, 6, 1) - timedelta(history),
            DEFAULTS.model_copy(
                update={
                    "churn_horizon_days": horizon,
                    "train_cutoff_spacing_days": spacing,
                    "train_n_cutoffs": n_cutoffs,
                    "train_n_test_cutoffs": n_tests,
                    "churn_min_tenure_days": tenure,
                }
            ),
        ),
        history,
        tenure,
    ),
    st.integers(7, 365),
    st.integers(1, 90),
    st.integers(2, 60),
    st.integers(2, 12),
    st.integers(-10, 2000),
    st.integers(0, 60),
)


@given(plans)
def test_every_label_is_closed_at_the_anchor_and_every_cutoff_has_history(case):
    plan, history, tenure = case
    first_day = plan.anchor - timedelta(history)
    for cutoff in plan.cutoffs:
        assert cutoff + timedelta(plan.horizon_days) <= plan.anchor
        assert cutoff >= first_day + timedelta(min(plan.horizon_days, 45) + tenure)


@given(plans)
def test_what_a_test_cutoff_learns_from_is_closed_before_it(case):
    plan, _, _ = case
    for cutoff in plan.out_of_time:
        known = plan.known_before(cutoff)
        assert known
        assert set(known) <= set(plan.cutoffs)
        assert len(known) <= plan.n_cutoffs
        assert all(c + timedelta(plan.horizon_days) <= cutoff for c in known)


@given(plans)
def test_test_label_windows_do_not_overlap_and_no_validation_one_reaches_into_them(case):
    plan, _, _ = case
    horizon = timedelta(plan.horizon_days)
    days = sorted(plan.test)
    assert all(later - earlier == horizon for earlier, later in zip(days, days[1:], strict=False))
    assert not set(plan.validation) & set(plan.test)
    assert plan.overlaps or all(cutoff + horizon <= days[0] for cutoff in plan.validation)
    if plan.overlaps:
        assert len(plan.test) == 1
    assert all(cutoff + horizon <= min([*plan.validation, *plan.test]) for cutoff in plan.calibration)
    if plan.test:
        assert plan.test[0] == plan.anchor - horizon  # the newest matured cutoff
    assert {plan.role(cutoff) for cutoff in plan.out_of_time} <= {"validation", "test", "calibration"}


def test_the_default_source_at_the_end_of_its_year():
    plan = plan_cutoffs(date(2018, 1, 1), date(2017, 1, 1), DEFAULTS)
    assert plan.training[0] == date(2017, 12, 2)
    assert len(plan.training) == 18
    assert plan.test == (date(2017, 12, 2), date(2017, 11, 2), date(2017, 10, 3))
    assert plan.validation == (date(2017, 9, 3), date(2017, 8, 4), date(2017, 7, 5), date(2017, 6, 5))
    assert plan.calibration == (date(2017, 5, 6),)
    assert plan.cutoffs[0] == date(2017, 3, 22)


def test_a_short_history_gives_up_test_cutoffs_and_sets_validation_ones_closer():
    params = DEFAULTS.model_copy(update={"churn_horizon_days": 90})
    plan = plan_cutoffs(date(1998, 7, 1), date(1997, 1, 1), params)
    assert plan.test == (date(1998, 4, 2),)
    assert plan.validation == (date(1998, 1, 2), date(1997, 11, 18), date(1997, 10, 4), date(1997, 8, 20))


def test_a_history_of_a_few_horizons_still_has_cutoffs_to_choose_by():
    params = DEFAULTS.model_copy(update={"churn_horizon_days": 90})
    plan = plan_cutoffs(date(1997, 11, 3), date(1997, 1, 1), params)
    assert plan.test == (date(1997, 8, 5),)
    assert plan.validation == (date(1997, 7, 21), date(1997, 7, 6), date(1997, 6, 21), date(1997, 6, 6))
    assert plan.overlaps
    assert not plan_cutoffs(date(2018, 1, 1), date(2017, 1, 1), DEFAULTS).overlaps


def test_too_little_history_or_no_data_asks_for_no_snapshots():
    assert plan_cutoffs(date(2017, 2, 1), date(2017, 1, 1), DEFAULTS).cutoffs == ()
    assert plan_cutoffs(date(2017, 2, 1), None, DEFAULTS).cutoffs == ()


def test_two_cutoffs_a_day_apart_still_leave_the_test_cutoffs_something_to_learn_from():
    params = DEFAULTS.model_copy(update={"train_n_cutoffs": 2, "train_cutoff_spacing_days": 1})
    plan = plan_cutoffs(date(2018, 1, 1), date(2017, 1, 1), params)
    assert len(plan.training) == 2
    assert len(plan.test) == 3
    assert all(plan.known_before(cutoff) for cutoff in plan.out_of_time)


def test_a_season_needs_the_days_to_be_scored_one_year_before_and_is_never_learned_from():
    short = plan_cutoffs(date(2018, 1, 1), date(2017, 1, 1), DEFAULTS)
    assert short.season == ()
    long = plan_cutoffs(date(2018, 1, 1), date(2014, 1, 1), DEFAULTS)
    year = timedelta(364)
    assert {day - year for day in long.season_days} | {cutoff - year for cutoff in long.out_of_time} == set(long.season)
    assert max(long.season_days) >= date(2018, 2, 1)  # the whole month that the model is active
    assert all(cutoff + timedelta(DEFAULTS.churn_horizon_days) <= long.anchor for cutoff in long.season)
    for cutoff in long.out_of_time:
        assert long.known_before(cutoff) == replace(long, season=()).known_before(cutoff)


@pytest.mark.parametrize(("horizon", "settled"), [(30, 30), (45, 45), (60, 45)])
def test_the_first_cutoff_lies_a_horizon_or_45_days_after_the_least_tenure(horizon, settled):
    anchor = date(2024, 6, 1)
    first_day = anchor - timedelta(horizon + settled + 14 + 20)
    params = load_params({"churn_horizon_days": horizon, "train_cutoff_spacing_days": 1, "train_n_cutoffs": 60})
    assert min(plan_cutoffs(anchor, first_day, params).training) == first_day + timedelta(settled + 14)


def test_a_season_is_stated_for_days_sixteen_apart():
    plan = plan_cutoffs(date(2024, 6, 1), date(2020, 1, 1), load_params())
    assert plan.season_days == (date(2024, 5, 2), date(2024, 6, 1), date(2024, 6, 17), date(2024, 7, 3))


def test_three_validation_cutoffs_are_enough_not_to_overlap():
    anchor, params = date(2024, 6, 1), load_params()
    plans = [plan_cutoffs(anchor, anchor - timedelta(days), params) for days in range(60, 400)]
    assert min(len(plan.validation) for plan in plans if plan.validation and not plan.overlaps) == 3


def test_a_closure_belongs_to_no_horizon():
    """The newest cutoff is the first whose open days are over; nothing is learned from labels that end later."""
    closed = frozenset(date(2017, 12, 1) + timedelta(n) for n in range(21))
    for anchor, newest in (
        (date(2017, 12, 1), date(2017, 11, 1)),
        (date(2017, 12, 22), date(2017, 11, 1)),
        (date(2017, 12, 23), date(2017, 11, 2)),
        (date(2018, 1, 20), date(2017, 11, 30)),
    ):
        plan = plan_cutoffs(anchor, date(2016, 1, 1), DEFAULTS, closed)
        assert max(plan.cutoffs) == newest and plan.label_end(newest) <= anchor
        for cutoff in plan.out_of_time:
            assert all(plan.label_end(known) <= cutoff for known in plan.known_before(cutoff))
    # From the day on on which 30 open days have followed it, the first day after the closure is a cutoff.
    assert max(plan_cutoffs(date(2018, 1, 21), date(2016, 1, 1), DEFAULTS, closed).cutoffs) == date(2017, 12, 22)
    assert plan_cutoffs(date(2018, 1, 1), date(2016, 1, 1), DEFAULTS, frozenset()) == plan_cutoffs(
        date(2018, 1, 1), date(2016, 1, 1), DEFAULTS
    )
