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
    NO_ACTION_BUDGET,
    NO_BUDGET,
    NO_CAPACITY,
    NO_CARE_BUDGET,
    OTHER_ACTION,
    PROFIT,
    SERVICE,
    Limits,
    Options,
)
from assets.actions.plan import allocate as allocate_night


def options_of(rows):
    """Options from (candidate, customer, channel, profit, spend, value_at_risk, is_held[, kind, margin[, action]])."""
    rows = [(*row, *(PROFIT, 0.0, -1)[len(row) - 7 :]) for row in rows]
    columns = list(zip(*rows, strict=True)) if rows else [()] * 10
    kinds = (np.int64, np.int64, np.int64, float, float, float, bool, np.int64, float, np.int64)
    names = (
        "candidate",
        "customer",
        "channel",
        "profit",
        "spend",
        "value_at_risk",
        "is_held",
        "kind",
        "margin",
        "action",
    )
    arrays = (np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True))
    return Options(**dict(zip(names, arrays, strict=True)))


def allocate(options, capacities, budget, care_budget=None, action_budgets=()):
    """Care has as much money as what pays, unless the test says otherwise."""
    care_budget = budget if care_budget is None else care_budget
    return allocate_night(options, Limits(tuple(capacities), budget, care_budget, tuple(action_budgets)))


@st.composite
def problems(draw):
    rows = []
    money = st.integers(1, 500).map(lambda cents: cents / 100)
    for candidate in range(draw(st.integers(0, 25))):
        customer, held, action = draw(st.integers(0, 12)), draw(st.booleans()), draw(st.integers(-1, 1))
        kind, margin = draw(st.sampled_from([PROFIT, PROFIT, CARE, SERVICE])), draw(st.sampled_from([0.0, 5.0, 9.0]))
        value_at_risk = draw(st.sampled_from([0.0, 1.0, 2.0]))
        for channel in draw(st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True)):
            profit = draw(money) if kind == PROFIT else draw(st.sampled_from([-4.0, 1.0, float("nan")]))
            rows.append((candidate, customer, channel, profit, draw(money), value_at_risk, held, kind, margin, action))
    capacities = draw(st.lists(st.integers(0, 6), min_size=3, max_size=3))
    budgets = [draw(st.integers(0, 2000)) / 100 for _ in range(4)]
    return rows, capacities, budgets[0], budgets[1], budgets[2:]


def money_of(rows, kinds=(PROFIT, CARE, SERVICE), actions=(-1, 0, 1)):
    return round(sum(row[4] for row in rows if row[7] in kinds and row[9] in actions), 6)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_limits_hold_and_every_candidate_gets_one_outcome(problem):
    rows, capacities, budget, care_budget, action_budgets = problem
    options = options_of(rows)
    result = allocate(options, capacities, budget, care_budget, action_budgets)
    assert len(result.outcome) == len({row[0] for row in rows})
    taken = {candidate: rows[option] for candidate, option in enumerate(result.option) if option >= 0}
    contacts = [row for candidate, row in taken.items() if result.outcome[candidate] == CONTACT]
    assert money_of(contacts, (PROFIT,)) <= budget and money_of(contacts, (CARE, SERVICE)) <= care_budget
    for action, money in enumerate(action_budgets):
        assert money_of(contacts, actions=(action,)) <= money
    for channel, capacity in enumerate(capacities):
        assert sum(row[2] == channel for row in contacts) <= capacity
    assert result.profit == pytest.approx(sum(row[3] for row in contacts if row[7] == PROFIT))
    assert result.profit <= result.bound + 1e-9
    assert min(*result.channel_prices, result.money_price, *result.action_prices) >= 0
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
        if outcome in (NO_CAPACITY, NO_BUDGET, NO_CARE_BUDGET, NO_ACTION_BUDGET):
            assert own[0][1] not in served


@settings(max_examples=50, deadline=None)
@given(problems())
def test_nobody_is_left_out_who_would_still_fit(problem):
    rows, capacities, budget, care_budget, action_budgets = problem
    result = allocate(options_of(rows), capacities, budget, care_budget, action_budgets)
    used = [rows[option] for option, outcome in zip(result.option, result.outcome, strict=True) if outcome == CONTACT]
    room = [capacity - sum(row[2] == channel for row in used) for channel, capacity in enumerate(capacities)]
    left = {PROFIT: budget - money_of(used, (PROFIT,)), CARE: care_budget - money_of(used, (CARE, SERVICE))}
    of_action = [money - money_of(used, actions=(action,)) for action, money in enumerate(action_budgets)] + [np.inf]
    for candidate, outcome in enumerate(result.outcome):
        for row in (row for row in rows if row[0] == candidate):
            has_money = row[4] <= left[PROFIT if row[7] == PROFIT else CARE] + 1e-9
            if outcome == NO_CAPACITY:
                assert room[row[2]] <= 0
            if outcome in (NO_BUDGET, NO_CARE_BUDGET):
                assert row[7] != PROFIT if outcome == NO_CARE_BUDGET else row[7] == PROFIT
                assert room[row[2]] <= 0 or not has_money
            if outcome == NO_ACTION_BUDGET:
                assert room[row[2]] <= 0 or not has_money or row[4] > of_action[row[9]] - 1e-9


def random_night(n_customers, seed, tightness=0.05):
    """Options of customers whose contacts compete for two channels and money, one action with a budget of its own."""
    random = np.random.default_rng(seed)
    rows, candidate = [], 0
    for customer in range(n_customers):
        value = random.lognormal(0, 1)
        for action in range(3):
            for channel, cost in ((0, 0.02), (1, 0.5)):
                spend = cost + round(float(random.uniform(0, 0.6)), 2) * (action == 0)
                profit = round(float(value * random.uniform(0.2, 1.5)), 4)
                rows.append(
                    (candidate, customer, channel, profit, spend, 0.0, False, PROFIT, 0.0, 0 if action == 0 else -1)
                )
            candidate += 1
    capacities = [int(n_customers * tightness * 2), int(n_customers * tightness)]
    return rows, capacities, n_customers * tightness * 0.4, n_customers * tightness * 0.1


def best_possible(rows, capacities, budget, action_budget):
    """The largest profit of any plan, by HiGHS."""
    from scipy.optimize import LinearConstraint, milp
    from scipy.sparse import csr_array

    table = np.array([(row[1], row[2], row[3], row[4], row[9]) for row in rows])
    columns = np.arange(len(rows))
    customers = csr_array((np.ones(len(rows)), (table[:, 0].astype(int), columns)))
    shared = np.array([table[:, 1] == 0, table[:, 1] == 1, table[:, 3], np.where(table[:, 4] == 0, table[:, 3], 0)])
    found = milp(
        -table[:, 2],
        integrality=np.ones(len(rows)),
        bounds=(0, 1),
        constraints=[
            LinearConstraint(customers, -np.inf, 1),
            LinearConstraint(shared.astype(float), -np.inf, [*capacities, budget, action_budget]),
        ],
        options={"mip_rel_gap": 1e-7, "time_limit": 60},
    )
    assert found.success
    return -found.fun


@pytest.mark.parametrize("seed", range(4))
def test_the_plan_is_nearly_the_best_and_the_bound_is_one(seed):
    rows, capacities, budget, action_budget = random_night(300, seed)
    result = allocate(options_of(rows), capacities, budget, 0, [action_budget])
    best = best_possible(rows, capacities, budget, action_budget)
    assert best - 1e-6 <= result.bound
    assert 0.99 * best <= result.profit <= best + 1e-6


def test_with_many_customers_the_plan_reaches_its_bound():
    rows, capacities, budget, action_budget = random_night(6000, 1)
    result = allocate(options_of(rows), capacities, budget, 0, [action_budget])
    assert 0.9995 * result.bound <= result.profit <= result.bound
    assert len({*result.channel_prices, result.money_price, *result.action_prices}) > 1
    again = allocate(options_of(rows), capacities, budget, 0, [action_budget])
    assert np.array_equal(again.option, result.option) and again.channel_prices == result.channel_prices


def test_a_price_is_what_one_more_contact_would_earn():
    # Ten want five places: the fifth earns 6, the sixth would earn 5.
    rows = [(n, n, 0, 10.0 - n, 0.0, 0.0, False) for n in range(10)]
    result = allocate(options_of(rows), [5], 100)
    assert 5 <= result.channel_prices[0] <= 6 and result.money_price == 0
    assert result.profit == result.bound == 40
    free = allocate(options_of(rows), [10], 100)
    assert free.channel_prices == (0.0,) and free.profit == free.bound == 55


def test_an_action_has_its_own_budget():
    rows = [(n, n, 0, 5.0, 1.0, 0.0, False, PROFIT, 0.0, 0) for n in range(4)]
    rows += [(4, 4, 0, 1.0, 1.0, 0.0, False)]
    result = allocate(options_of(rows), [9], 100, 0, [2.0])
    assert (result.outcome == CONTACT).tolist() == [True, True, False, False, True]
    assert result.outcome[2] == result.outcome[3] == NO_ACTION_BUDGET
    assert result.action_prices[0] > 0 and result.money_price == 0


def test_a_sample_of_the_customers_leads_to_the_same_prices(monkeypatch):
    from assets.actions import dual_prices

    rows, capacities, budget, action_budget = random_night(3000, 2)
    whole = allocate(options_of(rows), capacities, budget, 0, [action_budget])
    monkeypatch.setattr(dual_prices, "_SAMPLES", ((100, 0.02), (500, 0.01)))
    sampled = allocate(options_of(rows), capacities, budget, 0, [action_budget])
    assert sampled.bound == pytest.approx(whole.bound, rel=1e-5)
    assert sampled.profit == pytest.approx(whole.profit, rel=5e-4)


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
    assert result.money_price > 0 and result.profit == result.bound == 20


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


def test_money_counts_to_the_ten_thousandth():
    rows = [(n, n, 0, 1.0, 0.0001, 0.0, False) for n in range(5)]
    assert (allocate(options_of(rows), [100], 0.0003).outcome == CONTACT).sum() == 3
    just_too_dear = [(0, 0, 0, 1.0, 0.00031, 0.0, False)]
    assert (allocate(options_of(just_too_dear), [100], 0.0003).outcome == CONTACT).sum() == 0


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
    assert allocate(options_of(rows), [9, 0], 0, 4).outcome.tolist() == [NO_CARE_BUDGET, CONTACT, NO_CARE_BUDGET]


def test_service_goes_before_care_and_before_what_pays():
    rows = [call(0, 0, 99.0), message(1, 1, profit=50.0, spend=4.0, channel=PHONE), call(2, 2, 1.0, kind=SERVICE)]
    assert allocate(options_of(rows), [1, 0], 100).outcome.tolist() == [NO_CAPACITY, NO_CAPACITY, CONTACT]
    assert allocate(options_of(rows), [9, 0], 3, 4).outcome.tolist() == [NO_CARE_BUDGET, NO_BUDGET, CONTACT]


def test_care_takes_neither_money_nor_room_from_what_pays():
    rows = [call(0, 0, 99.0), *(message(n, n) for n in range(1, 9))]
    assert allocate(options_of(rows), [5, 100], 8, 3.99).outcome.tolist() == [NO_CARE_BUDGET] + [CONTACT] * 8
    assert allocate(options_of(rows), [5, 100], 8, 4).outcome.tolist() == [CONTACT] * 9
    rows = [call(0, 0, 99.0), message(1, 1, profit=0.1, spend=4.0, channel=PHONE)]
    assert allocate(options_of(rows), [1, 0], 100).outcome.tolist() == [NO_CAPACITY, CONTACT]


def test_care_goes_before_the_other_actions_of_its_own_customer():
    rows = [message(0, 0, profit=9.0), call(1, 0, 10.0), message(2, 2)]
    assert allocate(options_of(rows), [5, 5], 100).outcome.tolist() == [CARE_FIRST, CONTACT, CONTACT]
    # Without room for the call the message is sent.
    assert allocate(options_of(rows), [0, 5], 100).outcome.tolist() == [CONTACT, OTHER_ACTION, CONTACT]
