"""What became of a plan decides what later nights may plan."""

from datetime import timedelta

import pytest
from plan_world import AS_OF, add_contact, contacts, customer, make_plan, only_entries, reasons, warehouse

from assets.shared.export_ledger import COLUMNS, replace_exports

pytestmark = pytest.mark.usefixtures("candidates_sql")

#: So that only the pause of the action and the window of an experiment can hold somebody back.
NO_PAUSE = {"actions_min_days_between_contacts": 0, "actions_cap_contacts": 9}
OFFER = "stay_offer"


def world(*names: str):
    con = warehouse(*(customer(name) for name in names))
    only_entries(con, "value_at_risk_offer")
    return con


def night(days: int):
    return AS_OF + timedelta(days=days)


def candidate_of(rows, name: str) -> str:
    (row,) = [row for row in rows if row["customer_id"] == name]
    return row["candidate_id"]


def test_a_contact_that_nobody_reports_within_the_grace_time_can_be_planned_again(tmp_path):
    con = world("ann", "bob")
    first = make_plan(con, tmp_path, **NO_PAUSE)
    assert contacts(first).keys() == {"ann", "bob"}
    # Nothing of the channel was ever reported: planned counts as made.
    assert contacts(make_plan(con, tmp_path, night(8), **NO_PAUSE)) == {}
    add_contact(con, "ann", -1, action_id=OFFER, contact_id=candidate_of(first, "ann"))
    assert contacts(make_plan(con, tmp_path, night(7), **NO_PAUSE)) == {}
    assert contacts(make_plan(con, tmp_path, night(8), **NO_PAUSE)).keys() == {"bob"}


def test_a_contact_that_the_business_did_not_send_can_be_planned_the_next_night(tmp_path):
    con = world("ann", "bob")
    first = make_plan(con, tmp_path, **NO_PAUSE)
    add_contact(con, "bob", 0, action_id=OFFER, contact_id=candidate_of(first, "bob"), outcome="not_sent")
    assert contacts(make_plan(con, tmp_path, night(1), **NO_PAUSE)).keys() == {"bob"}


def test_a_night_that_was_not_exported_is_planned_again(tmp_path):
    con = world("ann", "bob")
    make_plan(con, tmp_path, **NO_PAUSE)
    empty = con.sql("select " + ", ".join(f"null::{kind} as {name}" for name, kind in COLUMNS.items()))
    replace_exports(empty.to_arrow_table().slice(0, 0), tmp_path, night(0))
    assert contacts(make_plan(con, tmp_path, night(1), **NO_PAUSE)).keys() == {"ann", "bob"}


def test_an_opt_out_binds_the_next_night(tmp_path):
    con = world("ann", "bob")
    first = make_plan(con, tmp_path, **NO_PAUSE)
    for name, outcome in (("ann", "opted_out"), ("bob", "complaint")):
        add_contact(con, name, 0, action_id=OFFER, contact_id=candidate_of(first, name), outcome=outcome)
    con.execute("update playbook.playbook_actions set cooldown_days = 0, channels = 'email'")
    con.execute("update playbook.playbook_calendar set every_days = 1")
    tomorrow = make_plan(con, tmp_path, night(1), **NO_PAUSE)
    assert contacts(tomorrow) == {}
    assert set(reasons(tomorrow).values()) == {reasons(tomorrow)["ann", OFFER]}
    assert "consent" in reasons(tomorrow)["ann", OFFER]


def test_a_contact_moves_off_a_quiet_day_and_counts_from_then(tmp_path):
    con = world("ann", "bob")
    con.execute("insert into playbook.playbook_quiet_days values (?, 'a holiday', '')", [AS_OF.isoformat()])
    first = make_plan(con, tmp_path, **NO_PAUSE, actions_action_holdout_share=0.5)
    assert {row["due_on"] for row in first if row["decision"] != "not_contacted"} == {night(1)}
    con.execute("update playbook.playbook_calendar set every_days = 1")
    con.execute("update playbook.playbook_actions set cooldown_days = 3")
    assert contacts(make_plan(con, tmp_path, night(3))) == {}
    assert contacts(make_plan(con, tmp_path, night(4))).keys() == {"ann", "bob"}
