"""Exactly the days of batches that came or went are recomputed, whatever the order of events."""

import duckdb
import pytest

from assets.dbt import changed_days
from assets.dbt.defs import StageTranslator, sound_tables_of_days
from assets.dbt.runner import NodeResult

CODE = "code-1"


@pytest.fixture
def con():
    with duckdb.connect() as made:
        made.execute("create schema identity; create schema ingest")
        made.execute("create table ingest.batches (batch_id text, entity text)")
        made.execute("create table ingest.batch_days (batch_id text, day date, n_rows bigint)")
        made.execute("create table identity.id_changes (old_customer_id text, customer_id text)")
        yield made


def arrive(con, batch_id: str, *days: int) -> None:
    con.execute("insert into ingest.batches values (?, 'transactions')", [batch_id])
    for day in days:
        con.execute("insert into ingest.batch_days values (?, make_date(2024, 1, ?), 1)", [batch_id, day])


def leave(con, batch_id: str) -> None:
    con.execute("delete from ingest.batches where batch_id = ?", [batch_id])
    con.execute("delete from ingest.batch_days where batch_id = ?", [batch_id])


def touched(con, code: str = CODE, tables=changed_days.BY_CHANGED_DAYS) -> list[int]:
    changed_days.plan_changed_days(con, code, tables)
    return [row[0] for row in con.execute("select day(day) from platform.changed_days order by 1").fetchall()]


def build(con, code: str = CODE) -> None:
    con.execute("create schema if not exists features; create schema if not exists staging")
    con.execute("create table if not exists features.customer_day (customer_id text, day date)")
    con.execute("create table if not exists features.customer_category_month (customer_id text, month date)")
    con.execute("create table if not exists staging.transaction_days (day date)")
    changed_days.mark_applied(con, code)


def test_the_first_build_takes_every_day(con):
    arrive(con, "a", 1, 2, 3)
    assert changed_days.plan_changed_days(con, CODE) is True
    assert touched(con) == [1, 2, 3]


def test_nothing_new_touches_nothing(con):
    arrive(con, "a", 1, 2, 3)
    touched(con)
    build(con)
    assert changed_days.plan_changed_days(con, CODE) is False
    assert touched(con) == []


def test_a_late_file_reopens_exactly_its_days(con):
    arrive(con, "a", 1, 2, 3)
    touched(con)
    build(con)
    arrive(con, "b", 2, 9)
    assert touched(con) == [2, 9]


def test_a_batch_that_is_gone_reopens_the_days_it_had(con):
    arrive(con, "a", 1, 2)
    arrive(con, "b", 2, 3)
    touched(con)
    build(con)
    leave(con, "b")
    assert touched(con) == [2, 3]


def bought(con, customer: str, *days: int) -> None:
    for day in days:
        con.execute("insert into features.customer_day values (?, make_date(2024, 1, ?))", [customer, day])


def test_an_id_that_becomes_another_reopens_the_days_of_its_customer(con):
    arrive(con, "a", 1, 2, 3, 4)
    touched(con)
    build(con)
    bought(con, "old", 1, 3)
    bought(con, "other", 2)
    con.execute("insert into identity.id_changes values ('old', 'new')")
    assert touched(con) == [1, 3]
    assert touched(con) == [1, 3], "a run that died before it was marked"
    build(con)
    assert touched(con) == []
    # It becomes another one again, and then itself: its rows are found under the id that they were built with.
    con.execute("update features.customer_day set customer_id = 'new' where customer_id = 'old'")
    bought(con, "new", 4)
    con.execute("update identity.id_changes set customer_id = 'newest'")
    assert touched(con) == [1, 3, 4]
    con.execute("delete from identity.id_changes")
    assert touched(con) == [1, 3, 4]
    assert touched(con, tables=["staging.transaction_days"]) == []


def test_a_run_that_died_before_it_was_marked_recomputes_the_same_days(con):
    arrive(con, "a", 1)
    touched(con)
    build(con)
    arrive(con, "b", 5)
    assert touched(con) == [5]
    assert touched(con) == [5]
    build(con)
    assert touched(con) == []


def test_changed_code_rebuilds_the_table(con):
    arrive(con, "a", 1, 2)
    touched(con)
    build(con)
    assert changed_days.plan_changed_days(con, "code-2") is True
    assert changed_days.plan_changed_days(con, "code-2") is True, "a run that died before the rebuild is no rebuild"
    build(con, "code-2")
    assert changed_days.plan_changed_days(con, "code-2") is False


def test_a_rebuild_touches_every_day(con):
    """Whatever looks at changed days only, tests among them, then looks at all."""
    arrive(con, "a", 1, 2, 3)
    touched(con)
    build(con)
    assert changed_days.plan_changed_days(con, "code-2") is True
    assert touched(con, "code-2") == [1, 2, 3]
    build(con, "code-2")
    con.execute("drop table staging.transaction_days")
    assert changed_days.plan_changed_days(con, "code-2") is True
    assert touched(con, "code-2") == [1, 2, 3]


def results(project, **failed: str) -> list[NodeResult]:
    """As dbt reports a build of customer_day and its tests, all well but for the `failed` (name to status)."""
    names = (
        "stg_transactions",
        "transaction_days",
        "customer_day",
        "customer_category_month",
        "customer_day_key",
        "customer_rfm_key",
        "assert_transaction_days_hold_every_landed_line",
    )
    by_name = {node["name"]: uid for uid, node in project.as_dict["nodes"].items()}
    return [
        NodeResult(by_name[name], failed.get(name, "pass" if "test." in by_name[name] else "success"), 0, "", 0)
        for name in names
    ]


def test_each_table_of_days_takes_what_came_since_it_was_built_itself(con):
    """Stages may run one at a time: the days that staging has taken are still new to features."""
    staging, features = ["staging.transaction_days"], ["features.customer_day", "features.customer_category_month"]
    arrive(con, "a", 1, 2)
    touched(con)
    build(con)
    arrive(con, "b", 5)
    leave(con, "a")
    assert touched(con, tables=staging) == [1, 2, 5]
    changed_days.mark_applied(con, CODE, staging)
    assert touched(con, tables=staging) == []
    arrive(con, "c", 7)
    assert touched(con, tables=staging) == [7]
    assert touched(con, tables=features) == [1, 2, 5, 7]
    assert touched(con) == [1, 2, 5, 7], "for both at once: what is new to either"
    changed_days.mark_applied(con, CODE, features)
    assert touched(con, tables=features) == []
    assert touched(con) == [7]


def test_a_table_is_rebuilt_for_its_own_reasons(con):
    staging, features = ["staging.transaction_days"], ["features.customer_day", "features.customer_category_month"]
    arrive(con, "a", 1)
    touched(con)
    build(con)
    assert changed_days.plan_changed_days(con, "code-2", staging) is True
    changed_days.mark_applied(con, "code-2", staging)
    assert changed_days.plan_changed_days(con, "code-2", staging) is False
    assert changed_days.plan_changed_days(con, "code-2", features) is True
    con.execute("drop table staging.transaction_days")
    changed_days.mark_applied(con, "code-2", features)
    assert changed_days.plan_changed_days(con, "code-2", features) is False
    assert changed_days.plan_changed_days(con, "code-2", staging) is True


def test_days_stay_touched_until_what_speaks_of_them_passes(project):
    def sound(**failed: str) -> set[str]:
        return sound_tables_of_days(project, StageTranslator(), results(project, **failed))

    both = set(changed_days.BY_CHANGED_DAYS)
    assert sound() == both
    assert sound(customer_rfm_key="fail") == both
    assert sound(customer_day_key="fail") == set()
    assert sound(assert_transaction_days_hold_every_landed_line="fail") == set()
    assert sound(transaction_days="error", customer_day="skipped", customer_category_month="skipped") == set()
    assert sound(customer_day="skipped", customer_category_month="skipped") == {"staging.transaction_days"}
    assert sound(customer_category_month="error") == set()


def test_only_what_was_built_counts_as_sound(project):
    features = (".customer_day", ".customer_category_month")
    built = [r for r in results(project) if not r.unique_id.endswith(features)]
    assert sound_tables_of_days(project, StageTranslator(), built) == {"staging.transaction_days"}
