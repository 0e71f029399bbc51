"""A whole night of a shop in which some refuse to be profiled: nobody sees anything of them, the sums have them."""

import duckdb
import pytest

from tests.integration import shop
from tests.integration.command_line import published, ran, tables

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

REFUSERS = [f"c{n:04d}" for n in range(0, 120, 10)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refusers")
    yaml = shop.write(folder / "shop", shop.lines(n_customers=120))
    (folder / "shop" / "consents.csv").write_text(
        "customer,channel,purpose,status\n" + "".join(f"{one},email,profiling,denied\n" for one in REFUSERS)
    )
    yaml.write_text(
        yaml.read_text()
        + """  consents:
    files: consents.csv
    columns:
      customer_id: customer
      channel: channel
      purpose: purpose
      status: status
"""
    )
    ran(folder / "home", "--source", str(yaml), "--as-of", str(shop.AS_OF))
    return folder / "home"


def numbers(con: duckdb.DuckDBPyConnection, sql: str) -> tuple:
    row = con.execute(sql, {"who": REFUSERS} if "$who" in sql else None).fetchone()
    assert row is not None
    return row


def test_they_are_seen_in_no_segment_list_or_score(home):
    with published(home) as con:
        seen = "where list_contains($who, customer_id)"
        shown = {
            table
            for table in tables(con)
            if "customer_id" in [row[0] for row in con.execute(f"describe marts.{table}").fetchall()]
            and numbers(con, f"select count(*) from marts.{table} {seen}") != (0,)
        }
        assert shown <= {"customer_360", "churn_scores", "retention_decisions", "holdout_ledger"}, shown
        assert numbers(
            con,
            "select count(*), count(lifecycle_stage), count(value_class), count(rfm_segment), count(loyalty_tier),"
            " count(margin_window), count(usual_gap_days), count(churn_probability), count(value_at_risk),"
            f" count(spend_share_proxy), sum(n_alerts) from marts.customer_360 {seen}",
        ) == (len(REFUSERS), *[0] * 10)
        assert numbers(con, f"select any_value(reason_code), count(*) from marts.retention_decisions {seen}") == (
            "refuses_profiling",
            len(REFUSERS),
        )


def test_the_sums_have_them_and_each_check_says_whom_it_leaves_out(home):
    with published(home) as con:
        assert numbers(
            con, "select sum(net_sales_total) from marts.customer_360 where list_contains($who, customer_id)"
        ) > (0,)
        of_all, shown = numbers(
            con,
            "select (select sum(net_sales_total) from marts.customer_360),"
            " (select sum(net_sales) from marts.retention_kpis where kpi_date < as_of_date)",
        )
        assert of_all == shown
        said = con.execute(
            "select observed from marts.data_quality where rule = 'covers_every_customer'"
            " and observed like '%left out: refuses profiling: ' || $n || ')%'",
            {"n": len(REFUSERS)},
        ).fetchall()
        assert len(said) == 4
        assert numbers(con, "select count(*) from marts.data_quality where not passed and severity = 'blocking'") == (
            0,
        )


def test_no_model_learns_from_them(home):
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        n_all, n_refusers = numbers(
            con,
            "select count(*), count(*) filter (where list_contains($who, customer_id))"
            " from features.training_snapshots",
        )
        assert n_all > 0 and n_refusers == 0
