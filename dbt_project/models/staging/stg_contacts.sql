with

contacts as (

    select * from {{ source('ingest', 'contacts') }}

),

batches as (

    {{ batch_times() }}

),

dated as (

    select
        contacts.*,
        batches.loaded_at
    from contacts
    left join batches on contacts.batch_id = batches.batch_id

),

ranked as (

    select
        *,
        row_number() over (
            partition by contact_id
            order by {{ newest_batch_first(['outcome_at', 'source', 'customer_id', 'sent_at', 'outcome']) }}
        ) as batch_rank
    from dated

),

final as (

    select
        cast(source as string) as source,
        cast(contact_id as string) as contact_id,
        cast(customer_id as string) as customer_id,
        cast(campaign_id as string) as campaign_id,
        cast(action_id as string) as action_id,
        cast(lower(channel) as string) as channel,
        cast(sent_at as timestamp) as sent_at,
        cast(sent_at as date) as sent_on,
        cast(cost as decimal(18, 4)) as cost,
        cast(offer_cost as decimal(18, 4)) as offer_cost,
        cast(lower(outcome) as string) as outcome,
        cast(outcome_at as timestamp) as outcome_at,
        cast(window_ends_on as date) as window_ends_on,
        cast(batch_id as string) as batch_id
    from ranked
    where batch_rank = 1

)

select * from final
