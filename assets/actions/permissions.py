"""By which channels a customer may and can be contacted for which purpose, as of a date.

In: consents, past contacts with their outcomes, what sources say of reachable channels. Out: temp table
`plan_permissions`, one row a candidate customer, channel and purpose. It decides nothing about being worth a contact.

Consent to marketing is default deny wherever any connected source brings consent data. Where none does, the parameter
`actions_assume_consent` decides; an opt-out that came back from a contact counts in both cases. Service (the answer to
a complaint) is no marketing and needs no consent: only a denial of service itself, or one of every purpose, forbids it;
an opt-out from a marketing action does not. Reachability is handled
alike: a bounce means unreachable, a contact that arrived means reachable, and the rest is what a source says, or the
parameter `actions_assume_reachable`.
"""

from datetime import date

import duckdb

from assets.actions.playbook import brings_consents, column_names
from assets.shared.params import Params

#: Words of a source that cover each purpose of an action; a consent without a purpose is not narrowed to any.
PURPOSE_WORDS = {"marketing": ("marketing", "retention", "all", "any"), "service": ("service", "all", "any")}

#: Columns of staging.stg_customers that tell whether an address of a channel is known; a source may bring none.
ADDRESS_COLUMNS = {"email": "has_email", "sms": "has_phone", "phone": "has_phone", "mail": "has_postal_code"}


def build_permissions(con: duckdb.DuckDBPyConnection, params: Params, as_of_date: date) -> None:
    """Temp table `plan_permissions` (customer_id, channel, purpose, is_consented, consent_basis, is_reachable,
    channel_basis) for the customers of temp table `plan_due`. Only what was known before `as_of_date` counts."""
    _build_addresses(con)
    con.execute(
        """
        create or replace temp table plan_permissions as
        with channels as (
            select channel from playbook.playbook_channels
        ),

        purposes as (
            select 'marketing' as purpose, $marketing_words as words
            union all
            select 'service', $service_words
        ),

        customers as (
            select distinct customer_id from plan_due
        ),

        -- A denial that names no channel denies all of them; a grant must name what it grants.
        recorded as (
            select
                consents.customer_id,
                channels.channel,
                purposes.purpose,
                consents.status = 'granted' as is_grant,
                coalesce(consents.valid_from, timestamp '1900-01-01') as known_at,
                consents.valid_to
            from staging.stg_consents as consents
            inner join channels
                on consents.channel = channels.channel
                or consents.channel in ('all', 'any')
                or (consents.channel is null and consents.status <> 'granted')
            inner join purposes on consents.purpose is null or list_contains(purposes.words, consents.purpose)
            where coalesce(consents.valid_from, timestamp '1900-01-01') < $as_of
        ),

        opted_out as (
            select
                contacts.customer_id,
                contacts.channel,
                purposes.purpose,
                false,
                coalesce(contacts.outcome_at, contacts.sent_at),
                null
            from staging.stg_contacts as contacts
            left join playbook.playbook_actions as actions on contacts.action_id = actions.action_id
            inner join purposes on purposes.purpose in ('marketing', actions.purpose)
            where contacts.outcome = 'opted_out'
                and contacts.sent_at < $as_of
                and coalesce(contacts.outcome_at, contacts.sent_at) < $as_of
        ),

        said as (
            select * from recorded
            union all
            select * from opted_out
        ),

        -- The newest word counts; of two at the same moment, the denial.
        newest_word as (
            select
                customer_id,
                channel,
                purpose,
                -- Service needs no grant, so one that has run out forbids nothing.
                max_by(
                    is_grant and (purpose = 'service' or valid_to is null or valid_to > $as_of),
                    (known_at, not is_grant)
                ) as is_granted
            from said
            where customer_id in (select customer_id from customers)
            group by customer_id, channel, purpose
        ),

        arrivals as (
            select
                customer_id,
                channel,
                max_by(outcome <> 'bounced', (coalesce(outcome_at, sent_at), outcome = 'bounced')) as has_arrived
            from staging.stg_contacts
            where outcome in ('bounced', 'delivered', 'opened', 'responded', 'redeemed')
                and sent_at < $as_of
                and coalesce(outcome_at, sent_at) < $as_of
                and customer_id in (select customer_id from customers)
            group by customer_id, channel
        )

        select
            customers.customer_id,
            channels.channel,
            purposes.purpose,
            coalesce(newest_word.is_granted, purposes.purpose = 'service' or $assume_consent) as is_consented,
            case
                when newest_word.is_granted is not null then 'recorded'
                when purposes.purpose = 'service' then 'not_needed'
                when $assume_consent then 'assumed'
                else 'none'
            end as consent_basis,
            coalesce(arrivals.has_arrived, addresses.is_known, $assume_reachable) as is_reachable,
            case
                when arrivals.has_arrived is not null or addresses.is_known is not null then 'recorded'
                when $assume_reachable then 'assumed'
                else 'none'
            end as channel_basis
        from customers
        cross join channels
        cross join purposes
        left join newest_word
            on customers.customer_id = newest_word.customer_id
            and channels.channel = newest_word.channel
            and purposes.purpose = newest_word.purpose
        left join arrivals
            on customers.customer_id = arrivals.customer_id and channels.channel = arrivals.channel
        left join plan_addresses as addresses
            on customers.customer_id = addresses.customer_id and channels.channel = addresses.channel
        """,
        {
            "as_of": as_of_date,
            **{f"{purpose}_words": list(words) for purpose, words in PURPOSE_WORDS.items()},
            "assume_consent": params.actions_assume_consent and not brings_consents(con),
            "assume_reachable": params.actions_assume_reachable,
        },
    )
    con.execute("drop table plan_addresses")


def _build_addresses(con: duckdb.DuckDBPyConnection) -> None:
    """Temp table `plan_addresses` (customer_id, channel, is_known): default deny for a channel whose address any
    source brings; no row for a channel of which no source says anything."""
    con.execute("create or replace temp table plan_addresses (customer_id varchar, channel varchar, is_known boolean)")
    present = column_names(con, "staging.stg_customers")
    for channel, column in ADDRESS_COLUMNS.items():
        if column in present and con.execute(f"select bool_or({column}) from staging.stg_customers").fetchone()[0]:
            con.execute(
                f"""
                insert into plan_addresses
                select due.customer_id, $channel, coalesce(c.{column}, false)
                from (select distinct customer_id from plan_due) as due
                left join staging.stg_customers as c on due.customer_id = c.customer_id
                """,
                {"channel": channel},
            )
