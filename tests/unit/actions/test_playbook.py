"""The playbook: the shipped one is sound, broken ones are named, silent entries explain themselves."""

from datetime import date

import pytest
from plan_world import AS_OF, SEEDS, customer, make_plan, only_entries, warehouse

from assets.actions.playbook import (
    OPEN_END,
    calendar_days,
    capacities,
    check_playbook,
    days_in_force,
    due_dates,
    inactive_triggers,
)
from assets.shared.errors import UserError
from assets.shared.params import load_params


def test_the_shipped_playbook_is_sound_and_speaks_two_languages():
    con = warehouse()
    check_playbook(con, load_params())
    rows = con.execute("select label_en, label_zh, script from playbook.playbook_actions").fetchall()
    assert len(rows) == len(list((SEEDS / "playbook_actions.csv").read_text().splitlines())) - 1
    for english, chinese, script in rows:
        assert english.isascii() and any("\u4e00" <= letter <= "\u9fff" for letter in chinese) and len(script) > 40


def test_every_channel_of_the_playbook_has_a_capacity():
    channels = {row[0] for row in warehouse().execute("select channel from playbook.playbook_channels").fetchall()}
    assert channels == set(capacities(load_params())) == {"email", "sms", "phone", "mail"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("update playbook.playbook_actions set channels = 'email|pigeon' where action_id = 'stay_offer'", "pigeon"),
        ("update playbook.playbook_actions set redeem_probability = 6 where action_id = 'stay_offer'", "stay_offer"),
        ("update playbook.playbook_calendar set lifecycle_stage = 'asleep' where calendar_id = 'holiday'", "asleep"),
        ("update playbook.playbook_calendar set on_dates = '31-12' where calendar_id = 'holiday'", "holiday"),
        ("update playbook.playbook_actions set purpose = 'sales' where action_id = 'stay_offer'", "stay_offer"),
        ("update playbook.playbook_calendar set counted_from = 'x' where calendar_id = 'silent_month_4'", "month_4"),
        ("update playbook.playbook_calendar set counted_from = 'lost' where calendar_id = 'holiday'", "holiday"),
        ("update playbook.playbook_calendar set to_day = 1 where calendar_id = 'silent_month_3'", "silent_month_3"),
        ("update playbook.playbook_calendar set from_day = null where calendar_id = 'birthday'", "birthday"),
        ("update playbook.playbook_calendar set every_days = 0 where calendar_id = 'movement_alert'", "movement_alert"),
        ("insert into playbook.playbook_channels values ('fax', 'Fax', '传真', 1)", "fax"),
    ],
)
def test_a_broken_cell_is_named_before_anything_is_planned(tmp_path, change, named):
    con = warehouse(customer())
    con.execute(change)
    with pytest.raises(UserError, match=named):
        make_plan(con, tmp_path)
    assert not (tmp_path / "plan").exists()


@pytest.mark.parametrize(
    ("as_of", "window"),
    [
        (date(2017, 6, 17), None),
        (date(2017, 6, 18), (date(2017, 6, 18), date(2017, 6, 18))),
        (date(2017, 6, 21), (date(2017, 6, 18), date(2017, 6, 18))),
        (date(2017, 6, 22), None),
        (date(2017, 11, 12), (date(2017, 11, 11), date(2017, 11, 11))),
    ],
)
def test_dates_of_the_year_open_a_window(as_of, window):
    assert due_dates([("x", 0, 3, "06-18|11-11")], as_of) == ([("x", *window)] if window else [])


def test_windows_of_dates_cross_the_year_and_know_leap_years():
    assert due_dates([("x", -3, 2, "01-01")], date(2017, 12, 30)) == [("x", date(2017, 12, 29), date(2018, 1, 1))]
    assert due_dates([("x", 0, 3, "12-31")], date(2018, 1, 2)) == [("x", date(2017, 12, 31), date(2017, 12, 31))]
    assert due_dates([("x", 0, None, "02-29")], date(2017, 2, 28)) == [("x", date(2017, 2, 28), date(2017, 2, 28))]


def test_a_date_of_the_year_makes_candidates(tmp_path):
    con = warehouse(customer("ann", stage="lost", silent_days=300))
    con.execute("update playbook.playbook_calendar set on_dates = '11-30' where calendar_id = 'lost_big_campaign'")
    only_entries(con, "lost_big_campaign")
    rows = make_plan(con, tmp_path)
    assert [(row["action_id"], row["trigger_reason"]) for row in rows] == [
        ("campaign_invitation", "date in the calendar: 2017-11-30")
    ]


def test_a_birthday_makes_a_candidate_where_it_is_known(tmp_path):
    con = warehouse(customer("ann"), customer("bob"))
    only_entries(con, "birthday")
    assert make_plan(con, tmp_path / "a") == []
    con.execute("alter table staging.stg_customers add column birth_date date")
    con.execute("insert into staging.stg_customers values ('ann', date '1980-11-30'), ('bob', date '1980-12-02')")
    assert [row["customer_id"] for row in make_plan(con, tmp_path / "b")] == ["ann"]
    assert "birthday" not in {entry.trigger for entry in inactive_triggers(con, AS_OF)}


def test_entries_without_their_input_say_what_is_missing():
    con = warehouse()
    inactive = {entry.calendar_id: entry.reason for entry in inactive_triggers(con, AS_OF)}
    assert set(inactive) == {"birthday", "open_complaint", "tier_at_risk"}
    assert "service events" in inactive["open_complaint"] and "personal data" in inactive["birthday"]
    con.execute("update ingest.source_status set has_interactions = true")
    assert "open_complaint" not in {entry.calendar_id for entry in inactive_triggers(con, AS_OF)}
    con.execute("drop table segments.customer_movements")
    assert "movement_alert" in {entry.calendar_id for entry in inactive_triggers(con, AS_OF)}


FIXED = {"silent": (60, 150), "dormant": (150, 270), "lost": (270, OPEN_END)}
AUTO = {"silent": (21, 51), "dormant": (51, 105), "lost": (105, OPEN_END)}


@pytest.mark.parametrize(
    ("counted_from", "days", "fixed", "auto"),
    [
        ("last_order", (5, 7), (5, 7), (5, 7)),
        ("silent", (30, 36), (90, 96), (31, 33)),
        ("silent", (60, 66), (120, 126), (41, 43)),
        ("dormant", (30, 37), (180, 187), (64, 67)),
        ("lost", (0, 95), (270, 365), (105, 200)),
        ("lost", (0, None), (270, None), (105, None)),
    ],
)
def test_days_of_the_calendar_keep_their_place_in_the_stage(counted_from, days, fixed, auto):
    assert days_in_force(counted_from, *days, FIXED) == fixed
    assert days_in_force(counted_from, *days, AUTO) == auto


def test_the_shipped_calendar_is_that_of_the_trade():
    days = {name: (first, last) for name, first, last in calendar_days(warehouse(), AS_OF)}
    assert [days[f"silent_month_{month}"][0] for month in (3, 4)] == [90, 120]
    assert days["dormant_month_6"] == (180, 187) and days["a_class_lost_interview"] == (270, 365)
    assert days["after_purchase_day_15"] == (15, 20) and days["movement_alert"] == (None, None)


def test_the_calendar_follows_the_thresholds_in_force(tmp_path):
    con = warehouse(*(customer(f"d{day}", stage="silent", silent_days=day) for day in (30, 31, 33, 34, 90)))
    con.execute("update features.lifecycle_nodes set silent_days = 21, dormant_days = 51, lost_days = 105")
    only_entries(con, "silent_month_3")
    rows = make_plan(con, tmp_path)
    assert [row["customer_id"] for row in rows] == ["d31", "d33"]
    assert rows[0]["trigger_reason"] == "no purchase for 31 days"


def test_entries_outside_their_stage_say_so():
    con = warehouse()
    con.execute("update features.lifecycle_nodes set silent_days = 21, dormant_days = 51, lost_days = 105")
    inactive = {entry.calendar_id: entry.reason for entry in inactive_triggers(con, AS_OF)}
    # Those that come back every month too: their first day lies behind the stage.
    assert "active is day 0 to 20" in inactive["after_purchase_day_30_activity"]
    assert set(inactive) == {
        "birthday",
        "open_complaint",
        "tier_at_risk",
        "after_purchase_day_30_activity",
        "after_purchase_day_30_benefits",
    }
    con.execute("update playbook.playbook_calendar set from_day = 99, to_day = 106 where lifecycle_stage = 'silent'")
    inactive = {entry.calendar_id: entry.reason for entry in inactive_triggers(con, AS_OF)}
    assert "silent is day 21 to 50" in inactive["silent_month_3"]


def test_an_entry_that_comes_back_is_idle_only_if_no_return_meets_its_stage():
    con = warehouse()
    con.execute(
        "update playbook.playbook_calendar set lifecycle_stage = 'silent', every_days = 100"
        " where calendar_id = 'after_purchase_day_30_activity'"
    )
    assert "after_purchase_day_30_activity" not in {entry.calendar_id for entry in inactive_triggers(con, AS_OF)}
    con.execute("update playbook.playbook_calendar set every_days = 125 where lifecycle_stage = 'silent'")
    assert "after_purchase_day_30_activity" in {entry.calendar_id for entry in inactive_triggers(con, AS_OF)}
