"""A shop gets a new till, and all its customers new ids: the night is blocked, and an alias table is the remedy."""

from dataclasses import replace
from datetime import date, timedelta

import duckdb
import pytest

from tests.integration import shop
from tests.integration.command_line import holdfast, published, ran

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

CHANGED_ON = date(2024, 8, 1)
BEFORE, AFTER = CHANGED_ON, CHANGED_ON + timedelta(days=21)
#: Two customers were one person all the time.
MERGED, INTO = "c0007", "c0008"


def new_id(customer: str) -> str:
    return "k" + (INTO if customer == MERGED else customer)[1:]


@pytest.fixture(scope="module")
def yaml(tmp_path_factory):
    lines = shop.lines(n_customers=220)
    moved = [
        replace(line, customer=new_id(line.customer)) if line.time.date() >= CHANGED_ON else line for line in lines
    ]
    return shop.write(tmp_path_factory.mktemp("shop"), moved)


@pytest.fixture(scope="module")
def home(tmp_path_factory, yaml):
    home = tmp_path_factory.mktemp("new_ids") / "home"
    ran(home, "--source", str(yaml), "--as-of", str(BEFORE))
    return home


def test_the_remedy_for_new_ids_works_and_everything_follows_them(home, yaml):
    blocked = holdfast(home, "run", "--as-of", str(AFTER))
    said = blocked.stdout + blocked.stderr
    assert blocked.returncode != 0 and "ids_go_on" in said and "customer_aliases" in said
    with published(home) as con:
        before = con.execute(
            "select customer_id, churn_probability from marts.churn_scores where is_eligible"
        ).fetchall()
        held = {c for (c,) in con.execute("select customer_id from marts.holdout_ledger").fetchall()}

    # What the page of the blocked night says, done.
    known = sorted({line.customer for line in shop.lines(n_customers=220)})
    rows = "".join(f"{old},{new_id(old)},{CHANGED_ON}\n" for old in known)
    (yaml.parent / "ids.csv").write_text("alt,neu,ab\n" + rows)
    yaml.write_text(
        yaml.read_text()
        + "  customer_aliases:\n    files: ids.csv\n"
        + "    columns: {old_customer_id: alt, customer_id: neu, valid_from: ab}\n"
    )
    ran(home, "--as-of", str(AFTER))

    with published(home) as con:
        customers = dict(con.execute("select customer_id, previous_probability from marts.churn_scores").fetchall())
        assert all(customer.startswith("k") for customer in customers)
        explained = con.execute("select count(*) from marts.churn_scores where is_explained").fetchone()[0]
        of_then = {new_id(customer): p for customer, p in before if customer not in (MERGED, INTO)}
        shared = {customer: p for customer, p in customers.items() if p is not None and customer in of_then}
        assert len(shared) > 0.9 * min(explained, len(of_then))
        assert all(of_then[customer] == pytest.approx(p) for customer, p in shared.items())
        now_held = {c for (c,) in con.execute("select customer_id from marts.holdout_ledger").fetchall()}
        assert {new_id(customer) for customer in held} <= now_held
        (n_merged,) = con.execute(
            "select n_orders from marts.customer_360 where customer_id = $1", [new_id(INTO)]
        ).fetchone()
    lines = shop.lines(n_customers=220)
    receipts = {line.receipt for line in lines if line.customer in (MERGED, INTO) and line.time.date() < AFTER}
    assert n_merged == len(receipts)
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        plans = con.execute("select distinct customer_id from ledgers.past_plans").fetchall()
        raw = con.execute("select distinct customer_id[1] from ingest.transactions order by 1").fetchall()
    assert plans and all(customer.startswith("k") for (customer,) in plans)
    assert raw == [("c",), ("k",)], "raw stays as it arrived"

    # Of a night of before the change the old ids hold, as they did then.
    ran(home, "--as-of", str(BEFORE - timedelta(days=1)))
    with published(home) as con:
        night = con.execute(
            "select distinct customer_id[1] from history.churn_scores where as_of_date = $1",
            [BEFORE - timedelta(days=1)],
        ).fetchall()
    assert night == [("c",)]
