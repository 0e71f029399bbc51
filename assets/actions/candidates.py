"""Who could be contacted tonight, with what, by which channels, and what it is expected to bring.

In: scores, segments, past contacts, service events, the plan ledger (temp table `past_plans`) and the playbook, all as
of a date. Out: temp tables `plan_candidates` (one row a customer and action) and `plan_options` (one row a candidate
and channel of its action). Everything here is set-based and runs in the engine; choosing among candidates is `plan`'s.

Expected incremental profit of a contact = uplift x margin_at_stake - offer_cost x redeem_probability - contact_cost.
`uplift` is how much likelier the contact makes a purchase within the horizon. It is at most a share
(`actions_max_uplift_share`) of the customer's own probability of leaving: a flat prior would otherwise promise to undo
nearly all the risk of the surest customers, whose margin is the largest. `margin_at_stake` is the expected margin
given a purchase; where the score has none (too short a history, lost), the margin of one average order of the
customer's own stands in, which is on the low side.
"""

from datetime import date

import duckdb

from assets.actions.holdout import action_hash_sql
from assets.actions.permissions import build_permissions
from assets.actions.playbook import (
    STAGES,
    VALUE_CLASSES,
    brings_consents,
    calendar_days,
    column_names,
    due_dates,
    relation_exists,
)
from assets.shared.params import Params

#: A complaint without a resolution date blocks promotions this long: many systems never record the resolution.
OPEN_COMPLAINT_DAYS = 90

#: Days after a planned contact within which the business's own record of it may arrive: one touch, counted once.
CONTACT_MATCH_DAYS = 7

#: A first order this soon after the first day of data says when the data begins, not when the customer came.
START_OF_DATA_DAYS = 60

#: Tables of the steps in between.
TEMP_TABLES = (
    "plan_touches",
    "plan_complaints",
    "plan_customers",
    "plan_calendar",
    "plan_dates",
    "plan_days",
    "plan_due",
    "plan_permissions",
)


def build_candidates(con: duckdb.DuckDBPyConnection, params: Params, as_of_date: date) -> int:
    """Temp tables `plan_candidates` and `plan_options` as of `as_of_date`. Returns the number of candidates.

    `plan_candidates.reason` is null where nothing but budget, capacity, holdout and the customer's other candidates
    stands against a contact, else the reason in words.
    """
    values = {"as_of": as_of_date}
    _build_touches(con, values)
    _build_complaints(con, values)
    _build_customers(con, params, as_of_date)
    _build_calendar(con, as_of_date)
    _build_due(con, values | {"top_share": params.actions_value_at_risk_top_share})
    build_permissions(con, params, as_of_date)
    _build_candidates(con, params, as_of_date)
    for table in TEMP_TABLES:
        con.execute(f"drop table if exists {table}")
    return con.execute("select count(*) from plan_candidates").fetchone()[0]


def _build_touches(con: duckdb.DuckDBPyConnection, values: dict) -> None:
    """Every touch before the date: planned by us (held out ones too, so that both arms wait alike), or reported.

    `is_counted` marks those that reached for the customer: a contact, but nobody who was held out, by us or by the
    business.
    """
    con.execute(
        f"""
        create or replace temp table plan_touches as
        with reported as (
            select
                contact_id,
                customer_id,
                action_id,
                cast(sent_at as date) as touched_on,
                outcome is distinct from 'held_out' as is_counted
            from staging.stg_contacts
            where sent_at < $as_of
        ),

        planned as (
            select candidate_id, customer_id, action_id, calendar_id, as_of_date as touched_on, decision
            from past_plans
        ),

        reported_plans as (
            select distinct planned.candidate_id
            from planned
            inner join reported
                on planned.customer_id = reported.customer_id
                and (
                    planned.candidate_id = reported.contact_id
                    or (
                        planned.action_id = reported.action_id
                        and reported.touched_on between planned.touched_on and planned.touched_on + {CONTACT_MATCH_DAYS}
                    )
                )
        )

        select customer_id, action_id, cast(null as varchar) as calendar_id, touched_on, is_counted
        from reported
        union all
        select
            customer_id,
            action_id,
            calendar_id,
            touched_on,
            decision = 'contact' and candidate_id not in (select candidate_id from reported_plans)
        from planned
        """,
        values,
    )


def _build_complaints(con: duckdb.DuckDBPyConnection, values: dict) -> None:
    con.execute(
        f"""
        create or replace temp table plan_complaints as
        select customer_id, max(cast(occurred_at as date)) as complained_on
        from staging.stg_interactions
        where kind = 'complaint'
            and occurred_at < $as_of
            and cast(occurred_at as date) >= $as_of - {OPEN_COMPLAINT_DAYS}
            and (resolved_at is null or resolved_at >= $as_of)
        group by customer_id
        """,
        values,
    )


def _build_customers(con: duckdb.DuckDBPyConnection, params: Params, as_of_date: date) -> None:
    """What the plan knows of each customer.

    `customer_since` is the day of joining where a source brings it, else of the first order, and null where that order
    lies within the first days of the data (START_OF_DATA_DAYS): such a customer may have come long before.
    """
    has_birthdays = "birth_date" in column_names(con, "staging.stg_customers")
    con.execute(
        f"""
        create or replace temp table plan_customers as
        select
            features.customer_id,
            coalesce(
                cast(features.joined_on as date),
                case
                    when cast(features.first_order_on as date) >= data_start.first_day + $start_days
                        then cast(features.first_order_on as date)
                end
            ) as customer_since,
            cast(features.last_order_on as date) as last_order_on,
            coalesce(lifecycle.lifecycle_stage, 'never_purchased') as lifecycle_stage,
            coalesce(value.value_class, 'C') as value_class,
            coalesce(promotion.is_promotion_dependent, false) as is_promotion_dependent,
            scores.churn_probability,
            scores.churn_band,
            scores.value_at_risk,
            coalesce(scores.margin_if_retained, features.average_order_value * $margin_share) as margin_at_stake,
            {"customers.birth_date" if has_birthdays else "cast(null as date)"} as birth_date
        from features.customer_features as features
        cross join (select min(day) as first_day from features.customer_day where day < $as_of) as data_start
        left join segments.customer_lifecycle as lifecycle on features.customer_id = lifecycle.customer_id
        left join segments.customer_value as value on features.customer_id = value.customer_id
        left join segments.promotion_dependence as promotion on features.customer_id = promotion.customer_id
        left join score.churn_scores as scores on features.customer_id = scores.customer_id
        {
            "left join staging.stg_customers as customers on features.customer_id = customers.customer_id"
            if has_birthdays
            else ""
        }
        """,
        {"margin_share": params.value_margin_share, "start_days": START_OF_DATA_DAYS, "as_of": as_of_date},
    )


def _build_calendar(con: duckdb.DuckDBPyConnection, as_of_date: date) -> None:
    """Entries spelt out by stage and class, so that they meet customers by equality, with their days by the stage
    active thresholds, and the dates due tonight."""
    con.execute("create or replace temp table plan_days (calendar_id varchar, from_day integer, to_day integer)")
    for row in calendar_days(con, as_of_date):
        con.execute("insert into plan_days values (?, ?, ?)", list(row))
    con.execute(
        """
        create or replace temp table plan_calendar as
        with entries as (
            select
                calendar.* exclude (lifecycle_stage, value_class, from_day, to_day),
                days.from_day,
                days.to_day,
                unnest(case when lifecycle_stage = 'any' then $stages
                    else list_transform(string_split(lifecycle_stage, '|'), lambda word: trim(word)) end
                ) as lifecycle_stage,
                value_class
            from playbook.playbook_calendar as calendar
            inner join plan_days as days on calendar.calendar_id = days.calendar_id
        )

        select
            * exclude (value_class),
            unnest(case when value_class = 'any' then $classes
                else list_transform(string_split(value_class, '|'), lambda word: trim(word)) end
            ) as value_class
        from entries
        """,
        {"stages": list(STAGES), "classes": list(VALUE_CLASSES)},
    )
    entries = con.execute(
        "select calendar_id, from_day, to_day, on_dates from playbook.playbook_calendar where trigger = 'on_dates'"
    ).fetchall()
    con.execute("create or replace temp table plan_dates (calendar_id varchar, window_from date, on_date date)")
    for row in sorted(due_dates(entries, as_of_date)):
        con.execute("insert into plan_dates values (?, ?, ?)", list(row))


#: Triggers that count days from a date of the customer: the date, and the words of the reason.
_COUNTED = {
    "days_since_last_order": (
        "customers.last_order_on",
        "",
        "format('no purchase for {} days', n_days)",
    ),
    "days_since_first_order": (
        "customers.customer_since",
        "",
        "format('customer for {} days', n_days)",
    ),
    "open_complaint": (
        "complaints.complained_on",
        "inner join plan_complaints as complaints on customers.customer_id = complaints.customer_id",
        "format('complaint open for {} days', n_days)",
    ),
}


def _build_due(con: duckdb.DuckDBPyConnection, values: dict) -> None:
    """Temp table `plan_due`: entries due for customers, without those already done in their present window.

    A window of days opens on from_day and stays open to to_day, so that a missed night is caught up; the touch of
    another night in the same window closes it for the customer.
    """
    con.execute(
        """
        create or replace temp table plan_due (
            customer_id varchar, calendar_id varchar, action_id varchar, window_from date, trigger_reason varchar
        )
        """
    )
    for trigger, (anchor, join, words) in _COUNTED.items():
        _insert_due(
            con,
            f"""
            with counted as (
                select
                    customers.customer_id,
                    calendar.calendar_id,
                    calendar.action_id,
                    calendar.from_day,
                    coalesce(calendar.to_day, calendar.from_day) - calendar.from_day as days_open,
                    calendar.every_days,
                    $as_of - {anchor} as n_days
                from plan_customers as customers
                {join}
                inner join plan_calendar as calendar
                    on customers.lifecycle_stage = calendar.lifecycle_stage
                    and customers.value_class = calendar.value_class
                    and calendar.trigger = $trigger
                    and $as_of - {anchor} >= calendar.from_day
            ),

            opened as (
                select
                    *,
                    case
                        when every_days is null then n_days - from_day else (n_days - from_day) % every_days
                    end as days_since_opened
                from counted
            )

            select
                customer_id,
                calendar_id,
                action_id,
                $as_of - cast(days_since_opened as integer) as window_from,
                {words} as trigger_reason
            from opened
            where days_since_opened <= days_open
            """,
            values | {"trigger": trigger},
        )
    _insert_due(
        con,
        """
        select
            customers.customer_id,
            calendar.calendar_id,
            calendar.action_id,
            dates.window_from,
            format('date in the calendar: {}', strftime(dates.on_date, '%Y-%m-%d')) as trigger_reason
        from plan_dates as dates
        inner join plan_calendar as calendar on dates.calendar_id = calendar.calendar_id
        inner join plan_customers as customers
            on calendar.lifecycle_stage = customers.lifecycle_stage and calendar.value_class = customers.value_class
        """,
        values,
    )
    _insert_due(
        con,
        """
        with years as (
            select unnest([-1, 0, 1]) as step
        ),

        birthdays as (
            select
                customers.customer_id,
                customers.lifecycle_stage,
                customers.value_class,
                cast(
                    customers.birth_date
                    + to_years(cast(year($as_of) - year(customers.birth_date) + years.step as integer)) as date
                ) as on_date
            from plan_customers as customers cross join years
            where customers.birth_date is not null
        )

        select
            birthdays.customer_id,
            calendar.calendar_id,
            calendar.action_id,
            birthdays.on_date + calendar.from_day as window_from,
            'birthday' as trigger_reason
        from birthdays
        inner join plan_calendar as calendar
            on birthdays.lifecycle_stage = calendar.lifecycle_stage
            and birthdays.value_class = calendar.value_class
            and calendar.trigger = 'birthday'
            and $as_of >= birthdays.on_date + calendar.from_day
            and $as_of <= birthdays.on_date + coalesce(calendar.to_day, calendar.from_day)
        """,
        values,
    )
    _insert_due(con, _state_sql("value_at_risk", _TOP_AT_RISK), values)
    if relation_exists(con, "segments.customer_movements"):
        _insert_due(con, _state_sql("movement_alert", _FALLS), values)


#: The top share of scored customers by value at risk, all who tie with the last of them included.
_TOP_AT_RISK = """
    select
        customer_id,
        format(
            'churn probability {:.0f} % ({}), {:.2f} of margin at risk: number {} of {} customers',
            100 * churn_probability, churn_band, value_at_risk, place, n_scored
        ) as words
    from (
        select
            customer_id,
            churn_probability,
            churn_band,
            value_at_risk,
            rank() over (order by value_at_risk desc) as place,
            count(*) over () as n_scored
        from plan_customers
        where value_at_risk is not null
    )
    -- Less a hair, because 0.07 x 100 is a little more than 7 in binary.
    where value_at_risk > 0 and place <= ceil($top_share * n_scored - 1e-9)
"""

_FALLS = """
    select
        customer_id,
        format(
            'sudden drop of {} against the customer''s own past, {:.2f} of sales moved',
            string_agg(replace(metric, '_', ' '), ' and ' order by metric), coalesce(max(abs(money_moved)), 0)
        ) as words
    from segments.customer_movements
    where direction = 'down'
    group by customer_id
"""


def _state_sql(trigger: str, found_sql: str) -> str:
    """Entries of a trigger that a state sets off, for the customers (customer_id, words) that `found_sql` finds.

    A state has no first day: what was done within the pause counts as done; without a pause, ever.
    """
    return f"""
        select
            customers.customer_id,
            calendar.calendar_id,
            calendar.action_id,
            case
                when calendar.every_days is null then date '1900-01-01' else $as_of - calendar.every_days + 1
            end as window_from,
            found.words as trigger_reason
        from ({found_sql}) as found
        inner join plan_customers as customers on found.customer_id = customers.customer_id
        inner join plan_calendar as calendar
            on customers.lifecycle_stage = calendar.lifecycle_stage
            and customers.value_class = calendar.value_class
            and calendar.trigger = '{trigger}'
    """


def _insert_due(con: duckdb.DuckDBPyConnection, due_sql: str, values: dict) -> None:
    """Insert the entries that `due_sql` finds (customer_id, calendar_id, action_id, window_from, trigger_reason)
    and that no touch since window_from has done."""
    used = {name: value for name, value in values.items() if f"${name}" in due_sql}
    con.execute(
        f"""
        insert into plan_due
        select due.*
        from ({due_sql}) as due
        where not exists (
            select 1 from plan_touches as touches
            where touches.customer_id = due.customer_id
                and touches.calendar_id = due.calendar_id
                and touches.touched_on >= due.window_from
        )
        -- The business's own contacts know the action, not our calendar.
        and not exists (
            select 1 from plan_touches as touches
            where touches.customer_id = due.customer_id
                and touches.action_id = due.action_id
                and touches.calendar_id is null
                and touches.touched_on >= due.window_from
        )
        """,
        used,
    )


def _build_candidates(con: duckdb.DuckDBPyConnection, params: Params, as_of_date: date) -> None:
    # Two entries may call for one action of one customer: one candidate, under the entry that opened last.
    con.execute(
        f"""
        create or replace temp table plan_facts as
        with due as (
            select
                *,
                row_number() over (partition by customer_id, action_id order by window_from desc, calendar_id) as nth
            from plan_due
        ),

        recent as (
            select
                customer_id,
                count(*) filter (where touched_on >= $as_of - $cap_days) as n_contacts,
                max(touched_on) as last_contact_on
            from plan_touches
            where is_counted
            group by customer_id
        ),

        last_use as (
            select customer_id, action_id, max(touched_on) as used_on
            from plan_touches
            group by customer_id, action_id
        ),

        held as (
            select distinct customer_id from actions.holdout_ledger where valid_to is null and salt = $salt
        )

        select
            row_number() over (order by md5(due.customer_id), due.customer_id, due.action_id) - 1 as candidate_number,
            dense_rank() over (order by md5(due.customer_id), due.customer_id) - 1 as customer_number,
            substr(md5(concat_ws('|', $as_of, due.customer_id, due.action_id)), 1, 16) as candidate_id,
            due.customer_id,
            due.action_id,
            due.calendar_id,
            due.trigger_reason,
            customers.lifecycle_stage,
            customers.value_class,
            customers.is_promotion_dependent,
            customers.churn_probability,
            customers.value_at_risk,
            customers.margin_at_stake,
            case when actions.uplift_prior is not null
                then least(actions.uplift_prior, $max_uplift_share * customers.churn_probability)
            end as uplift,
            case when actions.uplift_prior is null then 'risk_only' else actions.uplift_basis end as uplift_basis,
            cast(actions.offer_cost as double) as offer_cost,
            actions.redeem_probability,
            actions.channels,
            actions.is_price_based,
            actions.purpose,
            actions.needs_profit,
            actions.is_blocked_by_complaint and complaints.customer_id is not null as is_blocked,
            actions.purpose <> 'service' and coalesce(recent.n_contacts, 0) >= $cap as is_capped,
            actions.purpose <> 'service'
                and coalesce(recent.last_contact_on > $as_of - $spacing_days, false) as is_too_soon,
            coalesce(last_use.used_on > $as_of - actions.cooldown_days, false) as is_cooling,
            -- Nobody is left alone with a complaint for the sake of a measurement.
            case
                when actions.purpose = 'service' then null
                when held.customer_id is not null then 'global'
                when {action_hash_sql("due.customer_id", "due.action_id")} < $slice then 'action'
            end as holdout_kind
        from due
        inner join plan_customers as customers on due.customer_id = customers.customer_id
        inner join playbook.playbook_actions as actions on due.action_id = actions.action_id
        left join plan_complaints as complaints on due.customer_id = complaints.customer_id
        left join recent on due.customer_id = recent.customer_id
        left join last_use on due.customer_id = last_use.customer_id and due.action_id = last_use.action_id
        left join held on due.customer_id = held.customer_id
        where due.nth = 1
        """,
        {
            "as_of": as_of_date,
            "salt": params.actions_holdout_salt,
            "slice": params.actions_action_holdout_share,
            "cap": params.actions_cap_contacts,
            "cap_days": params.actions_cap_window_days,
            "spacing_days": params.actions_min_days_between_contacts,
            "max_uplift_share": params.actions_max_uplift_share,
        },
    )
    con.execute(
        """
        create or replace temp table plan_options as
        with steps as (
            select
                candidate_number,
                customer_id,
                purpose,
                uplift * margin_at_stake - offer_cost * redeem_probability as profit_before_contact,
                offer_cost * redeem_probability as expected_offer_cost,
                unnest(string_split(channels, '|')) as channel,
                generate_subscripts(string_split(channels, '|'), 1) as step
            from plan_facts
        )

        select
            steps.candidate_number,
            steps.step,
            channels.channel,
            cast(channels.contact_cost as double) as contact_cost,
            steps.profit_before_contact - cast(channels.contact_cost as double) as profit,
            coalesce(
                steps.profit_before_contact - cast(channels.contact_cost as double) > 0
                and steps.profit_before_contact - cast(channels.contact_cost as double) >= $least_profit,
                false
            ) as is_worth_it,
            steps.expected_offer_cost + cast(channels.contact_cost as double) as spend,
            permissions.is_consented,
            permissions.consent_basis,
            permissions.is_reachable,
            permissions.channel_basis
        from steps
        inner join playbook.playbook_channels as channels on trim(steps.channel) = channels.channel
        inner join plan_permissions as permissions
            on steps.customer_id = permissions.customer_id
            and channels.channel = permissions.channel
            and steps.purpose = permissions.purpose
        """,
        {"least_profit": params.actions_min_expected_profit},
    )
    con.execute(
        """
        create or replace temp table plan_candidates as
        with permitted as (
            select
                candidate_number,
                bool_or(is_consented) as has_consent,
                bool_or(consent_basis = 'recorded') as is_consent_recorded,
                bool_or(is_consented and is_reachable) as is_open,
                bool_or(is_consented and is_reachable and profit > 0) as is_profitable,
                bool_or(is_consented and is_reachable and is_worth_it) as is_worth_it
            from plan_options
            group by candidate_number
        ),

        judged as (
            select
                facts.*,
                case
                    when not permitted.has_consent and ($denies_by_default or permitted.is_consent_recorded)
                        then 'no consent for any channel of this action'
                    when not permitted.has_consent
                        then 'no source brings consent, and the parameters do not allow to assume it'
                    when not permitted.is_open
                        then 'not reachable by any channel of this action that the customer allows'
                    when facts.is_blocked then 'an open complaint blocks this action until it is resolved'
                    when facts.is_capped
                        then format('contact limit reached: {} contacts in {} days', $cap, $cap_days)
                    when facts.is_too_soon
                        then format('the last contact was less than {} days ago', $spacing_days)
                    when facts.is_cooling then 'the same action was used too recently for this customer'
                    when not facts.needs_profit then null
                    when facts.uplift is null
                        then 'no effect of this action is known or assumed: risk alone is no ground to spend money'
                    when facts.margin_at_stake is null
                        then 'no margin of this customer is known: nothing to weigh the cost against'
                    when not permitted.is_profitable
                        then 'expected profit is not positive: it would cost more than it is expected to bring'
                    when not permitted.is_worth_it
                        then format('expected profit is below {:.2f}, the least that is worth a contact', $least_profit)
                end as own_reason
            from plan_facts as facts
            inner join permitted on facts.candidate_number = permitted.candidate_number
        )

        select
            * exclude (own_reason),
            case
                when own_reason is not null then own_reason
                when is_price_based and is_promotion_dependent
                    and bool_or(own_reason is null and not is_price_based) over (partition by customer_number)
                    then 'buys mostly on discount: an action without a price goes first'
            end as reason
        from judged
        """,
        {
            "cap": params.actions_cap_contacts,
            "cap_days": params.actions_cap_window_days,
            "spacing_days": params.actions_min_days_between_contacts,
            "least_profit": params.actions_min_expected_profit,
            "denies_by_default": brings_consents(con),
        },
    )
    con.execute("drop table plan_facts")
