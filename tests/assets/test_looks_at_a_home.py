"""`holdfast status`, `customer` and `metrics`: what is said of a home, and that looking changes nothing."""

import fcntl
import json
import os
import shutil
from datetime import date, timedelta

import pytest

from assets.publish.blocked_sets import keep_blocked_set
from assets.publish.release_ledger import ReleaseLedger, SetId
from assets.shared.settings import load_settings, prepare_home
from pipelines.cli import main
from pipelines.home_status import GROWTH_DAYS, first_reason, parts_of
from tests.published_set import publish_tables

DAY = date(2024, 5, 1)

#: A row of customer_360 with what the command reads, and one of the contact plan.
CUSTOMER = """
    select customer_id, date '2024-05-01' as as_of_date, date '2024-03-01' as stage_since_on,
        'EUR' as currency,
        'active' as lifecycle_stage, 'A' as value_class, 'champion' as rfm_segment, date '2023-01-01' as first_order_on,
        date '2024-04-01' as last_order_on, 30 as days_since_last_order, 14.0 as usual_gap_days, 20 as n_orders,
        2000.0 as net_sales_total, 150.0 as net_sales_90d, false as is_outlier_account, null as outlier_account_reason,
        customer_id = '1' as is_in_control_group,
        case when customer_id = '2' then null else 0.52 end as churn_probability,
        'bought never twice' as ineligible_reason, 'high' as churn_band, 43.8 as value_at_risk, 30 as horizon_days,
        date '2024-05-20' as expected_next_order_on, date '2024-05-10' as expected_next_order_low_on,
        date '2024-06-20' as expected_next_order_high_on, 'No purchase for 30 days' as reason_1, null as reason_2,
        null as reason_3, case when customer_id = '1' then 1 else 0 end as n_alerts, 'orders' as alert_metric,
        'down' as alert_direction, 'silence' as alert_test, 'open' as alert_status,
        date '2024-04-24' as alert_first_seen_on, -45.7 as alert_money_moved,
        case when customer_id = '1' then date '2024-04-02' end as last_contact_on, 'call' as last_contact_action_id,
        'phone' as last_contact_channel, null as last_contact_outcome,
        case when customer_id = '1' then 'contact' end as next_action_decision, 'number 2 of 60' as next_action_reason,
        'no sign of leaving' as decision_reason
    from (values ('1'), ('2')) as customers(customer_id)
"""
PLAN = """
    select '1' as customer_id, 'c' || place as candidate_id, place as plan_rank, decision,
        'Personal offer ' || place as action_label_en, 'email' as channel, why as reason_not_contacted
    from (values (2, 'not_contacted', 'no consent'), (1, 'contact', null)) as options(place, decision, why)
"""


@pytest.fixture
def settings(home):
    """A home with a published set of two customers."""
    settings = load_settings()
    prepare_home(settings)
    publish_tables(settings, DAY, {"customer_360": CUSTOMER, "retention_actions": PLAN})
    ReleaseLedger(settings).append("published", SetId(DAY, "run"), "set")
    return settings


def shown(capsys, *arguments: str) -> str:
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_one_customer_answers_the_questions_of_a_desk(settings, capsys):
    words = shown(capsys, "customer", "1")
    for said in (
        "value class A", "usually every 14 days", "52% likely not to buy within 30 days",
        "EUR 43.80 leave if they leave",
        "No purchase for 30 days", "orders down (silence), open since 2024-04-24, 7 days, EUR -45.70 moved",
        "control group", "2024-04-02: call, by phone, outcome not known",
    ):  # fmt: skip
        assert said in words
    assert words.index("contact: Personal offer 1") < words.index(
        "not contacted: Personal offer 2, by email (no consent)"
    )


def test_a_customer_without_score_alert_or_contact(settings, capsys):
    words = shown(capsys, "customer", "2")
    assert "no score: bought never twice" in words and "no sign of leaving" in words
    assert "Alert" not in words and "Last contact" not in words and "control group" not in words


def test_one_customer_as_json_has_every_column(settings, capsys):
    facts = json.loads(shown(capsys, "customer", "1", "--json"))
    assert facts["value_at_risk"] == 43.8 and len(facts["options"]) == 2


def test_an_unknown_customer_and_an_empty_home(settings, home, capsys):
    assert main(["customer", "001"]) == 2
    assert "no customer '001' in the set of 2024-05-01" in capsys.readouterr().err


def test_a_home_that_published_nothing(home, capsys):
    prepare_home(load_settings())
    assert main(["customer", "1"]) == 2
    assert "has published nothing yet" in capsys.readouterr().err
    assert "Readers see nothing yet" in shown(capsys, "status")


def test_status_says_what_readers_see_and_what_is_blocked(settings, capsys):
    night = SetId(DAY + timedelta(days=1), "late-run")
    page = "# blocked\n\n## What failed\n\n* **marts.x: rows** (3 of 4)\n  Because.\n"
    keep_blocked_set(settings, night, page, lambda path: path.write_bytes(b"x"), keep=3)
    words = shown(capsys, "status")
    assert "Readers see 2024-05-01" in words and "run run" in words
    assert "2024-05-02 of run late-run: marts.x: rows (3 of 4)" in words
    facts = json.loads(shown(capsys, "status", "--json"))
    assert facts["as_of_date"] == "2024-05-01" and not facts["is_on_hold"] and facts["running"] is None
    assert [blocked["run_id"] for blocked in facts["blocked"]] == ["late-run"]


def test_status_says_that_publishing_is_on_hold_and_by_what_it_ends(settings, capsys):
    ReleaseLedger(settings).append("rolled_back", SetId(DAY, "run"), "set", reason="wrong prices")
    words = shown(capsys, "status")
    assert "On hold" in words and "wrong prices" in words and "rollback --resume" in words


def test_status_names_the_process_that_holds_the_home(settings, capsys):
    with (settings.home / ".run.lock").open("a+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.write("4711")
        handle.flush()
        assert "process 4711 holds the home" in shown(capsys, "status")
    assert "Running" not in shown(capsys, "status")


def test_looking_changes_no_file(settings, capsys):
    def state():
        files = (path for path in settings.home.rglob("*") if path.is_file())
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}

    before = state()
    shown(capsys, "status")
    shown(capsys, "customer", "1")
    assert state() == before


def test_sizes_count_a_file_with_two_names_once_and_growth_by_age(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a").write_bytes(b"x" * 100)
    (tmp_path / "raw" / "b").hardlink_to(tmp_path / "raw" / "a")
    written = (tmp_path / "raw" / "a").stat().st_mtime
    (raw,) = parts_of(tmp_path, written + GROWTH_DAYS * 86_400 - 60)
    assert (raw.size, raw.grown) == (100, 100)
    assert parts_of(tmp_path, written + GROWTH_DAYS * 86_400 + 60)[0].grown == 0


def test_a_blocked_night_without_a_page_says_so(tmp_path):
    assert first_reason(tmp_path / "why.md") == "see its page"


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.startswith("holdfast 0.")


@pytest.fixture
def numbers(settings, project, project_home):
    """The same with morning numbers: two days, two regions, money to the cent."""
    columns = project.as_dict["nodes"]["model.holdfast.retention_kpis"]["columns"].values()
    rows = "(values ('north', 1, 10.005::decimal(18, 3)), ('south', 2, 20.5)) as regions (region, n, money)"
    known = {
        "region": "region",
        "kpi_date": "date '2024-04-29' + cast(d as int)",
        "n_orders": "n",
        "net_sales": "money",
    }
    select = ", ".join(
        f"cast({known.get(c['name'], 'null')} as {c['data_type'].replace('string', 'text')}) as {c['name']}"
        for c in columns
    )
    publish_tables(settings, DAY, {"retention_kpis": f"select {select} from {rows}, range(2) as days (d)"})
    settings.dbt_target.mkdir(parents=True, exist_ok=True)
    shutil.copy(project_home.dbt_target / "semantic_manifest.json", settings.dbt_target)
    return settings


def test_a_metric_by_any_group(numbers, capsys):
    words = shown(capsys, "metrics", "query", "net_sales", "n_orders", "--by", "day,region", "--from", "2024-04-30")
    assert words.splitlines() == [
        "day,region,net_sales,n_orders",
        "2024-04-30,north,10.01,1",
        "2024-04-30,south,20.50,2",
    ]
    facts = json.loads(shown(capsys, "metrics", "query", "net_sales", "--only", "region=south", "--json"))
    assert facts == [{"net_sales": 41.0}]
    sql = shown(capsys, "metrics", "query", "churn_rate", "--by", "day", "--sql")
    assert sql.startswith("select") and "retention_kpis" in sql
    assert "churn_rate  [share]  Share of the active customers" in shown(capsys, "metrics", "list")


def test_a_metric_that_there_is_not_and_a_group_without_a_value(numbers, capsys):
    assert main(["metrics", "query", "net_sale"]) == 2
    assert "take one of net_sales" in capsys.readouterr().err
    assert main(["metrics", "query", "net_sales", "--only", "region"]) == 2
    assert "has no '='" in capsys.readouterr().err


def test_asking_for_a_metric_changes_no_file(numbers, capsys):
    files = [path for path in numbers.home.rglob("*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in files}
    shown(capsys, "metrics", "query", "net_sales")
    assert {path: path.stat().st_mtime_ns for path in numbers.home.rglob("*") if path.is_file()} == before


@pytest.mark.campaign
def test_after_an_update_metrics_are_read_anew(numbers, capsys):
    declared = numbers.dbt_target / "semantic_manifest.json"
    declared.write_text("{}")
    os.utime(declared, (0, 0))
    assert "net_sales" in shown(capsys, "metrics", "query", "net_sales")


def test_metrics_of_a_home_that_published_nothing(home, capsys):
    assert main(["metrics", "list"]) == 2
    assert "has published nothing yet" in capsys.readouterr().err
