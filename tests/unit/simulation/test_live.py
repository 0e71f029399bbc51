"""A business that a plan contacts: reactions follow the hidden kind, and nothing before a contact depends on it."""

from datetime import timedelta

import duckdb
import pytest

from assets.shared.errors import UserError
from simulation import live
from simulation.baskets import FIRST_ID
from simulation.business import Request, simulate


def request(out) -> Request:
    return Request(lines=9_000, customers=400, seed=5, nights=40, out=out, years=1.0, cutoffs=0, knowable_customers=0)


@pytest.fixture(scope="module")
def business(tmp_path_factory):
    """A connection to the business, its request and population."""
    asked = request(tmp_path_factory.mktemp("unused") / "out")
    con = duckdb.connect()
    p, _ = live.open_business(con, asked)
    con.execute("create table alone as from orders")
    return con, asked, p


def contacts_of(con, asked, response: int, action="stay_offer", day=0) -> list[live.Contact]:
    who = con.execute("select customer from customers where response = ? order by customer", [response]).fetchall()
    on = asked.history_days + day
    return [live.Contact(f"{action}-{n}-{on}", str(n + FIRST_ID), action, "email", on) for (n,) in who]


def orders_after(con, asked, table: str, response: int) -> int:
    return con.execute(
        f"select count(*) from {table} as o inner join customers as c on o.customer = c.customer"
        " where o.day >= ? and o.day < ? and c.response = ?",
        [asked.history_days, asked.history_days + 28, response],
    ).fetchone()[0]


def test_without_a_contact_the_business_is_as_it_was(business):
    con, asked, p = business
    live.contact(con, p, asked, [])
    assert con.execute("select count(*) from (from orders except from alone)").fetchone() == (0,)


def test_persuadables_buy_more_sleeping_dogs_less_and_the_others_as_before(business):
    con, asked, p = business
    made = [c for response in (0, 1, 2) for c in contacts_of(con, asked, response)]
    live.contact(con, p, asked, made)
    with_, without = ([orders_after(con, asked, t, r) for r in (0, 1, 2)] for t in ("orders", "alone"))
    assert with_[0] == without[0] and with_[1] > 1.2 * without[1] and with_[2] < without[2]
    columns = "customer, n, day, second, b, has_left, lines_draw"
    before = f"(select {columns} from {{}} where day < {asked.history_days})"
    changed = con.execute(f"select count(*) from ({before.format('orders')} except {before.format('alone')})")
    assert changed.fetchone() == (0,), "what happened before a contact does not depend on it"


def test_a_later_contact_takes_over_and_is_weaker(business):
    con, asked, p = business
    first = contacts_of(con, asked, 1)
    live.contact(con, p, asked, first + contacts_of(con, asked, 1, day=7))
    rows = con.execute(
        "select n_before, count(*), min(multiplier), max(multiplier) from live_contacts where is_sent group by 1"
        " order by 1"
    ).fetchall()
    strongest = live.effects_of(p)["stay_offer"][0]
    assert rows[0][0] == 0 and rows[0][3] == pytest.approx(strongest)
    weaker = {n: 1 + (strongest - 1) * live.FATIGUE**n for n, *_ in rows}
    for n, _, low, high in rows:
        assert low == high == pytest.approx(weaker[n])
    assert rows[-1][0] >= 1


def test_reports_say_how_far_each_contact_came_and_who_took_the_offer(business):
    con, asked, p = business
    live.contact(con, p, asked, contacts_of(con, asked, 0) + contacts_of(con, asked, 2))
    day, start = asked.history_days, asked.start.isoformat()
    sent = con.sql(live.reports_sql(p, day, day + 1, start)).fetchall()
    ((n_asked,),) = con.sql("select count(*) from live_contacts").fetchall()
    assert len([row for row in sent if row[8] != "redeemed"]) == n_asked
    later = con.sql(live.reports_sql(p, day, day + 60, start)).fetchall()
    taken = [row for row in later if row[8] == "redeemed"]
    cost = live.effects_of(p)["stay_offer"][2]
    assert 0 < len(taken) < n_asked / 2
    assert {float(row[7]) for row in taken} == {cost}
    assert all(asked.last_date <= row[9].date() < asked.last_date + timedelta(days=p.effect_days) for row in taken)


@pytest.mark.campaign
def test_a_folder_lives_a_day_at_a_time_and_says_what_is_missing(tmp_path):
    out, exports = tmp_path / "business", tmp_path / "exports"
    with pytest.raises(UserError, match="no simulated business"):
        live.live_day(out, exports)
    asked = request(out)
    simulate(asked)
    on = asked.last_date
    with pytest.raises(UserError, match=f"no plan of {on} was exported"):
        live.live_day(out, exports)
    folder = exports / on.isoformat()
    folder.mkdir(parents=True)
    (folder / "email.csv").write_text(
        f"contact_id,customer_id,action_id,due_on,plan_rank,email\nk1,{FIRST_ID + 1},stay_offer,{on},1,a@b.example\n"
    )
    (folder / "phone.csv").write_text("contact_id,customer_id,action_id,due_on,plan_rank,owner,phone\n")
    day = live.live_day(out, exports)
    assert (day.on, day.n_contacts, day.n_reports) == (on, 1, 1) and day.n_lines > 0
    with duckdb.connect() as con:
        lines = f"'{out}/{{}}/transactions_{on}.parquet'"
        same = f"from {lines.format('landing')} except from {lines.format(f'nights/{on}')}"
        # One contact on a day can only change who is reached by it.
        assert con.execute(f"select count(*) from ({same}) where customer_id <> {FIRST_ID + 1}").fetchone() == (0,)
        (report,) = con.execute(
            f"select contact_id, campaign_id from '{out}/landing/contacts_plan_{on}.parquet'"
        ).fetchall()
    assert report == ("k1", None)
    assert live.next_morning(out) == on + timedelta(days=1)
