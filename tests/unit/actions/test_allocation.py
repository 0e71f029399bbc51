"""The allocation as a pure function: what must hold for any options, and the cases that motivate it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.actions.plan import (
    CARE,
    CARE_FIRST,
    CONTACT,
    HELD_OUT,
    NO_BUDGET,
    NO_CAPACITY,
    OTHER_ACTION,
    PROFIT,
    SERVICE,
    Options,
    allocate,
)


def options_of(rows):
    """Options from (candidate, customer, channel, profit, spend, value_at_risk, is_held[, kind, margin])."""
    rows = [(*row, PROFIT, 0.0)[:9] if len(row) == 7 else row for row in rows]
    columns = list(zip(*rows, strict=True)) if rows else [()] * 9
    kinds = (np.int64, np.int64, np.int64, float, float, float, bool, np.int64, float)
    return Options(*(np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True)))


@st.composite
def problems(draw):
    rows = []
    money = st.integers(1, 500).map(lambda cents: cents / 100)
    for candidate in range(draw(st.integers(0, 25))):
        customer, held = draw(st.integers(0, 12)), draw(st.booleans())
        kind, margin = draw(st.sampled_from([PROFIT, PROFIT, CARE, SERVICE])), draw(st.sampled_from([0.0, 5.0, 9.0]))
        value_at_risk = draw(st.sampled_from([0.0, 1.0, 2.0]))
        for channel in draw(st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True)):
            profit = draw(money) if kind == PROFIT else draw(st.sampled_from([-4.0, 1.0, float("nan")]))
            rows.append((candidate, customer, channel, profit, draw(money), value_at_risk, held, kind, margin))
    return rows, draw(st.lists(st.integers(0, 6), min_size=3, max_size=3)), draw(st.integers(0, 2000)) / 100


@settings(max_examples=300, deadline=None)
@given(problems())
def test_limits_hold_and_every_candidate_gets_one_outcome(problem):
    rows, capacities, budget = problem
    options = options_of(rows)
    result = allocate(options, capacities, budget)
    assert len(result.outcome) == len({row[0] for row in rows})
    taken = {candidate: rows[option] for candidate, option in enumerate(result.option) if option >= 0}
    contacts = [row for candidate, row in taken.items() if result.outcome[candidate] == CONTACT]
    assert round(sum(row[4] for row in contacts), 6) <= budget
    for channel, capacity in enumerate(capacities):
        assert sum(row[2] == channel for row in contacts) <= capacity
    served = [row[1] for row in taken.values()]
    assert len(served) == len(set(served)), "a customer was chosen twice"
    for candidate, outcome in enumerate(result.outcome):
        own = [row for row in rows if row[0] == candidate]
        assert (outcome in (CONTACT, HELD_OUT)) == (candidate in taken)
        if candidate in taken:
            assert taken[candidate] in own
            assert (outcome == HELD_OUT) == own[0][6], "held out if and only if the candidate is in a holdout"
        if outcome in (OTHER_ACTION, CARE_FIRST):
            assert own[0][1] in served
        if outcome in (NO_CAPACITY, NO_BUDGET):
            assert own[0][1] not in served


@settings(max_examples=150, deadline=None)
@given(problems())
def test_nobody_is_left_out_who_would_still_fit(problem):
    rows, capacities, budget = problem
    result = allocate(options_of(rows), capacities, budget)
    used = [rows[option] for option, outcome in zip(result.option, result.outcome, strict=True) if outcome == CONTACT]
    money_left = budget - sum(row[4] for row in used)
    room = [capacity - sum(row[2] == channel for row in used) for channel, capacity in enumerate(capacities)]
    for candidate, outcome in enumerate(result.outcome):
        if outcome in (NO_BUDGET, NO_CAPACITY):
            for row in rows:
                if row[0] == candidate:
                    assert room[row[2]] <= 0 or row[4] > money_left - 1e-6


def test_profit_then_value_at_risk_then_number_decide():
    rows = [
        (0, 0, 0, 1.0, 0.1, 5.0, False),
        (1, 1, 0, 1.0, 0.1, 9.0, False),
        (2, 2, 0, 2.0, 0.1, 0.0, False),
        (3, 3, 0, 1.0, 0.1, 5.0, False),
    ]
    for capacity, expected in ((1, {2}), (2, {2, 1}), (3, {2, 1, 0})):
        outcome = allocate(options_of(rows), [capacity], 100).outcome
        assert set(np.flatnonzero(outcome == CONTACT)) == expected


def test_when_the_budget_binds_money_goes_where_it_earns_most():
    # One contact that earns 10 for 10, or ten that earn 2 for 1 each: plain greed takes the first and is done.
    rows = [(0, 0, 0, 10.0, 10.0, 0.0, False)] + [(n, n, 0, 2.0, 1.0, 0.0, False) for n in range(1, 11)]
    result = allocate(options_of(rows), [100], 10)
    assert result.outcome.tolist() == [NO_BUDGET] + [CONTACT] * 10
    assert result.is_budget_binding and result.price > 0


def test_a_full_channel_falls_back_to_the_next_of_the_action():
    rows = [
        (0, 0, 0, 3.0, 0.1, 0.0, False),
        (1, 1, 0, 2.0, 0.1, 0.0, False),
        (1, 1, 1, 1.9, 0.2, 0.0, False),
        (2, 2, 0, 1.0, 0.1, 0.0, False),
    ]
    result = allocate(options_of(rows), [1, 5], 100)
    assert result.option.tolist() == [0, 2, -1]
    assert result.outcome.tolist() == [CONTACT, CONTACT, NO_CAPACITY]


def test_one_contact_a_customer_and_the_best_of_them():
    rows = [(0, 7, 0, 1.0, 0.1, 0.0, False), (1, 7, 0, 2.0, 0.1, 0.0, False)]
    assert allocate(options_of(rows), [5], 100).outcome.tolist() == [OTHER_ACTION, CONTACT]


def test_held_out_use_nothing_up_and_stop_at_the_same_line():
    rows = [(0, 0, 0, 3.0, 1.0, 0.0, True), (1, 1, 0, 2.0, 1.0, 0.0, False), (2, 2, 0, 1.0, 1.0, 0.0, True)]
    # The only place goes to the second; the third lies below the line and would not have been contacted either.
    assert allocate(options_of(rows), [1], 100).outcome.tolist() == [HELD_OUT, CONTACT, NO_CAPACITY]
    assert allocate(options_of(rows), [5], 1).outcome.tolist() == [HELD_OUT, CONTACT, NO_BUDGET]


def test_money_is_exact_to_the_last_contact():
    rows = [(n, n, 0, 1.0, 0.1, 0.0, False) for n in range(20)]
    assert (allocate(options_of(rows), [100], 1.0).outcome == CONTACT).sum() == 10


@pytest.mark.parametrize("profit", [0.0, -1.0, float("nan")])
def test_an_option_without_profit_is_refused(profit):
    with pytest.raises(ValueError, match="profit"):
        allocate(options_of([(0, 0, 0, profit, 1.0, 0.0, False)]), [1], 1)


def test_no_candidates_make_an_empty_plan():
    assert len(allocate(options_of([]), [1], 1).outcome) == 0


# -- contacts that need no profit --------------------------------------------------------------

PHONE, MAIL = 0, 1


def call(candidate, customer, margin, kind=CARE, spend=4.0, profit=-4.0, held=False):
    return (candidate, customer, PHONE, profit, spend, 0.0, held, kind, margin)


def message(candidate, customer, profit=1.0, spend=1.0, channel=MAIL):
    return (candidate, customer, channel, profit, spend, 0.0, False, PROFIT, 50.0)


def test_care_goes_by_capacity_and_margin_although_it_costs():
    rows = [call(0, 0, 10.0), call(1, 1, 30.0, profit=float("nan")), call(2, 2, 20.0)]
    assert allocate(options_of(rows), [2, 0], 100).outcome.tolist() == [NO_CAPACITY, CONTACT, CONTACT]
    assert allocate(options_of(rows), [9, 0], 4).outcome.tolist() == [NO_BUDGET, CONTACT, NO_BUDGET]


def test_service_goes_before_care_and_before_what_pays():
    rows = [call(0, 0, 99.0), message(1, 1, profit=50.0, spend=4.0, channel=PHONE), call(2, 2, 1.0, kind=SERVICE)]
    assert allocate(options_of(rows), [1, 0], 100).outcome.tolist() == [NO_CAPACITY, NO_CAPACITY, CONTACT]
    assert allocate(options_of(rows), [9, 0], 4).outcome.tolist() == [NO_BUDGET, NO_BUDGET, CONTACT]


def test_care_takes_neither_money_nor_room_from_what_pays():
    rows = [call(0, 0, 99.0), *(message(n, n) for n in range(1, 9))]
    assert allocate(options_of(rows), [5, 100], 11).outcome.tolist() == [NO_BUDGET] + [CONTACT] * 8
    assert allocate(options_of(rows), [5, 100], 12).outcome.tolist() == [CONTACT] * 9
    rows = [call(0, 0, 99.0), message(1, 1, profit=0.1, spend=4.0, channel=PHONE)]
    assert allocate(options_of(rows), [1, 0], 100).outcome.tolist() == [NO_CAPACITY, CONTACT]


def test_care_goes_before_the_other_actions_of_its_own_customer():
    rows = [message(0, 0, profit=9.0), call(1, 0, 10.0), message(2, 2)]
    assert allocate(options_of(rows), [5, 5], 100).outcome.tolist() == [CARE_FIRST, CONTACT, CONTACT]
    # Without room for the call the message is sent.
    assert allocate(options_of(rows), [0, 5], 100).outcome.tolist() == [CONTACT, OTHER_ACTION, CONTACT]
