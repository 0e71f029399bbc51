"""The morning page says what the marts of its set say, in both languages, in one file that needs nothing else."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from toy_marts import MARTS, make_and_publish, make_marts, settings_of

from assets.publish.current_link import CurrentLink
from assets.publish.marts import Mart, Marts
from assets.publish.morning import page
from assets.publish.morning.facts import MEASURES, MOST_ROWS, TABLES, read_morning
from assets.publish.morning.page import PAGE, money, morning_page, percent, points, render, whole, words
from assets.publish.publication import publish_night
from assets.publish.release_ledger import SetId
from assets.publish.rollback import roll_back
from pipelines.erasure.identifiers import Identifiers

TEMPLATE = (Path(page.__file__).parent / "morning.html.j2").read_text()


#: A set with calls, alerts, a complaint and one measured action.
SET = """
create schema marts;
create table marts.run_manifest as select date '2024-05-02' as as_of_date, 'run-7' as run_id, 'till' as sources,
    '{"business": "shop"}' as parameters, 1000 as rows_in, 3 as rows_quarantined, 2 as rows_left_out;
create table marts.data_quality as
    select true as passed, 'marts.x' as table_name, 'r' || i as rule from range(9) as t(i)
    union all select false, 'marts.customer_360', 'late';
create table marts.customer_360 as
    select 'c' || i as customer_id, case when i = 3 then 2 else 0 end as n_complaints_90d,
    'A' as value_class, 0.5 as churn_probability, 100.0 + i as value_at_risk_year, 40 as days_since_last_order,
    'complaint first' as decision_reason, '先处理投诉' as decision_reason_zh, 'silent for long' as reason_1,
    null::varchar as reason_2, date '2024-04-01' as last_contact_on, 'phone' as last_contact_channel,
    'sent' as last_contact_outcome from range(30) as t(i);
create table marts.churn_scores as select 'c' || i as customer_id, '已久未购买' as reason_1_zh,
    null::varchar as reason_2_zh from range(30) as t(i);
create table marts.retention_decisions as select 'c' || i as customer_id,
    case i when 1 then 'contact' else 'holdout' end as decision, 'Personal call' as action_label_en,
    '电话' as action_label_zh from range(29) as t(i);
create table marts.retention_actions as
    select *, 'n' || plan_rank as candidate_id, 'call' as action_id, null::varchar as owner,
        'Personal call' as action_label_en,
        '电话' as action_label_zh, 'Say <b>hello</b>' as script,
        -1.0 as expected_profit_low, 20.0 as expected_profit_high, 'A' as value_class, true as needs_profit,
        case customer_id when 'c1' then date '2024-05-06' else date '2024-05-02' end as due_on
    from (values ('c1', 'phone', 'contact', 1, 12.5), ('c2', 'phone', 'holdout', 2, 9),
        ('c4', 'email', 'contact', 3, 7)) as t(customer_id, channel, decision, plan_rank, expected_incremental_profit);
create table marts.movement_alerts as
    select 'c' || i as customer_id, 'orders' as metric, 'silence' as test,
        case when i < 10 then 'open' when i = 10 then 'worsened' else 'new' end as status,
        date '2024-04-20' as first_seen_on, 12 as age_days, -50.0 - i as money_moved, 'A' as value_class,
        1.4 as expected_false, 'down' as direction, i as severity_rank
    from range(12) as t(i)
    union all select 'c20', 'orders', 'faster', 'open', date '2024-04-20', 1, 5.0, 'A', 1.4, 'up', 90
    union all select 'c21', 'orders', 'silence', 'recovered', date '2024-04-20', 1, -5.0, 'A', 1.4, 'down', 91;
create table marts.unreachable_customers as
    select 'marketing' as purpose, channel, reason, reason as reason_words, '因' || reason as reason_words_zh, share
    from (values ('any', 'no_consent', 0.25), ('any', 'no_address', 0.125), ('any', 'reachable', 0.625),
        ('email', 'no_consent', 0.75)) as t(channel, reason, share);
create table marts.action_verdicts as
    select 'call' as action_id, 'Personal call' as action_label_en, '电话' as action_label_zh, 'all' as lifecycle_stage,
        300 as n_treated, 290 as n_held_out, 0.037 as measured_effect, 0.002 as measured_low, 0.073 as measured_high,
        'works' as verdict_words, '有效' as verdict_words_zh
    union all select 'none', 'None', '无', 'all', 0, 0, null, null, null, 'no holdout', '无对照组';
"""
N_ALERTS = 12


def make_set(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(SET)
    numbers = ", ".join(
        f"{10 + n} as {name}, 20 as {name}_previous_day, 30 as {name}_previous_week,"
        f" null::bigint as {name}_previous_year"
        for n, name in enumerate(MEASURES)
    )
    con.execute(
        "create table marts.retention_kpis_total as"
        f" select date '2024-05-02' - i as kpi_date, 'EUR' as currency, i > 1 as is_complete, {numbers}"
        " from unnest([2, 1]) as t(i)"
    )


@pytest.fixture
def con():
    """A connection to the set."""
    with duckdb.connect() as made:
        make_set(made)
        yield made


def test_it_reads_what_the_marts_say(con):
    morning = read_morning(con)
    assert (morning.n_contacts, morning.are_calls, float(morning.expected_profit)) == (2, True, 19.5)
    assert [row["customer_id"] for row in morning.contacts] == ["c1"]
    assert morning.n_leaving == N_ALERTS and morning.n_leaving_new == 2 and len(morning.leaving) == MOST_ROWS
    assert [row["customer_id"] for row in morning.leaving][:3] == ["c11", "c10", "c0"], "new, worse, open"
    assert [row["customer_id"] for row in morning.complaints] == ["c3"] and morning.n_complaints == 1
    assert [row["script"] for row in morning.scripts] == ["Say <b>hello</b>"]
    assert [row["action_label_en"] for row in morning.effects] == ["Personal call"], "nothing was measured of the other"
    assert morning.unreachable == 0.375
    assert [row["reason_words"] for row in morning.unreachable_reasons] == ["no_consent", "no_address"]
    page = render(morning)
    assert "38% of customers cannot be reached for marketing" in page and "因no_consent" in page
    assert morning.kpi_date == date(2024, 5, 1) and morning.measures[0]["value"] == 10
    assert [day for day, *_ in morning.days] == [date(2024, 4, 30), date(2024, 5, 1)]
    assert (morning.checks["n"], morning.checks["n_failed"], morning.checks["failed"]) == (
        10,
        1,
        "marts.customer_360: late",
    )


def test_without_a_call_the_best_other_contacts_are_shown(con):
    con.execute("update marts.retention_actions set channel = 'sms' where channel = 'phone'")
    morning = read_morning(con)
    assert not morning.are_calls and not morning.has_owners
    assert [row["customer_id"] for row in morning.contacts] == ["c1", "c4"]
    assert "No personal call today" in render(morning)


def test_calls_stand_with_their_owner_the_best_first_and_those_of_nobody_last(con):
    con.execute(
        "insert into marts.retention_actions by name select plan.* replace ('c' || i as customer_id, i as plan_rank,"
        " if(i > 4, case i % 2 when 0 then 'B' else 'A' end, null) as owner)"
        " from (from marts.retention_actions where customer_id = 'c1') as plan, range(3, 29) as t(i)"
    )
    morning = read_morning(con)
    assert morning.has_owners
    assert [row["owner"] for row in morning.contacts] == ["A"] * MOST_ROWS + ["B"] * MOST_ROWS + [None] * 3
    assert [row["customer_id"] for row in morning.contacts][:2] == ["c5", "c7"], "so many of each owner, the best ones"
    text = render(morning)
    for words_of in ("Calls of A", "A 的电话", "Calls of B", "Whoever is free", "任意空闲人员"):
        assert text.count(words_of) == 1, words_of
    assert text.index("Calls of A") < text.index("Calls of B") < text.index("Whoever is free")


def test_the_page_is_in_the_words_of_the_business(con):
    con.execute("""update marts.run_manifest set parameters = '{"business": "bank"}'""")
    text = morning_page(con)
    assert "Postings" in text and "已 40 天未交易" in text and "Orders" not in text and "订单" not in text
    con.execute("update marts.run_manifest set parameters = '{}'")
    assert "Orders" in morning_page(con), "a set of an earlier version is a shop"


def test_an_erased_person_leaves_the_page_also_by_a_short_id(con):
    """An erasure takes a short id out of a text only where its mark says that it is a customer."""
    text = render(read_morning(con))
    shown = set(re.findall(r">(c\d)<", text))
    assert len(shown) > 1
    assert not re.findall(r">c\d<", Identifiers(dict.fromkeys(shown, "erased:x")).clean(text))


def test_the_page_is_one_file_that_needs_nothing_else(con):
    text = morning_page(con)
    assert len(text.encode()) < 300_000
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text) and "http" not in text and "<script" not in text
    assert "Say &lt;b&gt;hello&lt;/b&gt;" in text, "what a source says is text and no markup"
    assert text.count("Say &lt;b&gt;") == 1, "what to say stands once for an action"
    for shown in (
        "EUR 12.50",
        "+3.7 (+0.2 … +7.3)",
        "EUR -62.00",
        "silent for 40 days",
        "已 40 天未购买",
        "先处理投诉",
        "已久未购买",
    ):
        assert shown in text.replace("-EUR 62.00", "EUR -62.00").replace("-EUR 61.00", "EUR -62.00"), shown
    assert "due on 2024-05-06" in text and "应于 2024-05-06" in text
    assert "1 of 10 checks did not pass: marts.customer_360: late" in text
    assert "and 2 more in marts.movement_alerts" in text


def test_a_morning_without_anything_has_a_page(con):
    for table in TABLES - {"run_manifest"}:
        con.execute(f"delete from marts.{table}")
    text = morning_page(con)
    for key in ("no_contacts", "no_leaving", "no_complaints", "no_effects"):
        assert words()[key]["en"] in text and words()[key]["zh"] in text
    assert "<img" not in text


def test_every_word_is_in_both_languages_and_used():
    for key, texts in words().items():
        assert set(texts) == {"en", "zh"} and all(texts.values()), key
        assert sorted(re.findall(r"{\w+}", texts["en"])) == sorted(re.findall(r"{\w+}", texts["zh"])), key
        made_up = key.startswith(("status_", "decision_", "test_")) or key in MEASURES
        assert made_up or f'"{key}"' in TEMPLATE or f"words.{key}." in TEMPLATE, f"{key} is not used"
    assert set(MEASURES) - {"n_complaints"} <= set(words())
    text = re.sub(r"{[%{#].*?[%}#]}|<style>.*?</style>|<[^>]*>", "", TEMPLATE, flags=re.S)
    assert not re.findall(r"[A-Za-z]{3,}", text), "a word that stands in the template has one language"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (money(Decimal("1234.5"), "EUR"), "EUR 1,234"),
        (money(Decimal("-99.99"), "EUR"), "-EUR 99.99"),
        (money(100, "EUR"), "EUR 100"),
        (money(5.0, None), "5.00"),
        (money(-5.0, None), "-5.00"),
        (money(None, "EUR"), "-"),
        (whole(None), "-"),
        (whole(1234), "1,234"),
        (percent(0.256), "26%"),
        (percent(None), "-"),
        (points(0.037), "+3.7"),
        (points(None), "-"),
    ],
)
def test_numbers_as_a_person_reads_them(text, expected):
    assert text == expected


def test_the_link_to_the_page_follows_the_set(tmp_path):
    """Sets of before have no page; readers must not see that of another night."""
    first, second = date(2024, 5, 1), date(2024, 5, 2)
    make_and_publish(tmp_path, first, "a")
    link, shown = CurrentLink(settings_of(tmp_path)), tmp_path / "published" / PAGE
    assert not shown.exists(), "marts that the page does not read"
    make_and_publish(tmp_path, second, "b", keep_sets=2)
    (link.target() / PAGE).write_text("page of b")
    link.point_at(link.target())
    assert shown.read_text() == "page of b" and not shown.readlink().is_absolute()
    roll_back(settings_of(tmp_path), "somebody")
    assert not shown.is_symlink()
    roll_back(settings_of(tmp_path), "somebody", to_run="b")
    assert shown.read_text() == "page of b"


def publish_set(home: Path, change: str = "checkpoint"):
    """Publish the set above, after `change`, next to the small marts of the other tests."""
    settings, day = settings_of(home), date(2024, 5, 2)
    make_marts(settings, day, "b")
    with duckdb.connect() as made, duckdb.connect(str(settings.warehouse)) as warehouse:
        make_set(made)
        made.execute(change)
        # What the exports of the night are made of.
        warehouse.execute(
            """
            create schema identity; create schema ingest; create schema personal;
            create table ingest.batches (batch_id varchar, loaded_at timestamp);
            create table identity.id_changes (old_customer_id varchar, customer_id varchar);
            create table personal.customers (customer_id varchar, email varchar, phone varchar, postal_code varchar,
                batch_id varchar, source varchar);
            """
        )
        for name in TABLES:
            rows = made.sql(f"from marts.{name}").to_arrow_table()
            columns = "* exclude (as_of_date, run_id)" if name == "run_manifest" else "*"
            warehouse.register("rows", rows)
            warehouse.execute(
                f"create or replace table marts.{name} as"
                f" select date '{day}' as as_of_date, 'b' as run_id, {columns} from rows"
            )
            warehouse.unregister("rows")
    marts = Marts({**MARTS.tables, **{name: Mart([]) for name in TABLES - {"run_manifest"}}})
    return publish_night(settings, SetId(day, "b"), marts)


def test_a_published_set_has_its_page(tmp_path):
    report = publish_set(tmp_path)
    assert "Good morning: customers as of 2024-05-02" in (tmp_path / "published" / PAGE).read_text()
    assert not [words for words in report.warnings if "morning page" in words]


def test_tables_of_an_earlier_version_are_published_without_a_page(tmp_path):
    report = publish_set(tmp_path, "alter table marts.retention_actions drop column due_on")
    assert not (tmp_path / "published" / PAGE).exists()
    assert any("no morning page" in words and "due_on" in words for words in report.warnings)
