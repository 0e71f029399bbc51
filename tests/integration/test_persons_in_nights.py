"""Two ids of one person become one customer, a wrong one is undone by one row, and every table follows."""

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.integration import shop
from tests.integration.command_line import ran

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

NIGHT = shop.AS_OF - timedelta(days=2)
N_CUSTOMERS = 260
CUSTOMERS = """
  customers:
    files: customers*.csv
    columns: {customer_id: customer, email: mail, full_name: name}
"""


def content() -> list[shop.Line]:
    return shop.lines(n_customers=N_CUSTOMERS)


def tables(home: Path, night: date, sql: str) -> list[tuple]:
    """Rows of what the night published."""
    with duckdb.connect(str(home / "published" / "holdfast.duckdb"), read_only=True) as con:
        assert con.execute("select max(as_of_date) from marts.run_manifest").fetchone() == (night,)
        return con.execute(sql).fetchall()


def bought(lines: list[shop.Line], ids: set[str], night: date) -> tuple[int, float]:
    """Orders and net sales of some ids before a night, added up by hand."""
    own = [line for line in lines if line.customer in ids and line.time.date() < night]
    return len({line.receipt for line in own}), round(sum(line.paid for line in own), 2)


def totals(home: Path, night: date, ids: set[str]) -> dict[str, tuple[int, float]]:
    shown = ", ".join(f"'{one}'" for one in sorted(ids))
    columns = "customer_id, n_orders, round(net_sales_total, 2)"
    sql = f"select {columns} from marts.customer_360 where customer_id in ({shown})"
    return {customer: (n, pytest.approx(float(money), abs=0.01)) for customer, n, money in tables(home, night, sql)}


#: Marts with a row a customer: none of them may show an id that is nobody's.
BY_CUSTOMER = ("customer_360", "churn_scores", "customer_segments", "retention_decisions", "loyalty_tiers")


def named(home: Path, night: date, customer: str) -> set[str]:
    return {
        table
        for table in BY_CUSTOMER
        if tables(home, night, f"select 1 from marts.{table} where customer_id = '{customer}' limit 1")
    }


def test_a_merge_is_followed_and_undone_in_every_table(tmp_path):
    lines = content()
    yaml, home = shop.write(tmp_path / "inbox", lines), tmp_path / "home"
    yaml.write_text(yaml.read_text().replace("folder: .", "folder: .\nidentity: match") + CUSTOMERS)
    listed = yaml.parent / "customers.csv"
    everybody = sorted({line.customer for line in lines})
    listed.write_text("customer,mail,name\n" + "".join(f"{one},,\n" for one in everybody))

    # A night on which nothing is known of anybody.
    ran(home, "--source", str(yaml), "--as-of", str(NIGHT))
    assert tables(home, NIGHT, "select count(*) from marts.customer_360 where accounts is not null") == [(0,)]
    held = {one for (one,) in tables(home, NIGHT, "select customer_id from marts.holdout_ledger")}

    # Two accounts show one address, wrongly: the smaller one is held out from every contact.
    size = {one: bought(lines, {one}, NIGHT + timedelta(1))[0] for one in everybody}
    smaller = max((one for one in everybody if one in held), key=lambda one: (size[one] < 8, size[one]))
    larger = max((one for one in everybody if one not in held), key=lambda one: size[one])
    assert 0 < size[smaller] < size[larger]
    (yaml.parent / "customers-2.csv").write_text(f"customer,mail,name\n{smaller},us@x.de,\n{larger},us@x.de,\n")
    second = NIGHT + timedelta(1)
    ran(home, "--as-of", str(second))
    pair = {smaller, larger}
    assert totals(home, second, pair) == {larger: bought(lines, pair, second)}
    assert named(home, second, smaller) == set() and named(home, second, larger) == set(BY_CUSTOMER)
    assert tables(home, second, "select customer_id, accounts from marts.customer_360 where accounts is not null") == [
        (larger, '["' + '", "'.join(sorted(pair)) + '"]')
    ]
    is_held = f"select is_in_control_group from marts.customer_360 where customer_id = '{larger}'"
    assert tables(home, second, is_held) == [(True,)], "after a merge a holdout stays a holdout"
    contacts = f"select count(*) from marts.retention_actions where decision = 'contact' and customer_id = '{larger}'"
    assert tables(home, second, contacts) == [(0,)]

    # One row of a person, and the next morning everything is right.
    (home / "person_links.csv").write_text(f"link,customer_id,other_customer_id\ncannot_link,{larger},{smaller}\n")
    third = second + timedelta(1)
    ran(home, "--as-of", str(third))
    assert totals(home, third, pair) == {one: bought(lines, {one}, third) for one in pair}
    for one in pair:
        assert named(home, third, one) == set(BY_CUSTOMER)
    assert tables(home, third, "select count(*) from marts.customer_360 where accounts is not null") == [(0,)]
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        events = con.execute("from identity.identity_events order by day").fetchall()
        days = con.execute(
            "select customer_id, sum(n_orders) from features.customer_day where customer_id in (?, ?) group by all",
            sorted(pair),
        ).fetchall()
    assert events == [(second, "merge", larger, smaller, 1), (third, "split", larger, smaller, 1)]
    assert dict(days) == {one: bought(lines, {one}, third)[0] for one in pair}

    # What the night before had shown stays on record.
    with duckdb.connect(str(home / "published" / "holdfast.duckdb"), read_only=True) as con:
        con.execute("set variable holdfast_published = ?", [str(home / "published")])
        then = con.execute(
            f"select n_orders from history.customer_360 where as_of_date = '{second}' and customer_id = '{larger}'"
        ).fetchall()
    assert then == [(bought(lines, pair, second)[0],)]
