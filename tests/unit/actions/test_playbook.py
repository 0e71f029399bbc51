"""The playbook: the shipped one is sound, broken ones are named, silent entries explain themselves."""

import pytest
from plan_world import SEEDS, build_candidates, customer, make_plan, only_entries, warehouse

from assets.dbt.playbook import check_playbook
from assets.shared.errors import UserError
from assets.shared.params import load_params

pytestmark = pytest.mark.usefixtures("candidates_sql")


def test_the_shipped_playbook_is_sound_and_speaks_two_languages():
    con = warehouse()
    check_playbook(con, load_params())
    rows = con.execute("select label_en, label_zh, script from playbook.playbook_actions").fetchall()
    assert len(rows) == len(list((SEEDS / "playbook_actions.csv").read_text().splitlines())) - 1
    for english, chinese, script in rows:
        assert english.isascii() and any("\u4e00" <= letter <= "\u9fff" for letter in chinese) and len(script) > 40


def test_every_channel_of_the_playbook_has_a_capacity():
    channels = {row[0] for row in warehouse().execute("select channel from playbook.playbook_channels").fetchall()}
    assert channels == set(load_params().capacities()) == {"email", "sms", "phone", "mail"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("update playbook.playbook_actions set channels = 'email|pigeon' where action_id = 'stay_offer'", "pigeon"),
        ("update playbook.playbook_actions set redeem_probability = 6 where action_id = 'stay_offer'", "stay_offer"),
        ("update playbook.playbook_actions set persistence_prior = 1.1 where action_id = 'stay_offer'", "stay_offer"),
        ("update playbook.playbook_calendar set lifecycle_stage = 'asleep' where calendar_id = 'holiday'", "asleep"),
        ("update playbook.playbook_calendar set on_dates = '31-12' where calendar_id = 'holiday'", "holiday"),
        ("update playbook.playbook_calendar set on_dates = '6-18' where calendar_id = 'holiday'", "holiday"),
        ("update playbook.playbook_calendar set on_dates = '02-30' where calendar_id = 'holiday'", "holiday"),
        ("update playbook.playbook_calendar set on_dates = null where calendar_id = 'holiday'", "holiday"),
        ("update playbook.playbook_actions set purpose = 'sales' where action_id = 'stay_offer'", "stay_offer"),
        ("update playbook.playbook_calendar set counted_from = 'x' where calendar_id = 'silent_month_4'", "month_4"),
        ("update playbook.playbook_calendar set counted_from = 'lost' where calendar_id = 'holiday'", "holiday"),
        ("update playbook.playbook_calendar set to_day = 1 where calendar_id = 'silent_month_3'", "silent_month_3"),
        ("update playbook.playbook_calendar set from_day = null where calendar_id = 'birthday'", "birthday"),
        ("update playbook.playbook_calendar set every_days = 0 where calendar_id = 'movement_alert'", "movement_alert"),
        ("insert into playbook.playbook_channels values ('fax', 'Fax', '传真', 1, 1, 30)", "fax"),
        ("update playbook.playbook_channels set cap_days = 0 where channel = 'mail'", "playbook_channels mail"),
        (
            "update playbook.playbook_stages set cap_contacts = -1 where lifecycle_stage = 'lost'",
            "playbook_stages lost",
        ),
        ("delete from playbook.playbook_stages where lifecycle_stage = 'lost'", "no row for lost"),
        ("insert into playbook.playbook_quiet_days values ('02-30', '', '')", "playbook_quiet_days 02-30"),
        ("insert into playbook.playbook_quiet_days values ('Sunday', '', '')", "playbook_quiet_days Sunday"),
        ("insert into playbook.playbook_owners values ('17', -1)", "playbook_owners 17"),
        ("insert into playbook.playbook_owners values ('17', null)", "playbook_owners 17"),
        ("insert into playbook.playbook_owners values ('17', 1), ('17', 2)", "playbook_owners 17: has more"),
        (
            "insert into playbook.playbook_quiet_days select lower(dayname(date '2024-01-01' + i::int)), '', ''"
            " from range(7) as days(i)",
            "every day of the week is quiet",
        ),
        ("update playbook.playbook_actions set nightly_budget = -1 where action_id = 'stay_offer'", "stay_offer"),
    ],
)
def test_a_broken_cell_is_named_before_anything_is_planned(tmp_path, change, named):
    con = warehouse(customer())
    con.execute(change)
    with pytest.raises(UserError, match=named):
        make_plan(con, tmp_path)
    assert not (tmp_path / "plan").exists()


def calendar(con, ledgers) -> dict[str, tuple[int | None, int | None, str | None]]:
    """(from_day, to_day, inactive_reason) of each entry of the playbook."""
    build_candidates(con, ledgers)
    rows = con.execute("select calendar_id, from_day, to_day, inactive_reason from candidates.calendar_entries")
    return {calendar_id: tuple(entry) for calendar_id, *entry in rows.fetchall()}


def test_the_shipped_calendar_is_that_of_the_trade(tmp_path):
    entries = calendar(warehouse(), tmp_path)
    days = {name: (first, last) for name, (first, last, _) in entries.items()}
    assert [days[f"silent_month_{month}"][0] for month in (3, 4)] == [90, 120]
    assert days["dormant_month_6"] == (180, 187) and days["a_class_lost_interview"] == (270, 365)
    assert days["after_purchase_day_15"] == (15, 20) and days["movement_alert"] == (None, None)
    assert {name for name, (*_, reason) in entries.items() if reason} == {"birthday", "open_complaint", "tier_at_risk"}


def test_the_shipped_calendar_follows_the_active_thresholds(tmp_path):
    con = warehouse(*(customer(f"d{day}", stage="silent", silent_days=day) for day in (30, 31, 33, 34, 90)))
    con.execute("update features.lifecycle_nodes set silent_days = 21, dormant_days = 51, lost_days = 105")
    entries = calendar(con, tmp_path)
    assert {name for name, (*_, reason) in entries.items() if reason} == {"birthday", "open_complaint", "tier_at_risk"}
    assert entries["after_purchase_day_05"][:2] == (5, 7), "delivery takes as long whatever the rhythm"
    assert entries["after_purchase_day_15"][:2] == (5, 7) and entries["after_purchase_day_30_benefits"][:2] == (10, 12)
    only_entries(con, "silent_month_3")
    rows = make_plan(con, tmp_path)
    assert [row["customer_id"] for row in rows] == ["d31", "d33"]
    assert rows[0]["trigger_reason"] == "no purchase for 31 days"
