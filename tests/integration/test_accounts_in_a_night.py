"""A whole night of a shop with a house account, a large customer and a reseller, all known by their addresses."""

from datetime import datetime, time, timedelta

import pytest

from tests.integration import shop
from tests.integration.command_line import published, ran

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

#: Orders of each in the shop's 240 days: every other customer has some ten of them.
HOUSE, LARGE, RESELLER = ("pos@shop.test", 900), ("agency@shop.test", 1600), ("reseller@shop.test", 1600)


def large_lines(customer: str, n_orders: int) -> list[shop.Line]:
    return [
        shop.Line(
            customer,
            10**6 + sum(map(ord, customer)) * 1000 + n,
            1,
            datetime.combine(shop.FIRST_DAY + timedelta(days=n * shop.N_DAYS // n_orders), time(12)),
            25.0,
            0.0,
            1,
            "a",
        )
        for n in range(n_orders)
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("accounts")
    lines = shop.lines(n_customers=60) + [line for who in (HOUSE, LARGE, RESELLER) for line in large_lines(*who)]
    yaml = shop.write(folder / "shop", lines)
    hashed = "customer_id: {column: customer, case: lower, hash: HOLDFAST_TEST_KEY}"
    said = f"accounts: {{exclude: [Pos@shop.test], include: [{LARGE[0]}]}}\ntables:"
    yaml.write_text(yaml.read_text().replace("customer_id: customer", hashed).replace("tables:", said))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOLDFAST_TEST_KEY", "a key of a test, not of a shop")
        printed = ran(folder / "home", "--source", str(yaml), "--as-of", str(shop.AS_OF))
    return folder / "home", printed, len(lines)


def test_who_is_excluded_is_nowhere_and_its_rows_are_counted_as_left_out(home):
    folder, printed, n_lines = home
    assert f"{HOUSE[1]:,} left out" in printed or f"left out {HOUSE[1]:,}" in printed, printed
    with published(folder) as con:
        n_orders = con.execute("select sum(n_orders), count(*) from marts.customer_360").fetchone()
        assert n_orders[1] <= 62 and n_orders[0] < n_lines - HOUSE[1] + 1
        assert con.execute("select count(*) from marts.customer_360 where n_orders = ?", [HOUSE[1]]).fetchone() == (0,)


def test_who_is_included_is_scored_and_who_is_neither_is_flagged(home):
    folder, _, _ = home
    with published(folder) as con:
        large = con.execute(
            "select customers.n_orders, is_outlier_account, outlier_account_reason is null,"
            " scores.churn_probability is null from marts.customer_360 as customers"
            " left join marts.churn_scores as scores using (customer_id)"
            " where customers.n_orders = ? order by 2",
            [LARGE[1]],
        ).fetchall()
        ids = [row[0] for row in con.execute("select customer_id from marts.customer_360").fetchall()]
    assert large == [(LARGE[1], False, True, False), (LARGE[1], True, False, True)]
    assert all("@" not in customer for customer in ids)
