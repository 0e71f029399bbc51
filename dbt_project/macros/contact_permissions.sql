{#
  By which channels each customer of the query `customers` may and can be contacted for which purpose, with what speaks
  against it. candidates.permissions asks it for who has a due entry, candidates.reachability for everybody.
#}
{% macro contact_permissions(customers) %}
{#- What a source says of a customer's address decides whether a channel reaches. #}
{%- set addresses = {'email': 'has_email', 'sms': 'has_phone', 'phone': 'has_phone', 'mail': 'has_postal_code'} %}
with

channels as (

    select channel from {{ ref('playbook_channels') }}

),

actions as (

    select * from {{ ref('playbook_actions') }}

),

customers as (

    {{ customers }}

),

consents as (

    select * from ({{ confirmed_consents() }}) as statements
    where customer_id in (select customers.customer_id from customers)

),

contacts as (

    select
        *,
        coalesce(outcome_at, sent_at) as known_at
    from {{ ref('stg_contacts') }}
    where
        sent_on < {{ as_of() }}
        and customer_id in (select customers.customer_id from customers)

),

accounts as (

    select * from {{ ref('stg_customers') }}

),

sending as (

    {{ sending_day() }}

),

purposes as (

    {{ values_as_rows(['marketing', 'service'], 'purpose') }}

),

-- Whether any source delivers addresses of a channel; then an address that is not known is none.
known_addresses as (

    select
        coalesce(bool_or(has_email), false) as has_email,
        coalesce(bool_or(has_phone), false) as has_phone,
        coalesce(bool_or(has_postal_code), false) as has_postal_code
    from accounts

),

-- A denial that names no channel denies all of them; a grant must name what it grants. A consent without a purpose
-- holds for every purpose.
recorded as (

    select
        consents.customer_id,
        channels.channel,
        purposes.purpose,
        consents.status = 'granted' as is_grant,
        consents.known_at,
        consents.valid_to,
        consents.lawful_basis,
        consents.is_unconfirmed
    from consents
    inner join channels
        on
            consents.channel = channels.channel
            or consents.channel in ('all', 'any')
            or (consents.channel is null and consents.status <> 'granted')
    inner join purposes
        on
            consents.purpose is null
            or consents.purpose in (purposes.purpose, 'all', 'any')
            or (purposes.purpose = 'marketing' and consents.purpose = 'retention')
    -- What was asked for and is confirmed later is not confirmed yet.
    where consents.known_at < {{ as_of() }} or (consents.is_unconfirmed and consents.requested_on < {{ as_of() }})

),

-- An opt-out from an action of another purpose says nothing of service; a complaint about a contact is one.
-- The next night knows both.
opted_out as (

    select
        contacts.customer_id,
        contacts.channel,
        purposes.purpose,
        false as is_grant,
        contacts.known_at,
        cast(null as timestamp) as valid_to,
        cast(null as string) as lawful_basis,
        false as is_unconfirmed
    from contacts
    left join actions on contacts.action_id = actions.action_id
    inner join purposes on purposes.purpose in ('marketing', actions.purpose)
    where
        contacts.outcome in ('opted_out', 'complaint')
        and contacts.known_at < {{ as_of() }}

),

said as (

    select
        recorded.*,
        false as is_opt_out
    from recorded
    where not is_unconfirmed

    union all

    select
        opted_out.*,
        true as is_opt_out
    from opted_out

),

unconfirmed as (

    select distinct
        customer_id,
        channel,
        purpose
    from recorded
    where is_unconfirmed

),

-- The newest word counts; of two at the same moment, the denial.
words as (

    select
        said.customer_id,
        said.channel,
        said.purpose,
        said.known_at,
        said.valid_to,
        said.lawful_basis,
        said.is_opt_out,
        -- A grant must still hold on the day of sending. Service needs none, so one that has run out forbids nothing.
        said.is_grant
        and (said.purpose = 'service' or said.valid_to is null or said.valid_to > sending.sending_day) as is_granted,
        row_number() over (
            partition by said.customer_id, said.channel, said.purpose
            order by
                said.known_at desc nulls last,
                said.is_grant asc nulls last,
                said.valid_to asc nulls last,
                said.lawful_basis asc nulls last
        ) as age_rank
    from said
    cross join sending

),

newest_words as (

    select *
    from words
    where
        age_rank = 1
        and not {{ is_erased_person('customer_id') }}

),

outcomes as (

    select
        customer_id,
        channel,
        outcome <> 'bounced' as has_arrived,
        row_number() over (
            partition by customer_id, channel
            order by known_at desc nulls last, case when outcome = 'bounced' then 0 else 1 end asc nulls last
        ) as age_rank
    from contacts
    where
        outcome in ('bounced', 'delivered', 'opened', 'responded', 'redeemed')
        and known_at < {{ as_of() }}

),

newest_outcomes as (

    select *
    from outcomes
    where age_rank = 1

),

permitted as (

    select
        customers.customer_id,
        channels.channel,
        purposes.purpose,
        newest_words.is_granted,
        case when newest_words.is_granted then newest_words.known_at end as consented_at,
        case when newest_words.is_granted then newest_words.valid_to end as consent_valid_to,
        case when newest_words.is_granted then newest_words.lawful_basis end as lawful_basis,
        coalesce(newest_words.is_opt_out, false) as is_opted_out,
        unconfirmed.customer_id is not null as is_unconfirmed,
        newest_outcomes.has_arrived,
        {{ 'not ' ~ brings_consents() if var('actions_assume_consent') else 'false' }} as may_assume_consent,
        {{ 'true' if var('actions_assume_reachable') else 'false' }} as may_assume_reachable,
        case
            {%- for channel, column in addresses.items() %}
            when channels.channel = '{{ channel }}' and known_addresses.{{ column }}
                then coalesce(accounts.{{ column }}, false)
            {%- endfor %}
        end as is_address_known
    from customers
    cross join channels
    cross join purposes
    cross join known_addresses
    left join accounts on customers.customer_id = accounts.customer_id
    left join newest_words
        on
            customers.customer_id = newest_words.customer_id
            and channels.channel = newest_words.channel
            and purposes.purpose = newest_words.purpose
    left join unconfirmed
        on
            customers.customer_id = unconfirmed.customer_id
            and channels.channel = unconfirmed.channel
            and purposes.purpose = unconfirmed.purpose
    left join newest_outcomes
        on
            customers.customer_id = newest_outcomes.customer_id
            and channels.channel = newest_outcomes.channel

)

    select
        customer_id,
        channel,
        purpose,
        not {{ is_erased_person('customer_id') }}
        and coalesce(is_granted, purpose = 'service' or may_assume_consent) as is_consented,
        case
            when {{ is_erased_person('customer_id') }} then 'none'
            when is_granted is not null then 'recorded'
            when purpose = 'service' then 'not_needed'
            when may_assume_consent then 'assumed'
            else 'none'
        end as consent_basis,
        coalesce(has_arrived, is_address_known, may_assume_reachable) as is_reachable,
        case
            when has_arrived is not null or is_address_known is not null then 'recorded'
            when may_assume_reachable then 'assumed'
            else 'none'
        end as channel_basis,
        consented_at,
        consent_valid_to,
        lawful_basis,
        is_opted_out,
        is_unconfirmed,
        coalesce(not has_arrived, false) as is_bounced
    from permitted
{% endmacro %}
