"""Flows of a bank's accounts: each kind of change is one alert with a life, and nobody is alerted for what all did."""

import numpy as np
import pytest

from assets.movements.alerts import build_movements
from assets.movements.flows import _tail
from assets.movements.life import is_down
from assets.movements.state import TESTS, State
from assets.shared.params import load_params
from tests.unit.movements.conftest import FIRST, add_days, insert_balances, night

BANK = load_params({}, business="bank")
CYCLE = 30
PAID = range(10, 400, CYCLE)


def add_account(con, customer_id: str, days=PAID, kept=lambda day: 900.0, top=lambda day: 2900.0) -> None:
    """Salary on `days`; `kept` is left four days later, and 100 less two weeks later, give or take a few percent."""
    rng = np.random.default_rng(sum(map(ord, customer_id)))
    add_days(con, customer_id, range(3, 400, 9))
    rows = [(customer_id, 1, 900.0)]
    for day in days:
        noise = np.exp(rng.normal(0, 0.05, 3))
        rows += [(customer_id, day, top(day) * noise[0]), (customer_id, day + 4, kept(day) * noise[1])]
        rows += [(customer_id, day + 14, (kept(day) - 100) * noise[2] if kept(day) > 200 else kept(day))]
    insert_balances(con, rows)


def add_peers(con, days=PAID) -> None:
    for number in range(30):
        add_account(con, f"p{number:02}", days)


def listed(con, n: int, params=BANK) -> dict[str, tuple]:
    """Customer to test, status, reason and money of its alert of the balance on the n-th night."""
    build_movements(con, params, night(n))
    found = con.execute(
        "select customer_id, test, status, closed_because, money_moved, direction, changed_on"
        " from movements.customer_movements where metric = 'balance'"
    ).fetchall()
    return {customer: rest for customer, *rest in found}


def test_a_salary_that_does_not_come_is_an_alert_until_it_comes(con):
    add_peers(con)
    add_account(con, "late", [day for day in PAID if day != 310])
    assert "late" not in listed(con, 310)
    test, status, _, money, direction, changed_on = listed(con, 325)["late"]
    assert (test, status, direction, changed_on) == ("no_salary", "open", "down", night(280))
    assert money == pytest.approx(-2000, rel=0.1)
    assert listed(con, 341)["late"][:3] == ["no_salary", "recovered", "salary_came"]
    assert "late" not in listed(con, 342)


@pytest.mark.parametrize(
    ("test", "kept", "top"),
    [
        ("outflow", lambda day: 30.0 if day >= 310 else 900.0, lambda day: 2900.0),
        ("drawdown", lambda day: 900.0, lambda day: 1900.0 if day >= 310 else 2900.0),
    ],
)
def test_what_is_left_is_held_against_the_own_cycle(con, test, kept, top):
    add_peers(con)
    add_account(con, "gone", kept=kept, top=top)
    before, after = listed(con, 310), listed(con, 316)
    assert "gone" not in before and after["gone"][0] == test and after["gone"][3] < -500


def test_an_account_that_is_emptied_late_in_the_cycle_is_swept(con):
    add_peers(con)
    add_account(con, "swept")
    con.execute("update features.balance_spans set balance = 20 where customer_id = 'swept' and from_day >= $1"
                " and (from_day - $2) % 30 = 24", [night(310), FIRST])  # fmt: skip
    assert listed(con, 320).get("swept") is None
    assert listed(con, 326)["swept"][0] == "swept"


def test_balances_that_did_not_arrive_alert_nobody(con):
    add_peers(con, [day for day in PAID if day < 300])
    assert listed(con, 345) == {}


def test_what_all_do_is_no_drawdown(con):
    for number in range(60):
        add_account(con, f"p{number:02}", top=lambda day: 2000.0 if day >= 310 else 2900.0)
    assert len(listed(con, 312)) <= 2


def test_a_shop_has_no_flows(con):
    add_peers(con)
    add_account(con, "late", [day for day in PAID if day < 300])
    assert listed(con, 345, load_params()) == {}


def test_nights_one_by_one_end_where_the_whole_history_does(con):
    add_peers(con)
    add_account(con, "late", [day for day in PAID if day not in (310, 340)])
    for n in (250, 251, 320, 345, 352):
        build_movements(con, BANK, night(n))
    tables = [con.execute(f"select * from movements.{t} where as_of_date = $1 order by all", [night(352)]).fetchall()
              for t in ("customer_movements", "kept_states")]  # fmt: skip
    con.execute("drop table movements.kept_states; drop table movements.kept_nights")
    build_movements(con, BANK, night(352))
    again = [con.execute(f"select * from movements.{t} where as_of_date = $1 order by all", [night(352)]).fetchall()
             for t in ("customer_movements", "kept_states")]  # fmt: skip
    assert tables == again


def test_a_corrected_balance_makes_the_state_again(con):
    add_peers(con)
    build_movements(con, BANK, night(300))
    con.execute(
        "update features.balance_spans set balance = 1 where customer_id = 'p00' and from_day = $1", [night(250)]
    )
    assert build_movements(con, BANK, night(301))["went_on_from"] == "the whole history"


def test_whose_flows_are_watched_has_less_of_the_budget_for_silence(con):
    add_peers(con)
    limits = {}
    for params in (load_params(), BANK):
        build_movements(con, params, night(390))
        limits[params.business] = con.execute("select min(silence_limit) from movements.kept_states").fetchall()[0][0]
    assert limits["bank"] > limits["shop"]


def test_all_but_faster_and_larger_are_losses():
    assert [name for code, name in enumerate(TESTS) if code and not is_down(np.array([code]))[0]] == [
        "faster",
        "larger",
    ]


def test_the_tail_is_that_of_the_next_of_n_draws():
    """Seven equal chances: a value below all of them by t of 6.9 with six degrees of freedom (R: pt(-6.9, 6))."""
    state = State.empty(0)
    state.grow_to(1)
    c = state.columns
    c["low_n"][0], c["low_mean"][0], c["low_squares"][0] = 7.0, 5.0, 6 * 0.25
    value = 5.0 - 6.9 * 0.5 * np.sqrt(1 + 1 / 7)
    assert _tail(c, "low", np.array([0]), np.array([value]))[0] == pytest.approx(2.288e-4, rel=0.01)
    c["low_n"][0] = 5.9
    assert _tail(c, "low", np.array([0]), np.array([value]))[0] == 1.0
