"""The life of an alert, night by night, and the state that is carried between them."""

from datetime import date

import numpy as np
import pytest

from assets.movements.alerts import build_movements, write_list
from assets.movements.night import Budget
from assets.movements.state import BOUGHT_AGAIN, FASTER, NEW_USUAL, OPEN, RECOVERED, SILENCE, SLOWER, State
from assets.shared.params import load_params
from tests.unit.movements.conftest import add_business, add_days, night

PARAMS = load_params()


def run(con, as_of: date, params=PARAMS) -> dict:
    return build_movements(con, params, as_of)


def alert(con, customer_id: str, metric: str = "orders") -> dict | None:
    rows = con.execute(
        "select * from movements.customer_movements where customer_id = ? and metric = ?", [customer_id, metric]
    )
    names = [column[0] for column in rows.description]
    found = rows.fetchall()
    return dict(zip(names, found[0], strict=True)) if found else None


def rows_of(con, table: str) -> list:
    return con.execute(f"select * from movements.{table} order by all").fetchall()


def test_a_stop_is_one_alert_with_a_life(con):
    """Weekly purchases up to day 300, and again on day 360: found by silence, open, worsened, over with that."""
    add_business(con)
    add_days(con, "weekly", [*range(6, 301, 7), 360])
    con.execute("insert into segments.customer_value values ('weekly', 'A')")
    seen = {}
    for n in range(308, 364):
        run(con, night(n))
        found = alert(con, "weekly")
        if found:
            seen[n] = found
    first = min(seen)
    assert 301 + 7 < first <= 300 + 5 * 7
    assert list(seen) == list(range(first, 362)), "one life, from the first night to the one after the purchase"
    assert [n for n in seen if seen[n]["status"] == "new"] == [first]
    assert seen[360]["status"] == "worsened" and seen[first + 1]["status"] == "open"
    assert {found["first_seen_on"] for found in seen.values()} == {night(first)}
    assert all(found["age_days"] == n - first for n, found in seen.items())
    over = seen[361]
    assert (over["status"], over["closed_because"], over["severity"]) == ("recovered", "bought_again", "over")
    at = seen[first]
    assert (at["test"], at["direction"], at["changed_on"], at["value_class"]) == ("silence", "down", night(300), "A")
    assert at["recent_value"] == 0 and at["usual_value"] == pytest.approx((first - 300) / 7, rel=0.1)
    assert at["expected_value"] == pytest.approx(at["usual_value"] * at["peer_change_ratio"])
    assert at["money_moved"] == pytest.approx(-20 * at["expected_value"])
    assert seen[359]["money_moved"] < at["money_moved"]


@pytest.mark.parametrize("table", ["outlier_accounts", "profiling_refusals"])
def test_an_account_that_is_no_customer_and_who_refuses_profiling_are_not_listed(con, table):
    add_business(con)
    add_days(con, "till", range(6, 301, 7))
    run(con, night(340))
    assert alert(con, "till") is not None
    con.execute(f"insert into features.{table} values ('till')")
    run(con, night(340))
    assert alert(con, "till") is None


def test_who_does_not_return_is_closed_once_and_then_left_alone(con):
    add_business(con)
    add_days(con, "weekly", range(6, 200, 7))
    params = load_params({"movement_max_open_days": 20})
    run(con, night(225), params)
    first = alert(con, "weekly")["first_seen_on"]
    closes = (first - night(0)).days + 20
    for n in (closes - 1, closes, closes + 1, closes + 60):
        run(con, night(n), params)
        found = alert(con, "weekly")
        if n < closes:
            assert found["status"] in ("open", "worsened")
        elif n == closes:
            assert (found["status"], found["closed_because"]) == ("closed", "did_not_return")
        else:
            assert found is None


def test_half_the_pace_is_found_and_becomes_the_new_usual(con):
    add_business(con)
    add_days(con, "halved", [*range(3, 200, 4), *range(203, 399, 8)])
    found, ended = [], set()
    for n in range(200, 399, 9):
        run(con, night(n))
        found.append(alert(con, "halved"))
        life = con.execute(
            "select orders_test, orders_closed_because from movements.kept_states"
            " where customer_id = 'halved' and as_of_date = ?",
            [night(n)],
        )
        ended.update(life.fetchall())
    slower = next(row for row in found if row and row["test"] == "slower" and row["status"] == "open")
    assert slower["recent_value"] < slower["expected_value"] and slower["money_moved"] < 0
    assert night(190) <= slower["changed_on"] <= night(230)
    assert (SLOWER, NEW_USUAL) in ended


def test_larger_amounts_are_an_opportunity(con):
    add_business(con)
    add_days(con, "grown", range(2, 250, 5))
    add_days(con, "grown", range(250, 330, 5), amount=80.0)
    run(con, night(330))
    found = alert(con, "grown", "order_value")
    assert (found["direction"], found["test"], found["severity"]) == ("up", "larger", "opportunity")
    assert found["money_moved"] > 0 and found["recent_value"] > 2 * found["usual_value"]


def test_a_night_goes_on_where_the_last_one_stopped_and_gives_what_a_rebuild_gives(con):
    """Among them a night skipped, a customer who joins, and a night made again."""
    add_business(con)
    assert run(con, night(300))["went_on_from"] == "the whole history"
    for n in (301, 303, 303, 304):
        said = run(con, night(n))
    assert said["went_on_from"] == str(night(303))
    tables = ("customer_movements", "kept_states", "kept_nights")
    carried = {t: rows_of(con, t) for t in tables}
    con.execute("drop table movements.kept_states; drop table movements.kept_nights")
    assert run(con, night(304))["went_on_from"] == "the whole history"
    for t in tables:
        assert [row for row in carried[t] if row[0] == night(304)] == rows_of(con, t)


def test_a_changed_past_a_changed_budget_and_a_later_night_are_no_place_to_go_on_from(con):
    add_business(con)
    run(con, night(300))
    assert run(con, night(299))["went_on_from"] == "the whole history"
    run(con, night(300))
    params = load_params({"movement_false_alerts_per_1000": 2})
    assert run(con, night(301), params)["went_on_from"] == "the whole history"
    add_days(con, "late", [100])
    assert run(con, night(302), params)["went_on_from"] == "the whole history"
    add_days(con, "later", [305])
    assert run(con, night(303), params)["went_on_from"] == str(night(302))


def test_the_list_states_how_many_of_its_new_alerts_are_false(con):
    add_business(con)
    add_days(con, "weekly", range(6, 301, 7))
    said = run(con, night(340))
    found = alert(con, "weekly")
    assert 40 <= said["watched"] <= 61
    assert found["n_watched"] == said["watched"]
    assert found["expected_false"] == pytest.approx(said["watched"] / 1000)


def test_days_on_which_nobody_came_alert_nobody(con):
    """Ten days without any purchase of anybody, as of an extract that did not arrive, hardly count."""
    add_business(con, n_customers=200)
    con.execute("delete from features.customer_day where day >= ? and day < ?", [night(300), night(310)])
    new = 0
    for n in range(301, 312):
        run(con, night(n))
        new += len([row for row in rows_of(con, "customer_movements") if "new" in row and "silence" in row])
    assert new <= 10, "ten lost days of 200 weekly customers are no two hundred alerts"


def test_nobody_and_nothing_give_an_empty_list(con):
    said = run(con, night(0))
    assert said["listed"] == 0 and said["watched"] == 0 and rows_of(con, "customer_movements") == []


def test_a_return_alone_is_no_purchase(con):
    add_business(con)
    add_days(con, "weekly", range(6, 301, 7))
    add_days(con, "weekly", [330], amount=-20.0, n_orders=0)
    run(con, night(335))
    assert alert(con, "weekly")["changed_on"] == night(300)


def state_of(losses: dict[str, float], status: int = OPEN) -> tuple[State, list[str]]:
    """Customers with an alert each about their pace that has lost so much; positive: gained."""
    state, customers = State.empty(19_800), list(losses)
    state.grow_to(len(customers))
    c = state.columns
    money = np.array(list(losses.values()))
    c["orders_status"][:] = status
    c["orders_test"][:] = np.where(money < 0, SILENCE, FASTER)
    c["orders_first_seen"][:] = 19_790
    c["orders_changed_on"][:] = 19_780
    c["orders_money"][:] = money
    return state, customers


def test_losses_are_high_up_to_half_of_the_money_and_medium_up_to_four_fifths(con):
    """Of 100 lost: who begins at exactly half is medium, at four fifths low; gains come after every loss."""
    state, customers = state_of({"a": -50.0, "b": -30.0, "c": -15.0, "d": -5.0, "gain": 900.0})
    write_list(con, state, customers, night(0), Budget(1, 1, 90))
    found = con.execute("select customer_id, severity from movements.customer_movements order by severity_rank")
    assert found.fetchall() == [("a", "high"), ("b", "medium"), ("c", "low"), ("d", "low"), ("gain", "opportunity")]


def test_alerts_that_ended_come_last_and_weigh_nothing(con):
    state, customers = state_of({"open": -10.0, "ended": -1000.0})
    state.columns["orders_status"][1] = RECOVERED
    state.columns["orders_closed_because"][1] = BOUGHT_AGAIN
    write_list(con, state, customers, night(0), Budget(1, 1, 90))
    found = con.execute(
        "select customer_id, severity, status, closed_because from movements.customer_movements order by severity_rank"
    )
    assert found.fetchall() == [("open", "high", "open", None), ("ended", "over", "recovered", "bought_again")]
