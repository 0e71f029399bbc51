"""The plan from tables to decisions: consent, limits, holdout, what earlier nights did, and determinism."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_world import (
    AS_OF,
    add_consent,
    add_contact,
    add_customer,
    contacts,
    customer,
    make_plan,
    only_entries,
    plan_rows,
    reasons,
    warehouse,
)

from assets.actions.plots import draw_contact_plan
from assets.shared.params import load_params

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


def test_uplift_never_exceeds_the_probability_of_leaving(ann, tmp_path):
    ann.execute("update score.churn_scores set churn_probability = 0.007")
    whole = make_plan(ann, tmp_path / "a", actions_max_uplift_share=1)
    assert {row["action_id"]: row["uplift"] for row in whole} == {OFFER: 0.007, BENEFIT: 0.007}
    # By default at most three tenths of it, so that the surest customers do not win by a flat prior.
    share = make_plan(ann, tmp_path / "b")
    assert {row["action_id"]: row["uplift"] for row in share} == pytest.approx({OFFER: 0.0021, BENEFIT: 0.0021})


@pytest.mark.parametrize("uplift", [0.0, -0.02, 0.0001])
def test_nobody_is_contacted_at_a_loss(ann, tmp_path, uplift):
    ann.execute("update playbook.playbook_actions set uplift_prior = ?, uplift_basis = 'measured'", [uplift])
    rows = make_plan(ann, tmp_path)
    assert contacts(rows) == {}
    assert all(row["expected_incremental_profit"] <= 0 for row in rows)
    assert all("profit is not positive" in row["reason_not_contacted"] for row in rows)


def test_an_action_of_unknown_effect_is_not_sent(ann, tmp_path):
    ann.execute("update playbook.playbook_actions set uplift_prior = null")
    rows = make_plan(ann, tmp_path)
    assert contacts(rows) == {}
    assert {row["uplift_basis"] for row in rows} == {"risk_only"}
    assert all("risk alone" in row["reason_not_contacted"] for row in rows)


def test_without_a_score_one_average_order_stands_in(tmp_path):
    con = warehouse(
        customer(
            "new",
            stage="new",
            silent_days=5,
            probability=None,
            band="not_scored",
            margin=None,
            average_order_value=80.0,
        ),
        customer("nothing", stage="new", silent_days=5, probability=None, band="not_scored", margin=None),
    )
    only_entries(con, "after_purchase_day_05")
    rows = make_plan(con, tmp_path)
    assert contacts(rows) == {"new": ("thank_and_ask", "email")}
    assert rows[0]["margin_at_stake"] == pytest.approx(20.0)
    assert "no margin" in reasons(rows)["nothing", "thank_and_ask"]


# -- consent and reachability ------------------------------------------------------------------


def test_where_any_source_brings_consent_the_rest_is_denied(ann, tmp_path):
    add_consent(ann, "somebody-else", "email", "granted")
    rows = make_plan(ann, tmp_path, actions_assume_consent=True)
    assert contacts(rows) == {}
    assert all("no consent" in row["reason_not_contacted"] and row["consent_basis"] == "none" for row in rows)


def test_a_source_with_an_empty_consent_file_denies_too(ann, tmp_path):
    ann.execute("update ingest.source_status set has_consents = true")
    assert contacts(make_plan(ann, tmp_path)) == {}


def test_the_granted_channel_is_used_even_if_it_is_not_the_first(ann, tmp_path):
    add_consent(ann, "ann", "sms", "granted")
    rows = make_plan(ann, tmp_path)
    assert contacts(rows) == {"ann": (OFFER, "sms")}
    assert {row["action_id"]: row["consent_basis"] for row in rows} == {OFFER: "recorded", BENEFIT: "none"}


@pytest.mark.parametrize(
    ("words", "may_contact"),
    [
        ([("granted", 30, None)], True),
        ([("denied", 30, None)], False),
        ([("granted", 30, None), ("withdrawn", 10, None)], False),
        ([("withdrawn", 30, None), ("granted", 10, None)], True),
        ([("granted", 10, None), ("withdrawn", 10, None)], False),
        ([("granted", 30, datetime(2017, 11, 30))], False),
        ([("granted", 30, datetime(2017, 12, 1))], False),
        ([("granted", 30, datetime(2017, 12, 2))], True),
        ([("granted", 0, None)], False),
        ([("granted", 30, None), ("withdrawn", 0, None)], True),
    ],
)
def test_the_newest_word_known_before_the_date_counts(ann, tmp_path, words, may_contact):
    for status, days_ago, valid_to in words:
        add_consent(ann, "ann", "email", status, days_ago, valid_to)
    assert bool(contacts(make_plan(ann, tmp_path))) == may_contact


@pytest.mark.parametrize(
    ("channel", "status", "purpose", "may_contact"),
    [
        ("all", "granted", "marketing", True),
        (None, "granted", "marketing", False),
        ("email", "granted", "delivery notices", False),
        ("email", "granted", None, True),
    ],
)
def test_a_grant_must_cover_channel_and_purpose(ann, tmp_path, channel, status, purpose, may_contact):
    add_consent(ann, "ann", channel, status, purpose=purpose)
    assert bool(contacts(make_plan(ann, tmp_path))) == may_contact


def test_a_denial_without_a_channel_denies_all(ann, tmp_path):
    add_consent(ann, "ann", "email", "granted", days_ago=30)
    add_consent(ann, "ann", None, "withdrawn", days_ago=10)
    assert contacts(make_plan(ann, tmp_path)) == {}


def test_consent_may_be_assumed_only_if_the_parameter_says_so(ann, tmp_path):
    assumed = make_plan(ann, tmp_path / "a", actions_assume_consent=True)
    assert contacts(assumed) and {row["consent_basis"] for row in assumed} == {"assumed"}
    denied = make_plan(ann, tmp_path / "b", actions_assume_consent=False)
    assert contacts(denied) == {} and {row["consent_basis"] for row in denied} == {"none"}


def test_an_opt_out_counts_even_where_consent_is_assumed(ann, tmp_path):
    add_contact(ann, "ann", 100, channel="email", outcome="opted_out")
    assert contacts(make_plan(ann, tmp_path)) == {"ann": (OFFER, "sms")}


def test_a_bounce_closes_a_channel_and_an_arrival_opens_it(ann, tmp_path):
    add_contact(ann, "ann", 200, channel="email", outcome="bounced")
    rows = make_plan(ann, tmp_path / "a")
    assert contacts(rows) == {"ann": (OFFER, "sms")}
    add_contact(ann, "ann", 100, channel="email", outcome="opened")
    rows = make_plan(ann, tmp_path / "b", actions_assume_reachable=False)
    assert contacts(rows) == {"ann": (OFFER, "email")}
    assert {row["channel_basis"] for row in rows} == {"recorded"}


def test_reachability_may_be_assumed_only_if_the_parameter_says_so(ann, tmp_path):
    rows = make_plan(ann, tmp_path, actions_assume_reachable=False)
    assert contacts(rows) == {}
    assert all("not reachable" in row["reason_not_contacted"] and row["channel_basis"] == "none" for row in rows)


def test_a_known_address_opens_a_channel_where_sources_bring_addresses(ann, tmp_path):
    ann.execute("insert into staging.stg_customers values ('ann', false, null, null), ('bob', true, null, null)")
    add_customer(ann, **customer("bob"))
    assert contacts(make_plan(ann, tmp_path)) == {"ann": (OFFER, "sms"), "bob": (OFFER, "email")}


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


@pytest.mark.parametrize(
    ("days_ago", "is_capped"), [((5, 29), True), ((5, 30), True), ((5, 31), False), ((0, 5), False)]
)
def test_the_limit_counts_contacts_in_the_rolling_window_before_the_date(ann, tmp_path, days_ago, is_capped):
    for days in days_ago:
        add_contact(ann, "ann", days)
    rows = make_plan(ann, tmp_path, actions_cap_contacts=2, actions_cap_window_days=30)
    assert bool(contacts(rows)) != is_capped
    if is_capped:
        assert set(reasons(rows).values()) == {"contact limit reached: 2 contacts in 30 days"}


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


@pytest.mark.parametrize(("days_ago", "cools"), [(44, True), (45, False)])
def test_an_action_rests_for_its_cooldown(tmp_path, days_ago, cools):
    con = warehouse(customer("ann"))
    only_entries(con, "value_at_risk_offer")
    add_contact(con, "ann", days_ago, action_id=OFFER)
    rows = make_plan(con, tmp_path)
    assert bool(contacts(rows)) != cools
    assert not cools or "too recently" in reasons(rows)["ann", OFFER]


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


def test_contacts_of_one_customer_keep_their_distance(tmp_path):
    for days_ago, waits in ((6, True), (7, False)):
        con = warehouse(customer("ann"))
        only_entries(con, "value_at_risk_offer")
        add_contact(con, "ann", days_ago, channel="sms")
        rows = make_plan(con, tmp_path / str(days_ago), actions_min_days_between_contacts=7)
        assert bool(contacts(rows)) != waits
        assert not waits or set(reasons(rows).values()) == {"the last contact was less than 7 days ago"}


def test_the_limit_is_not_burnt_on_two_nights_running(ann, tmp_path):
    nights = [
        bool(contacts(make_plan(ann, tmp_path, AS_OF + timedelta(days=n), actions_min_days_between_contacts=7)))
        for n in range(9)
    ]
    assert [n for n, contacted in enumerate(nights) if contacted] == [0, 7]


def test_whom_the_business_held_out_was_not_contacted(ann, tmp_path):
    for days in (1, 2, 3):
        add_contact(ann, "ann", days, outcome="held_out")
    rows = make_plan(ann, tmp_path / "a", actions_cap_contacts=2, actions_min_days_between_contacts=7)
    assert contacts(rows) == {"ann": (OFFER, "email")}
    # The action itself rests as it does for those contacted, so that both arms wait alike.
    add_contact(ann, "ann", 40, action_id=OFFER, outcome="held_out")
    assert "too recently" in reasons(make_plan(ann, tmp_path / "b"))["ann", OFFER]


@pytest.mark.parametrize(("least", "is_sent"), [(0, True), (0.01, True), (1.79, True), (1.81, False)])
def test_a_contact_must_bring_the_least_profit(tmp_path, least, is_sent):
    con = warehouse(customer("ann"))
    only_entries(con, "value_at_risk_offer")
    rows = make_plan(con, tmp_path, actions_min_expected_profit=least)
    assert bool(contacts(rows)) == is_sent
    assert is_sent or "below 1.81" in reasons(rows)["ann", OFFER]


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
    con.execute("insert into segments.customer_movements values ('fallen', 'net_sales', 'down', -50)")
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
    assert contacts(make_plan(con, tmp_path / "c", actions_daily_budget=4)).keys() == {"angry"}


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
    con.execute("delete from staging.stg_contacts")
    con.execute("delete from staging.stg_interactions")
    tomorrow = make_plan(con, tmp_path, AS_OF + timedelta(days=1), **limits)
    assert set(reasons(tomorrow).values()) == {"the last contact was less than 7 days ago"}


@pytest.mark.parametrize(
    ("words", "basis"),
    [
        ([], "not_needed"),
        ([("phone", "denied", "marketing")], "not_needed"),
        ([("phone", "granted", "service")], "recorded"),
        ([("phone", "denied", "service")], None),
        ([(None, "withdrawn", None)], None),
        ([("all", "denied", "all")], None),
        ([("email", "denied", "service")], "not_needed"),
    ],
)
def test_service_needs_no_consent_but_obeys_a_denial_of_service(tmp_path, words, basis):
    con = warehouse(customer("ann"))
    only_entries(con, "open_complaint")
    con.execute("update ingest.source_status set has_consents = true")
    complain(con, "ann")
    for channel, status, purpose in words:
        add_consent(con, "ann", channel, status, purpose=purpose)
    (row,) = make_plan(con, tmp_path, actions_assume_consent=False)
    assert (row["decision"] == "contact") == (basis is not None)
    assert row["consent_basis"] == (basis or "recorded")


@pytest.mark.parametrize(("action_id", "may_call"), [("stay_call", True), ("service_recovery", False)])
def test_an_opt_out_from_marketing_is_none_from_service(tmp_path, action_id, may_call):
    con = warehouse(customer("ann"))
    only_entries(con, "open_complaint")
    complain(con, "ann")
    add_contact(con, "ann", 50, action_id=action_id, channel="phone", outcome="opted_out")
    assert bool(contacts(make_plan(con, tmp_path))) == may_call


# -- the calendar ------------------------------------------------------------------------------


def test_the_most_worth_keeping_are_proposed_whatever_their_band(tmp_path):
    con = warehouse(
        *(customer(f"c{n:02}", probability=0.6, margin=1.0 + n, band="critical") for n in range(38)),
        customer("whale", probability=0.1, margin=1000.0, band="low"),
        customer("twin", probability=0.1, margin=1000.0, band="low"),
        customer("unscored", probability=None, margin=None, band="not_scored"),
    )
    only_entries(con, "value_at_risk_benefit")

    def proposed(share):
        rows = make_plan(con, tmp_path / str(share), actions_value_at_risk_top_share=share)
        return {row["customer_id"]: row["trigger_reason"] for row in rows}

    # Ties are proposed together: one fortieth is one customer.
    assert proposed(0.025).keys() == proposed(0.05).keys() == {"whale", "twin"}
    assert proposed(0.075).keys() == {"whale", "twin", "c37"}
    assert proposed(0) == {} and len(proposed(1)) == 40
    assert proposed(0.05)["twin"] == ("churn probability 10 % (low), 90.00 of margin at risk: number 1 of 40 customers")


@pytest.mark.parametrize(
    ("first_days", "joined_days", "is_due"),
    [(366, None, True), (340, None, False), (490, 366, True), (366, 500, False), (200, 366, True)],
)
def test_an_anniversary_counts_from_the_customer_not_from_the_data(tmp_path, first_days, joined_days, is_due):
    con = warehouse(customer("ann", first_days=first_days))
    only_entries(con, "anniversary")
    if joined_days is not None:
        con.execute("update features.customer_features set joined_on = ?", [AS_OF - timedelta(days=joined_days)])
    rows = make_plan(con, tmp_path)
    assert [row["trigger_reason"] for row in rows] == (["customer for 366 days"] if is_due else [])


@pytest.mark.parametrize(("days_after_the_first_day", "is_due"), [(59, False), (60, True)])
def test_a_first_order_at_the_start_of_the_data_is_no_anniversary(tmp_path, days_after_the_first_day, is_due):
    con = warehouse(customer("ann", first_days=365))
    only_entries(con, "anniversary")
    start = AS_OF - timedelta(days=365 + days_after_the_first_day)
    con.execute("update features.customer_day set day = ?", [start])
    assert bool(make_plan(con, tmp_path)) == is_due


@pytest.mark.parametrize(("silent_days", "is_due"), [(89, False), (90, True), (96, True), (97, False)])
def test_an_entry_is_due_in_its_window(tmp_path, silent_days, is_due):
    con = warehouse(customer("ann", stage="silent", silent_days=silent_days))
    only_entries(con, "silent_month_3")
    assert bool(make_plan(con, tmp_path)) == is_due


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


def test_a_repeating_entry_comes_back(tmp_path):
    due = {}
    for silent_days in (29, 30, 36, 37, 59):
        con = warehouse(customer("ann", silent_days=silent_days))
        only_entries(con, "after_purchase_day_30_benefits")
        con.execute("update playbook.playbook_calendar set every_days = 15")
        due[silent_days] = bool(make_plan(con, tmp_path / str(silent_days)))
    assert due == {29: False, 30: True, 36: True, 37: False, 59: False}
    con = warehouse(customer("ann", silent_days=46))
    only_entries(con, "after_purchase_day_30_benefits")
    con.execute("update playbook.playbook_calendar set every_days = 15")
    con.execute("update playbook.playbook_actions set cooldown_days = 0")
    add_contact(con, "ann", 2, action_id="membership_benefits")  # day 44: the window before
    assert make_plan(con, tmp_path / "next window")
    add_contact(con, "ann", 1, action_id="membership_benefits")  # day 45: this one
    assert not make_plan(con, tmp_path / "same window")


def test_stage_and_class_select_customers(tmp_path):
    con = warehouse(
        customer("a", stage="lost", value_class="A", silent_days=300, margin=1000),
        customer("b", stage="lost", value_class="B", silent_days=300, margin=1000),
        customer("c", stage="dormant", value_class="A", silent_days=300, margin=1000),
    )
    only_entries(con, "a_class_lost_interview")
    assert [row["customer_id"] for row in make_plan(con, tmp_path)] == ["a"]


def test_a_fall_is_answered_and_a_rise_is_not(tmp_path):
    con = warehouse(customer("down", margin=1000), customer("up", margin=1000))
    only_entries(con, "movement_alert")
    con.execute(
        "insert into segments.customer_movements values "
        "('down', 'net_sales', 'down', -50), ('down', 'n_orders', 'down', -40), ('up', 'net_sales', 'up', 90)"
    )
    rows = make_plan(con, tmp_path)
    assert [row["customer_id"] for row in rows] == ["down"]
    assert "n orders and net sales" in rows[0]["trigger_reason"] and "50.00" in rows[0]["trigger_reason"]


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
    rows = make_plan(con, tmp_path, actions_phone_capacity=40, actions_daily_budget=1000.0, **shares)
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
    kept = con.execute(
        "select customer_id, action_id, decision from read_parquet(?) order by 1, 2",
        [str(tmp_path / "plan" / f"{AS_OF}.parquet")],
    ).fetchall()
    expected = [
        (row["customer_id"], row["action_id"], row["decision"]) for row in rows if row["decision"] != "not_contacted"
    ]
    assert kept == expected and {row[2] for row in kept} == {"contact", "holdout"}


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
    spend = sum(row["contact_cost"] + row["offer_cost"] * row["redeem_probability"] for row in chosen)
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
