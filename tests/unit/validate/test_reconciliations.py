"""Every reconciliation holds on a warehouse in which all adds up, and fails when it does not."""

import duckdb
import pytest
from small_warehouse import AS_OF, RUN_ID, build

from assets.shared.params import load_params
from assets.validate.reconciliations import (
    Reconciliation,
    complete_marts,
    reconciliations,
    run_reconciliations,
)

PARAMS = load_params({"validate_max_quarantine_share": 0.1, "actions_global_holdout_share": 0.2})
MARTS = [
    "churn_scores",
    "customer_segments",
    "customer_360",
    "retention_actions",
    "retention_decisions",
    "holdout_ledger",
]

#: One way to make each rule fail: (table, rule) -> statement.
BREAKING = {
    ("ingest.batches", "rows_in_add_up"): "update ingest.batches set rows_in = 26",
    ("ingest.batches", "ledger_matches_tables"): "delete from ingest.transactions where customer_id = 'c1'",
    ("ingest.batches", "batches_match_tables"): (
        "update ingest.transactions set batch_id = 'b2' where customer_id = 'c1'"
    ),
    ("ingest.refused_files", "no_refused_files"): (
        "insert into ingest.refused_files values ('toy', 'consents', 'c.csv', 'cut short', 'again', false, null)"
    ),
    ("ingest.source_extracts", "extracts_arrived"): "update ingest.source_extracts set verdict = 'short'",
    ("ingest.quarantined_rows", "quarantine_matches_ledger"): "delete from ingest.quarantined_rows",
    ("ingest.batches", "quarantine_share"): "update ingest.batches set rows_quarantined = 4",
    ("features.customer_day", "net_sales_by_day"): "delete from features.customer_day where day = date '2017-06-04'",
    ("marts.customer_360", "money_in_marts"): (
        "update marts.customer_360 set value_at_risk = 6 where customer_id = 'c1'"
    ),
    ("features.customer_features", "net_sales_by_customer"): (
        "update features.customer_features set net_sales_total = net_sales_total + 0.01 where customer_id = 'c1'"
    ),
    ("segments.customer_rfm", "covers_every_customer"): "delete from segments.customer_rfm where customer_id = 'c1'",
    ("segments.customer_value", "covers_every_customer"): "insert into segments.customer_value values ('c4')",
    ("segments.customer_lifecycle", "covers_every_customer"): "insert into segments.customer_lifecycle values ('new')",
    ("score.churn_scores", "covers_every_customer"): "delete from score.churn_scores where customer_id = 'c4'",
    ("score.churn_scores", "scored_are_the_eligible"): (
        "update score.churn_scores set churn_probability = 0.5 where customer_id = 'c4'"
    ),
    ("marts.churn_scores", "covers_every_customer"): (
        "create or replace view marts.churn_scores as select * from score.churn_scores limit 3"
    ),
    ("marts.customer_segments", "covers_every_customer"): (
        "create or replace view marts.customer_segments as select 'c1' as customer_id"
    ),
    ("marts.unreachable_customers", "reachable_or_not_is_everybody"): (
        "delete from marts.unreachable_customers where reason = 'reachable'"
    ),
    ("marts.customer_360", "covers_every_customer"): ("delete from marts.customer_360 where customer_id <> 'c1'"),
    ("marts.retention_actions", "plan_within_budget"): "update marts.retention_actions set offer_cost = 4000",
    ("marts.retention_decisions", "covers_every_customer"): (
        "delete from marts.retention_decisions where customer_id = 'c3'"
    ),
    ("marts.retention_decisions", "decisions_are_those_of_the_plan"): (
        "update marts.retention_decisions set decision = 'contact' where customer_id = 'c3'"
    ),
    ("marts.retention_actions", "experiments_are_clean"): (
        f"insert into candidates.plan_follow_up values ('c1', 'call', date '{AS_OF}' - 29, 'held_out', false)"
    ),
    ("marts.retention_actions", "plan_within_capacity"): (
        "insert into marts.retention_actions select plan.* replace ('p' || i as customer_id) from"
        " (from marts.retention_actions limit 1) as plan, range(500) as r(i)"
    ),
    ("marts.retention_actions", "control_group_is_left_alone"): (
        "update marts.retention_actions set decision = 'contact'"
    ),
    ("marts.holdout_ledger", "control_group_has_its_size"): (
        "insert into marts.holdout_ledger select held.* replace ('p' || i as person_id) from"
        " (from marts.holdout_ledger limit 1) as held, range(10) as r(i)"
    ),
}


@pytest.fixture
def con():
    with duckdb.connect() as con:
        build(con)
        yield con


def failed(con) -> dict[tuple[str, str], str]:
    return {
        (r.table_name, r.rule): r.reason
        for r in run_reconciliations(con, reconciliations(AS_OF, PARAMS))
        if not r.passed
    }


def test_all_hold_where_everything_adds_up(con):
    results = run_reconciliations(con, reconciliations(AS_OF, PARAMS))
    assert failed(con) == {}
    assert all(r.n_checked >= 1 and r.n_failed == 0 and r.kind == "reconciliation" for r in results)


def test_every_rule_has_a_way_to_fail():
    assert {(r.table, r.name) for r in reconciliations(AS_OF, PARAMS)} == set(BREAKING)


@pytest.mark.parametrize("rule", sorted(BREAKING), ids=lambda rule: "-".join(rule))
def test_each_rule_fails_when_it_does_not_hold(con, rule):
    con.execute(BREAKING[rule])
    found = failed(con)
    assert rule in found and "Observed" in found[rule]


def test_a_refused_file_blocks_where_it_decides_about_people_and_can_be_let_pass(con):
    con.execute(
        "insert into ingest.refused_files values ('toy', 'customers', 'a.csv', 'cut short', 'again', false, null),"
        " ('toy', 'transactions', 'b.csv', 'cut short', 'again', false, timestamp '2017-12-30'),"
        " ('toy', 'transactions', 'c.csv', 'cut short', 'again', true, null)"
    )
    assert failed(con) == {}
    con.execute(
        "insert into ingest.refused_files values ('toy', 'transactions', 'd.csv', 'cut short', 'again', false, null)"
    )
    waived = reconciliations(AS_OF, PARAMS.model_copy(update={"ingest_refused_files": "warn"}))
    for rules, severity in ((reconciliations(AS_OF, PARAMS), "blocking"), (waived, "warning")):
        (found,) = [r for r in run_reconciliations(con, rules) if not r.passed]
        assert (found.rule, found.severity) == ("no_refused_files", severity)
        assert found.failed_keys == "source=toy; file=d.csv; reason=cut short; remedy=again"


def test_a_purchase_on_the_date_itself_is_not_counted(con):
    con.execute(f"insert into staging.transaction_days values (date '{AS_OF}', 5)")
    assert failed(con) == {}


def test_an_unknown_channel_has_no_capacity(con):
    con.execute("update marts.retention_actions set channel = 'pigeon' where customer_id = 'c0'")
    assert "contacts by pigeon: 1 (at most 0)" in failed(con)["marts.retention_actions", "plan_within_capacity"]


def test_the_calls_of_an_owner_are_not_those_of_the_pool(con):
    con.execute("insert into playbook.playbook_owners values ('17', 1)")
    con.execute("update marts.retention_actions set channel = 'phone', owner = '17' where customer_id = 'c0'")
    assert failed(con) == {}
    con.execute("update playbook.playbook_owners set nightly_calls = 0")
    assert "calls of 17: 1 (at most 0)" in failed(con)["marts.retention_actions", "plan_within_capacity"]


def test_holdouts_that_ended_may_be_contacted(con):
    con.execute("update marts.retention_actions set decision = 'contact'")
    con.execute(f"update marts.holdout_ledger set valid_to = date '{AS_OF}'")
    assert ("marts.retention_actions", "control_group_is_left_alone") not in failed(con)


def test_an_empty_plan_and_an_empty_control_group_are_fine(con):
    con.execute("delete from marts.retention_actions")
    assert failed(con) == {}


def test_a_missing_table_fails_as_blocking(con):
    con.execute("drop table features.customer_day")
    results = [r for r in run_reconciliations(con, reconciliations(AS_OF, PARAMS)) if not r.passed]
    assert {r.rule for r in results} == {"net_sales_by_day", "net_sales_by_customer"}
    assert all(r.severity == "blocking" and "could not be checked" in r.observed for r in results)


def test_marts_of_one_date_and_run(con):
    (good,) = run_reconciliations(con, [complete_marts(AS_OF, RUN_ID, MARTS)])
    con.execute("update marts.holdout_ledger set run_id = 'yesterday'")
    (bad,) = run_reconciliations(con, [complete_marts(AS_OF, RUN_ID, MARTS)])
    (nothing,) = run_reconciliations(con, [complete_marts(AS_OF, RUN_ID, [])])
    assert good.passed and not bad.passed and "holdout_ledger: 1 (expected 0)" in bad.reason
    assert not nothing.passed


@pytest.mark.parametrize(("over", "holds"), [(0.0, True), (0.9e-6, True), (1.1e-6, False)])
def test_the_rounding_of_doubles_is_no_excess_and_a_millionth_more_is(con, over, holds):
    rule = Reconciliation("most", "t", f"select 's' as subject, 1.0 + {over!r}::double, 1.0", "why", holds="at_most")
    (found,) = run_reconciliations(con, [rule])
    assert found.passed == holds
