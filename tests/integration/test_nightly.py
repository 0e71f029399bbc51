"""The real nightly job, from files to the published set."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.integration import shop
from tests.integration.command_line import MARTS, contents, holdfast, published, ran, rows, tables

NIGHT = shop.AS_OF - timedelta(days=2)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lines() -> list[shop.Line]:
    """Lines before NIGHT and after it. A row exactly at the date's midnight belongs to the future, as does who comes
    with it first."""
    made = shop.lines()
    midnight = replace(made[0], time=datetime.combine(NIGHT, time.min), receipt=10**7, paid=9999.0)
    return [*made, midnight, replace(midnight, customer="stranger", receipt=10**7 + 1)]


@pytest.fixture(scope="module")
def source(tmp_path_factory, lines) -> Path:
    """The shop's source, never changed by a test."""
    return shop.write(tmp_path_factory.mktemp("shop"), lines)


@pytest.fixture(scope="module")
def night(tmp_path_factory, source) -> Path:
    """A home after one run as of NIGHT. A test may run that night again, and nothing else."""
    home = tmp_path_factory.mktemp("night") / "home"
    ran(home, "--source", str(source), "--as-of", str(NIGHT))
    return home


def test_every_table_is_published_with_its_date_and_run(night):
    with published(night) as con:
        assert tables(con) == MARTS
        for table in MARTS:
            dates = con.execute(f"select distinct as_of_date, run_id from marts.{table}").fetchall()
            assert len(dates) <= 1 and all(d[0] == NIGHT for d in dates), table
        assert tables(con, "history") == MARTS


def test_one_score_for_each_customer_seen_before_the_date(night, lines):
    seen = {line.customer for line in lines if line.time.date() < NIGHT}
    with published(night) as con:
        scored = con.execute("select customer_id, is_eligible, churn_probability from marts.churn_scores").fetchall()
        assert {row[0] for row in scored} == seen and len(scored) == len(seen)
        assert all((row[2] is not None) == row[1] for row in scored)
        assert (
            con.execute(
                "select max(abs(value_at_risk - churn_probability * margin_if_retained)) from marts.churn_scores"
            ).fetchone()[0]
            <= 0.01  # each rounded to the cent
        )


def test_the_morning_page_says_what_the_tables_say(night):
    page = (night / "published" / "morning.html").read_text()
    with published(night) as con:
        contacts = con.execute(
            "select customer_id from marts.retention_actions where decision = 'contact'"
            " order by channel <> 'phone', plan_rank"
        ).fetchall()
        (n_checks,) = con.execute("select count(*) from marts.data_quality").fetchone()
    assert contacts and f"<b>{contacts[0][0]}</b>" in page and f"{len(contacts):,} contacts tonight" in page
    assert str(NIGHT) in page and f"{n_checks:,} checks" in page


def test_a_look_at_the_home_and_at_a_customer(night):
    assert "Readers see" in holdfast(night, "status").stdout
    with published(night) as con:
        sql = "select customer_id from marts.customer_360 order by value_at_risk desc nulls last limit 1"
        (customer,) = con.execute(sql).fetchone()
    words = holdfast(night, "customer", customer).stdout
    assert f"Customer {customer} as of" in words and "likely not to buy within" in words and "Next action" in words


def test_the_model_was_judged_beside_the_rule_on_the_same_cutoffs(night):
    with published(night) as con:
        cutoffs = con.execute(
            "select candidate_model, list(distinct cutoff_date order by cutoff_date) from marts.model_performance "
            "where cutoff_date is not null group by candidate_model"
        ).fetchall()
    by_model = dict(cutoffs)
    assert set(by_model) == {"model", "rule"} and by_model["model"] == by_model["rule"]
    horizon = timedelta(days=30)
    assert all(cutoff + horizon <= NIGHT.replace(day=1) for cutoff in by_model["model"]), (
        "labels closed before the anchor"
    )


@pytest.mark.campaign
def test_a_second_run_changes_and_doubles_nothing(night, source):
    before = contents(night), contents(night, "history")
    ran(night, "--source", str(source), "--as-of", str(NIGHT))
    assert (contents(night), contents(night, "history")) == before


@pytest.mark.campaign
def test_rows_dated_on_or_after_the_date_change_nothing(night, tmp_path, lines):
    """The leak test: the future may be there, but nothing as of the date may see it."""
    past = [line for line in lines if line.time.date() < NIGHT]
    ran(tmp_path / "past", "--source", str(shop.write(tmp_path / "shop", past)), "--as-of", str(NIGHT))
    a, b = contents(tmp_path / "past"), contents(night)
    for table in sorted(set(MARTS) - {"data_quality", "run_manifest"}):
        assert a[table] == b[table], table
    with duckdb.connect(str(night / "warehouse.duckdb"), read_only=True) as con:
        assert con.execute("select count(*) from features.customer_day where day >= ?", [NIGHT]).fetchone()[0] > 0
        assert (
            con.execute("select count(*) from features.customer_features where customer_id = 'stranger'").fetchone()[0]
            == 0
        )


@pytest.mark.campaign
def test_permuting_customer_ids_permutes_the_scores(night, tmp_path, lines):
    names = sorted({line.customer for line in lines})
    other = dict(zip(names, [f"x{n:04d}" for n in range(len(names))][::-1], strict=True))
    renamed = [replace(line, customer=other[line.customer]) for line in lines]
    home = tmp_path / "home"
    ran(home, "--source", str(shop.write(tmp_path / "renamed", renamed)), "--as-of", str(NIGHT))
    without = {"run_id", "customer_id", "model_version"}
    with published(night) as con:
        expected = {
            other[customer]: rest
            for customer, *rest in con.execute(
                "select customer_id, churn_probability, churn_percentile, predicted_margin, value_at_risk, reason_1, "
                "reason_2, reason_3 from marts.churn_scores"
            ).fetchall()
        }
        segments = sorted(row for row in rows(con, "marts.segment_thresholds", without))
    with published(home) as con:
        found = {
            customer: rest
            for customer, *rest in con.execute(
                "select customer_id, churn_probability, churn_percentile, predicted_margin, value_at_risk, reason_1, "
                "reason_2, reason_3 from marts.churn_scores"
            ).fetchall()
        }
        assert sorted(row for row in rows(con, "marts.segment_thresholds", without)) == segments
    assert found == expected


@pytest.mark.campaign
def test_a_backfill_gives_the_rows_of_the_nights(tmp_path, source, lines):
    """Two nights on data that arrives night by night, and a backfill over the same dates on all of it at once."""
    nights = [shop.AS_OF - timedelta(days=n) for n in (1, 0)]
    nightly, landing = tmp_path / "nightly", tmp_path / "landing"
    arrived = None
    for night in nights:
        new = [line for line in lines if line.time.date() < night and (arrived is None or line.time.date() >= arrived)]
        yaml = shop.write(landing, new, f"sales-{night}.csv")
        ran(nightly, "--source", str(yaml), "--as-of", str(night))
        arrived = night
    backfilled = tmp_path / "backfilled"
    ran(backfilled, "--source", str(source), "--from", str(nights[0]), "--to", str(nights[-1]))
    a, b = contents(nightly, "history"), contents(backfilled, "history")
    for table in sorted(set(MARTS) - {"data_quality", "run_manifest"}):
        assert a[table] == b[table], table
    assert {row[0] for row in a["churn_scores"]} == set(nights)


@pytest.mark.campaign
def test_an_older_date_enters_history_and_leaves_the_newest_set_in_place(night, source):
    older = NIGHT - timedelta(days=40)
    said = ran(night, "--source", str(source), "--as-of", str(older))
    with published(night) as con:
        assert con.execute("select distinct as_of_date from marts.churn_scores").fetchall() == [(NIGHT,)]
        dates = con.execute("select distinct as_of_date from history.churn_scores order by 1").fetchall()
    assert dates == [(older,), (NIGHT,)]
    assert f"The run of {older} was an older date: it is in schema history" in said


@pytest.mark.campaign
def test_a_parameter_is_overridden_for_one_run_and_another_home_is_not_touched(night, tmp_path, source):
    before, other = contents(night), tmp_path / "other"
    ran(other, "--source", str(source), "--as-of", str(NIGHT), "--param", "churn_horizon_days=45")
    with published(other) as con:
        assert con.execute("select distinct horizon_days from marts.churn_scores").fetchall() == [(45,)]
        assert '"churn_horizon_days": 45' in con.execute("select parameters from marts.run_manifest").fetchone()[0]
    assert contents(night) == before


@pytest.mark.campaign
def test_a_failing_check_publishes_nothing_and_says_what_to_do(night, tmp_path, lines):
    """Too many rows in quarantine: the gate holds the night back, readers keep what they had."""
    before = contents(night), contents(night, "history")
    broken = tmp_path / "broken"
    yaml = shop.write(broken, lines)
    with (broken / "sales.csv").open("a") as file:
        file.writelines(f"c0001,{9 * 10**6 + n},1,not a date,1.00,0,1,a\n" for n in range(len(lines) // 10))
    assert holdfast(night, "init", "--source", str(yaml)).returncode == 0, "the same business, from another folder"
    done = holdfast(night, "run", "--as-of", str(NIGHT))
    assert done.returncode == 1
    assert "did not pass validation" in done.stderr and "quarantine" in done.stderr, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert (contents(night), contents(night, "history")) == before
    with duckdb.connect(str(night / "warehouse.duckdb"), read_only=True) as con:
        n_in, accepted, quarantined = con.execute(
            "select rows_in, rows_accepted, rows_quarantined from ingest.batches where rows_quarantined > 0"
        ).fetchone()
        kept = con.execute("select count(*), count(raw_text) from personal.quarantined_rows").fetchone()
    assert n_in == accepted + quarantined == len(lines) + len(lines) // 10
    assert kept == (quarantined, quarantined)
