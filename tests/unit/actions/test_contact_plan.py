"""The plan from tables to decisions, night by night: allocation, holdout, what earlier nights did, and determinism.

The rules that make a candidate have their own tests, as unit tests of the models in dbt_project/models/candidates.
"""

from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_world import (
    AS_OF,
    add_consent,
    add_contact,
    contacts,
    customer,
    make_plan,
    only_entries,
    plan_rows,
    reasons,
    warehouse,
)

from assets.actions.plots import count_decisions, draw_contact_plan
from assets.shared.params import load_params

pytestmark = pytest.mark.usefixtures("candidates_sql")

OFFER, BENEFIT = "stay_offer", "stay_benefit"


@pytest.fixture
def ann():
    con = warehouse(customer("ann"))
    only_entries(con, "value_at_risk_offer", "value_at_risk_benefit")
    return con


def test_the_better_action_is_chosen_and_its_profit_is_the_formula(ann, tmp_path):
    rows = make_plan(ann, tmp_path)
    assert contacts(rows) == {"ann": (OFFER, "email")}
    offer = next(row for row in rows if row["action_id"] == OFFER)
    assert offer["expected_incremental_profit"] == pytest.approx(0.02 * 100 - 3 * 0.06 - 0.02)
    assert (offer["plan_rank"], offer["uplift_basis"], offer["margin_at_stake"]) == (1, "playbook_prior", 100)
    assert "another action" in reasons(rows)["ann", BENEFIT]
    assert "60 %" in offer["trigger_reason"]


def test_a_coupon_is_weighed_against_what_a_kept_customer_brings(tmp_path):
    # Over thirty days of margin the large coupon costs more than it brings; over what lasts of the year it pays.
    con = warehouse(customer("ann", stage="silent", silent_days=90, margin=10.0))
    only_entries(con, "silent_month_3")
    assert contacts(make_plan(con, tmp_path)) == {}
    con.execute("insert into score.expected_value values ('ann', 60, 140)")
    (row,) = make_plan(con, tmp_path)
    assert (row["decision"], row["margin_year"], row["persistence"]) == ("contact", 200, 0.15)
    assert row["expected_incremental_profit"] == pytest.approx(0.015 * 0.15 * 200 - 5 * 0.04 - 0.02)
    assert row["profit_low"] < 0 < row["expected_incremental_profit"] < row["profit_high"]


@pytest.mark.campaign
def test_the_plan_decides_by_the_mean_the_lower_bound_or_a_draw(tmp_path):
    con = many(40)
    assert len(contacts(make_plan(con, tmp_path / "mean"))) == 40
    assert contacts(make_plan(con, tmp_path / "bound", actions_decide_by="lower_bound")) == {}
    nights = [AS_OF + timedelta(days=n) for n in range(8)]
    drawn = [make_plan(con, tmp_path / str(night), night, actions_decide_by="draw") for night in nights]
    chosen = [frozenset(action for action, _ in contacts(rows).values()) for rows in drawn]
    # One draw a night, action and stage: everybody of a stage gets the same, and not the same every night.
    assert len(set(chosen)) > 1 and all(len(actions) <= 1 for actions in chosen)
    assert make_plan(con, tmp_path / str(nights[0]), nights[0], actions_decide_by="draw") == drawn[0]


@pytest.mark.parametrize("uplift", [0.0, -0.02, 0.0001])
def test_nobody_is_contacted_at_a_loss(ann, tmp_path, uplift):
    ann.execute("update playbook.playbook_actions set uplift_prior = ?, uplift_basis = 'measured'", [uplift])
    rows = make_plan(ann, tmp_path)
    assert contacts(rows) == {}
    assert all(row["expected_incremental_profit"] <= 0 for row in rows)
    assert all("profit is not positive" in row["reason_not_contacted"] for row in rows)


# -- consent and reachability ------------------------------------------------------------------


def test_the_granted_channel_is_used_even_if_it_is_not_the_first(ann, tmp_path):
    add_consent(ann, "ann", "sms", "granted")
    rows = make_plan(ann, tmp_path)
    assert contacts(rows) == {"ann": (OFFER, "sms")}
    assert {row["action_id"]: row["consent_basis"] for row in rows} == {OFFER: "recorded", BENEFIT: "none"}


def test_an_opt_out_counts_even_where_consent_is_assumed(ann, tmp_path):
    add_contact(ann, "ann", 100, channel="email", outcome="opted_out")
    assert contacts(make_plan(ann, tmp_path)) == {"ann": (OFFER, "sms")}


def test_a_channel_that_is_used_up_for_the_customer_gives_way_to_the_next(ann, tmp_path):
    ann.execute("update playbook.playbook_channels set cap_contacts = 1, cap_days = 90 where channel = 'email'")
    ann.execute("update playbook.playbook_actions set channels = 'email|sms'")
    add_contact(ann, "ann", 80)
    assert contacts(make_plan(ann, tmp_path)) == {"ann": (OFFER, "sms")}
    ann.execute("update playbook.playbook_channels set cap_contacts = 0 where channel = 'sms'")
    assert "every channel that is open" in reasons(make_plan(ann, tmp_path))["ann", OFFER]


# -- complaints, limits, cooldown, promotion dependence ----------------------------------------


@pytest.mark.parametrize(("resolved", "is_open"), [(None, True), (date(2017, 11, 20), False), (AS_OF, True)])
def test_an_open_complaint_blocks_promotions_and_calls_for_recovery(tmp_path, resolved, is_open):
    con = warehouse(customer("ann", margin=1000.0))
    only_entries(con, "value_at_risk_offer", "open_complaint")
    con.execute(
        "insert into staging.stg_interactions values ('ann', 'complaint', ?, ?)", [date(2017, 11, 10), resolved]
    )
    rows = make_plan(con, tmp_path)
    assert contacts(rows) == {"ann": ("service_recovery", "phone") if is_open else (OFFER, "email")}
    assert ("complaint" in (reasons(rows)["ann", OFFER] or "")) == is_open


def test_own_plans_count_towards_the_limit_once_even_when_the_business_reports_them(ann, tmp_path):
    yesterday = AS_OF - timedelta(days=1)
    only_entries(ann, "value_at_risk_offer", "value_at_risk_benefit")
    planned = [row for row in make_plan(ann, tmp_path, yesterday) if row["decision"] == "contact"]
    assert set(reasons(make_plan(ann, tmp_path, actions_cap_contacts=1)).values()) == {
        "contact limit reached: 1 contacts in 30 days"
    }
    add_contact(ann, "ann", 1, action_id=OFFER, contact_id=planned[0]["candidate_id"])
    assert contacts(make_plan(ann, tmp_path, actions_cap_contacts=2)) == {"ann": (BENEFIT, "email")}
    add_contact(ann, "ann", 20)
    assert contacts(make_plan(ann, tmp_path, actions_cap_contacts=2)) == {}


def test_who_buys_on_discount_gets_an_action_without_price_first(ann, tmp_path):
    ann.execute("update segments.promotion_dependence set is_promotion_dependent = true")
    rows = make_plan(ann, tmp_path)
    assert contacts(rows) == {"ann": (BENEFIT, "email")}
    assert "without a price goes first" in reasons(rows)["ann", OFFER]
    # Once the other one is used, the price may follow.
    assert contacts(make_plan(ann, tmp_path, AS_OF + timedelta(days=1))) == {"ann": (OFFER, "email")}


def test_budget_and_capacity_are_named_as_the_reason(tmp_path):
    con = warehouse(*(customer(f"c{n}") for n in range(5)))
    only_entries(con, "value_at_risk_offer")
    rows = make_plan(con, tmp_path / "a", actions_email_capacity=2, actions_sms_capacity=1)
    assert sorted(channel for _, channel in contacts(rows).values()) == ["email", "email", "sms"]
    assert sum("capacity" in (reason or "") for reason in reasons(rows).values()) == 2
    rows = make_plan(con, tmp_path / "b", actions_daily_budget=0.45)
    assert len(contacts(rows)) == 2
    assert sum("budget" in (reason or "") for reason in reasons(rows).values()) == 3


def test_what_is_scarce_has_a_price_in_words(tmp_path):
    con = warehouse(*(customer(f"c{n}", margin=100.0 + n) for n in range(5)))
    only_entries(con, "value_at_risk_offer")
    con.execute("update playbook.playbook_actions set nightly_budget = 0.5 where action_id = 'stay_offer'")
    everybody = {"actions_value_at_risk_top_share": 1}
    rows = make_plan(con, tmp_path / "a", **everybody)
    # Each contact costs 0.02 and an expected offer of 0.18.
    assert contacts(rows).keys() == {"c3", "c4"}
    assert {reason for reason in reasons(rows).values() if reason} == {"the night's budget of this action is used up"}
    limits = con.execute(
        "select limit_kind, limit_name, available, used, price, words from actions.plan_limits"
    ).fetchall()
    by_name = {(kind, name): rest for kind, name, *rest in limits}
    assert by_name["action_budget", "stay_offer"][:2] == [0.5, pytest.approx(0.4)]
    assert by_name["action_budget", "stay_offer"][2] > 1 and by_name["budget", "all"][1:3] == [pytest.approx(0.4), 0]
    assert by_name["channel", "email"][3] == "E-mail: 2 of 500 used; more would earn nothing"
    con.execute("update playbook.playbook_actions set nightly_budget = null")
    make_plan(con, tmp_path / "b", actions_email_capacity=2, actions_sms_capacity=0, **everybody)
    words = dict(
        con.execute("select limit_name, words from actions.plan_limits where limit_kind = 'channel'").fetchall()
    )
    # The second contact earns 103 x 0.02 - 0.2, the third would earn 0.02 less.
    assert words["email"] in {
        f"E-mail: 2 of 2 used; one more a night is worth {worth}" for worth in ("1.84", "1.85", "1.86")
    }
    assert (
        con.execute("select used / available from actions.plan_limits where limit_kind = 'profit'").fetchone()[0]
        > 0.999
    )


def test_each_owner_calls_their_own_customers_and_the_pool_calls_the_rest(tmp_path):
    owners = {"a1": "17", "a2": "17", "a3": "17", "b1": None, "b2": None, "c1": "gone", "d1": "23"}
    con = warehouse(*(customer(name, margin=1000.0 + n) for n, name in enumerate(owners)))
    only_entries(con, "value_at_risk_offer")
    con.execute("update playbook.playbook_actions set channels = 'phone' where action_id = 'stay_offer'")
    con.execute("insert into playbook.playbook_owners values ('17', 2), ('23', 0)")
    for name, owner in owners.items():
        con.execute("insert into staging.stg_customers values (?, false, true, false, ?)", [name, owner])
        add_consent(con, name, "phone", "granted")
    rows = make_plan(con, tmp_path, actions_phone_capacity=2, actions_value_at_risk_top_share=1)
    # Who has a customer whose owner is not listed calls from the pool, and the best two of three are called.
    assert contacts(rows).keys() == {"a2", "a3", "b2", "c1"}
    assert {row["customer_id"]: row["owner"] for row in rows} == owners
    assert {row["reason_code"] for row in rows if row["decision"] != "contact"} == {"no_capacity"}
    limits = {
        (kind, name): rest
        for kind, name, *rest in con.execute(
            "select limit_kind, limit_name, available, used, price, words, words_zh from actions.plan_limits"
        ).fetchall()
    }
    assert limits["owner", "17"][:2] == [2, 2] and limits["channel", "phone"][:2] == [2, 2]
    # The third customer of owner 17 would have earned 1000 x 0.02 - 0.18 - 4.
    assert limits["owner", "17"][2] == pytest.approx(15.82, abs=0.03)
    assert limits["owner", "17"][3].startswith("Calls of 17: 2 of 2 used; one more a night is worth 15.8")
    assert limits["owner", "17"][4].startswith("17 的电话：已用 2 / 2；每晚增加一次联系可多赚 15.8")
    assert limits["owner", "23"][:2] == [0, 0] and limits["owner", "23"][2] > 10


@pytest.mark.campaign
def test_the_limit_is_not_burnt_on_two_nights_running(ann, tmp_path):
    contacted = [
        n
        for n in (0, 1, 6, 7, 8)
        if contacts(make_plan(ann, tmp_path, AS_OF + timedelta(days=n), actions_min_days_between_contacts=7))
    ]
    assert contacted == [0, 7]


# -- contacts that need no profit --------------------------------------------------------------


def complain(con, customer_id, days_ago=10):
    con.execute(
        "insert into staging.stg_interactions values (?, 'complaint', ?, null)",
        [customer_id, AS_OF - timedelta(days=days_ago)],
    )


def test_calls_for_their_own_sake_happen_at_an_honest_loss(tmp_path):
    con = warehouse(
        customer("rich", stage="lost", value_class="A", silent_days=300, margin=90.0),
        customer("poor", stage="lost", value_class="A", silent_days=300, margin=40.0),
        customer("angry", stage="never_purchased", silent_days=None, margin=None, probability=None),
        customer("fallen", margin=40.0),
    )
    only_entries(con, "a_class_lost_interview", "open_complaint", "movement_alert")
    complain(con, "angry")
    con.execute("insert into movements.customer_movements values ('fallen', 'orders', 'down', 'new', -50)")
    rows = make_plan(con, tmp_path / "a")
    by_customer = {row["customer_id"]: row for row in rows}
    assert contacts(rows) == {
        "angry": ("service_recovery", "phone"),
        "rich": ("lost_customer_interview", "phone"),
        "poor": ("lost_customer_interview", "phone"),
    }
    assert by_customer["rich"]["expected_incremental_profit"] == pytest.approx(0.01 * 90 - 4)
    assert by_customer["angry"]["expected_incremental_profit"] is None
    assert [by_customer[name]["plan_rank"] for name in ("rich", "poor", "angry")] == [1, 2, 3]
    # A call to keep a customer must still pay for itself.
    assert "profit is not positive" in by_customer["fallen"]["reason_not_contacted"]
    assert contacts(make_plan(con, tmp_path / "b", actions_phone_capacity=2)).keys() == {"angry", "rich"}
    assert contacts(make_plan(con, tmp_path / "c", actions_care_budget=4)).keys() == {"angry"}


def test_an_open_complaint_is_to_be_resolved_as_long_as_it_blocks(tmp_path):
    for days_ago in (1, 31, 89):
        con = warehouse(customer("ann"))
        only_entries(con, "open_complaint", "value_at_risk_offer")
        complain(con, "ann", days_ago)
        assert contacts(make_plan(con, tmp_path / str(days_ago))) == {"ann": ("service_recovery", "phone")}


def test_service_is_outside_limit_and_distance_but_counts(tmp_path):
    con = warehouse(customer("ann"))
    only_entries(con, "open_complaint", "value_at_risk_offer")
    add_contact(con, "ann", 1)
    add_contact(con, "ann", 2)
    complain(con, "ann")
    limits = {"actions_cap_contacts": 2, "actions_min_days_between_contacts": 7}
    assert contacts(make_plan(con, tmp_path, **limits)) == {"ann": ("service_recovery", "phone")}
    con.execute("delete from staging.stg_contact_reports")
    con.execute("delete from staging.stg_interactions")
    tomorrow = make_plan(con, tmp_path, AS_OF + timedelta(days=1), **limits)
    assert set(reasons(tomorrow).values()) == {"the last contact was less than 7 days ago"}


# -- the calendar ------------------------------------------------------------------------------


def test_a_done_entry_is_not_due_again_in_its_window_but_a_missed_night_is_caught_up(tmp_path):
    con = warehouse(customer("ann", stage="silent", silent_days=90), customer("bob", stage="silent", silent_days=90))
    only_entries(con, "silent_month_3")
    con.execute("update playbook.playbook_actions set cooldown_days = 0")
    rows = make_plan(con, tmp_path, actions_email_capacity=1)
    assert len(contacts(rows)) == 1
    done, missed = next(iter(contacts(rows))), ({"ann", "bob"} - set(contacts(rows))).pop()
    tomorrow = make_plan(con, tmp_path, AS_OF + timedelta(days=1))
    assert [row["customer_id"] for row in tomorrow] == [missed] and contacts(tomorrow).keys() == {missed}
    assert done not in {row["customer_id"] for row in tomorrow}


# -- holdout -----------------------------------------------------------------------------------


def many(n=200):
    con = warehouse(*(customer(f"c{i}") for i in range(n)))
    only_entries(con, "value_at_risk_offer", "value_at_risk_benefit")
    return con


def test_nobody_of_the_control_group_is_contacted_and_the_row_says_why(tmp_path):
    con = many()
    rows = make_plan(con, tmp_path, actions_global_holdout_share=0.3)
    held = {row[0] for row in con.execute("select customer_id from ledgers.holdout_ledger").fetchall()}
    assert 30 < len(held) < 90
    assert held.isdisjoint(contacts(rows)) and len(contacts(rows)) == 200 - len(held)
    for row in rows:
        if row["decision"] == "holdout":
            assert row["customer_id"] in held and row["holdout_kind"] == "global"
            assert "control group" in row["reason_not_contacted"]
    assert {row["customer_id"] for row in rows if row["decision"] == "holdout"} == held


def test_nobody_is_left_alone_with_a_complaint_for_the_sake_of_a_measurement(tmp_path):
    con = warehouse(*(customer(f"c{n}") for n in range(40)))
    only_entries(con, "open_complaint")
    for n in range(40):
        complain(con, f"c{n}")
    shares = {"actions_global_holdout_share": 0.5, "actions_action_holdout_share": 0.5}
    rows = make_plan(con, tmp_path, actions_phone_capacity=40, actions_care_budget=1000.0, **shares)
    assert len(contacts(rows)) == 40


def test_the_slice_of_an_action_is_random_by_action_and_stays(tmp_path):
    con = many()
    rows = make_plan(con, tmp_path / "a", actions_action_holdout_share=0.3)
    held = {row["customer_id"] for row in rows if row["decision"] == "holdout"}
    assert 30 < len(held) < 90 and held.isdisjoint(contacts(rows))
    again = make_plan(con, tmp_path / "b", AS_OF + timedelta(days=1), actions_action_holdout_share=0.3)
    assert held == {row["customer_id"] for row in again if row["decision"] == "holdout"}
    con.execute("delete from playbook.playbook_calendar where action_id = ?", [OFFER])
    other = make_plan(con, tmp_path / "c", actions_action_holdout_share=0.3)
    assert held != {row["customer_id"] for row in other if row["decision"] == "holdout"}


def test_a_held_out_candidate_waits_like_a_contacted_one(tmp_path):
    con = many(40)
    make_plan(con, tmp_path, actions_action_holdout_share=0.5)
    only_entries(con, "value_at_risk_offer")
    assert make_plan(con, tmp_path, AS_OF + timedelta(days=1), actions_action_holdout_share=0.5) == []


def test_both_arms_of_an_experiment_are_out_of_reach_of_other_paying_actions(tmp_path):
    con = many(200)
    share = {"actions_action_holdout_share": 0.2}
    first = [row for row in make_plan(con, tmp_path, **share) if row["decision"] != "not_contacted"]
    arms = {
        arm: {r["customer_id"] for r in first if r["experiment_arm"] == arm} for arm in ("treated", "held_out", None)
    }
    assert arms["held_out"] == {row["customer_id"] for row in first if row["decision"] == "holdout"}
    assert min(len(people) for people in arms.values()) > 20
    second = make_plan(con, tmp_path, AS_OF + timedelta(days=1), **share)
    reached = {row["customer_id"] for row in second if row["decision"] == "contact"}
    assert reached and reached <= arms[None]
    assert {
        (row["customer_id"], row["reason_not_contacted"]) for row in second if row["customer_id"] not in arms[None]
    } == {
        (one, "takes part in the measurement of another action until its outcome window is closed")
        for one in arms["treated"] | arms["held_out"]
    }
    # Once the window is closed the other action may come.
    later = make_plan(con, tmp_path, AS_OF + timedelta(days=30), **share)
    assert {row["customer_id"] for row in later if row["decision"] == "contact"} & arms["held_out"]


# -- state and determinism ---------------------------------------------------------------------


def test_the_same_date_again_gives_the_same_plan_whatever_came_later(tmp_path):
    con = many(50)
    share = {"actions_action_holdout_share": 0.2, "actions_global_holdout_share": 0.1, "actions_email_capacity": 10}
    make_plan(con, tmp_path, AS_OF - timedelta(days=1), **share)
    first = make_plan(con, tmp_path, **share)
    ledger = (tmp_path / "plan" / f"{AS_OF}.parquet").read_bytes()
    assert make_plan(con, tmp_path, **share) == first
    assert make_plan(con, tmp_path, AS_OF + timedelta(days=1), **share) != first
    assert make_plan(con, tmp_path, **share) == first
    assert (tmp_path / "plan" / f"{AS_OF}.parquet").read_bytes() == ledger
    assert not list((tmp_path / "plan").glob(".tmp*"))


def test_the_ledger_holds_contacts_and_held_out_only(tmp_path):
    con = many(50)
    rows = make_plan(con, tmp_path, actions_action_holdout_share=0.2, actions_email_capacity=10)
    file = str(tmp_path / "plan" / f"{AS_OF}.parquet")
    kept = con.execute("select customer_id, action_id, decision from read_parquet(?) order by 1, 2", [file]).fetchall()
    expected = [
        (row["customer_id"], row["action_id"], row["decision"]) for row in rows if row["decision"] != "not_contacted"
    ]
    assert kept == expected and {row[2] for row in kept} == {"contact", "holdout"}
    assert con.execute("select distinct assignment_probability from read_parquet(?)", [file]).fetchall() == [(0.2,)]


def test_a_second_attempt_that_plans_nothing_clears_the_first(tmp_path):
    con = many(5)
    assert contacts(make_plan(con, tmp_path))
    make_plan(con, tmp_path, actions_assume_consent=False)
    rows = con.execute("select count(*) from read_parquet(?)", [str(tmp_path / "plan" / f"{AS_OF}.parquet")])
    assert rows.fetchone() == (0,)


def test_later_rows_change_nothing(tmp_path):
    con = many(20)
    before = make_plan(con, tmp_path / "a")
    for days_ago, outcome in ((0, "sent"), (-3, "opted_out")):
        add_contact(con, "c1", days_ago, outcome=outcome)
    add_contact(con, "c2", 0, action_id=OFFER)
    con.execute("insert into staging.stg_interactions values ('c3', 'complaint', timestamp '2017-12-01', null)")
    assert make_plan(con, tmp_path / "b") == before


#: What varies between customers in the property test.
people = st.lists(
    st.fixed_dictionaries(
        {
            "stage": st.sampled_from(["new", "active", "silent", "dormant", "lost"]),
            "value_class": st.sampled_from(["A", "B", "C"]),
            "silent_days": st.sampled_from([5, 15, 30, 90, 180, 300]),
            "probability": st.sampled_from([None, 0.01, 0.6, 0.9]),
            "margin": st.sampled_from([None, 5.0, 50.0, 400.0]),
            "is_promotion_dependent": st.booleans(),
        }
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.campaign
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=people, data=st.data())
def test_any_plan_is_lawful_and_independent_of_row_order(tmp_path_factory, people, data):
    built = [
        customer(f"p{i}", **person, band="high" if (person["probability"] or 0) > 0.5 else "low")
        for i, person in enumerate(people)
    ]
    denied = {f"p{i}" for i in data.draw(st.sets(st.integers(0, len(built) - 1)))}
    limits = {
        "actions_email_capacity": data.draw(st.integers(0, 4)),
        "actions_sms_capacity": data.draw(st.integers(0, 2)),
        "actions_phone_capacity": data.draw(st.integers(0, 2)),
        "actions_daily_budget": data.draw(st.sampled_from([0, 0.1, 1.0, 20.0])),
        "actions_global_holdout_share": 0.2,
        "actions_action_holdout_share": 0.2,
    }
    plans = []
    for order in (built, built[::-1]):
        con = warehouse(*order)
        for person in order:
            for channel in ("email", "sms", "phone", "mail"):
                status = "denied" if person["customer_id"] in denied else "granted"
                add_consent(con, person["customer_id"], channel, status)
        plans.append(make_plan(con, tmp_path_factory.mktemp("ledgers"), **limits))
    assert plans[0] == plans[1]
    rows = plans[0]
    held = {r[0] for r in con.execute("select customer_id from ledgers.holdout_ledger").fetchall()}
    chosen = [row for row in rows if row["decision"] == "contact"]
    assert len({(row["customer_id"], row["action_id"]) for row in rows}) == len(rows)
    assert len({row["customer_id"] for row in chosen}) == len(chosen)
    assert denied.isdisjoint(row["customer_id"] for row in rows if row["decision"] != "not_contacted")
    assert held.isdisjoint(row["customer_id"] for row in chosen)
    spend = sum(
        row["contact_cost"] + row["offer_cost"] * row["redeem_probability"] for row in chosen if row["needs_profit"]
    )
    assert spend <= limits["actions_daily_budget"] + 1e-9
    for channel in ("email", "sms", "phone"):
        assert sum(row["channel"] == channel for row in chosen) <= limits[f"actions_{channel}_capacity"]
    for row in rows:
        assert row["decision"] in ("contact", "holdout", "not_contacted")
        assert (row["reason_not_contacted"] is None) == (row["decision"] == "contact")
        assert (row["plan_rank"] is not None) == (row["decision"] == "contact")
        assert (row["holdout_kind"] is not None) == (row["decision"] == "holdout")
        assert row["decision"] == "not_contacted" or not row["needs_profit"] or row["expected_incremental_profit"] > 0
    ranked = sorted(chosen, key=lambda row: row["plan_rank"])
    assert [row["plan_rank"] for row in ranked] == list(range(1, len(ranked) + 1))
    profits = [row["expected_incremental_profit"] for row in ranked if row["expected_incremental_profit"] is not None]
    assert profits == sorted(profits, reverse=True)


def test_the_picture_counts_every_candidate_in_words_without_a_placeholder():
    with duckdb.connect() as con:
        con.execute(
            "create schema actions; create table actions.contact_plan as select * from (values ('contact', null),"
            " ('contact', null), ('not_contacted', 'below ¤0.01')) as plan (decision, reason_not_contacted)"
        )
        assert count_decisions(con) == [("contact", "contact", 2), ("below 0.01", "not_contacted", 1)]


def test_the_picture_is_drawn_for_a_plan_and_for_an_empty_one(tmp_path):
    con = many(20)
    make_plan(con, tmp_path, actions_action_holdout_share=0.2)
    params = load_params()
    full = draw_contact_plan(con, params)
    con.execute("delete from features.customer_features")
    make_plan(con, tmp_path)
    assert plan_rows(con) == []
    empty = draw_contact_plan(con, params)
    assert full.startswith(b"\x89PNG") and empty.startswith(b"\x89PNG") and full != empty
