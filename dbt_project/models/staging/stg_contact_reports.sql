{{ config(materialized='table') }}

-- Several models read it, and each would look for the newest word on every contact again.

with

contacts as (

    select * from {{ source('ingest', 'contacts') }}

),

batches as (

    {{ batch_times() }}

),

dated as (

    select
        contacts.source,
        contacts.contact_id,
        {{ current_id('contacts') }} as customer_id,
        contacts.campaign_id,
        contacts.action_id,
        lower(contacts.channel) as channel,
        contacts.sent_at,
        contacts.cost,
        contacts.offer_cost,
        coalesce(lower(contacts.outcome), 'sent') as outcome,
        contacts.outcome_at,
        contacts.window_ends_on,
        contacts.batch_id,
        batches.loaded_at
    from contacts
    left join batches on contacts.batch_id = batches.batch_id
    {{ joined_id_changes('contacts') }}

),

-- A CRM may write one row an outcome: the furthest step says how the contact ended.
ranked as (

    select
        *,
        row_number() over (
            partition by contact_id
            order by
                case outcome
                    when 'complaint' then 8
                    when 'opted_out' then 7
                    when 'redeemed' then 6
                    when 'responded' then 5
                    when 'opened' then 4
                    when 'delivered' then 3
                    when 'bounced' then 2
                    when 'not_sent' then 0
                    else 1
                end asc nulls first,
                loaded_at asc nulls first,
                batch_id asc nulls first,
                outcome_at desc nulls first,
                source asc nulls first,
                customer_id asc nulls first,
                sent_at desc nulls first
        ) as age_rank,
        count(*) over (partition by contact_id) as n_rows
    from dated

),

-- The outcome and its time belong together; of everything else the newest row that knows it speaks.
final as (

    select
        {{ newest_known('source', 'string') }},
        contact_id,
        {{ newest_known('customer_id', 'string') }},
        {{ newest_known('campaign_id', 'string') }},
        {{ newest_known('action_id', 'string') }},
        {{ newest_known('channel', 'string') }},
        cast(min(sent_at) as timestamp) as sent_at,
        cast(min(sent_at) as date) as sent_on,
        {{ newest_known('cost', 'decimal(18, 4)') }},
        {{ newest_known('offer_cost', 'decimal(18, 4)') }},
        {{ newest_known('outcome', 'string') }},
        cast(max(outcome_at) filter (where age_rank = n_rows) as timestamp) as outcome_at,
        {{ newest_known('window_ends_on', 'date') }},
        {{ newest_known('batch_id', 'string') }}
    from ranked
    group by contact_id

)

select * from final
