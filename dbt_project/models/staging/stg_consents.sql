{{ config(materialized='table') }}

-- Several models read it, and each would look for the newest statement on every customer again.

with

consents as (

    select * from {{ source('ingest', 'consents') }}

),

batches as (

    {{ batch_times() }}

),

dated as (

    select
        consents.*,
        {{ current_id('consents') }} as current_customer_id,
        batches.loaded_at
    from consents
    left join batches on consents.batch_id = batches.batch_id
    {{ joined_id_changes('consents') }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by current_customer_id, lower(channel), lower(purpose), valid_from
            -- Of two statements that came at the same time the one that forbids wins: a doubt is no consent.
            order by
                loaded_at desc nulls last,
                case when lower(status) = 'granted' then 1 else 0 end asc nulls last,
                {{ newest_batch_first(
                    ['source', 'status', 'valid_to', 'lawful_basis', 'requested_on', 'confirmed_on']
                ) }}
        ) as batch_rank
    from dated

),

final as (

    select
        cast(source as string) as source,
        cast(current_customer_id as string) as customer_id,
        cast(lower(channel) as string) as channel,
        cast(lower(purpose) as string) as purpose,
        cast(lower(status) as string) as status,
        cast(lawful_basis as string) as lawful_basis,
        cast(valid_from as timestamp) as valid_from,
        cast(valid_to as timestamp) as valid_to,
        cast(requested_on as date) as requested_on,
        cast(confirmed_on as date) as confirmed_on,
        cast(batch_id as string) as batch_id
    from ranked
    where batch_rank = 1

)

select * from final
