{{ config(materialized='table') }}

-- Several models read it, and each would look for repeated rows again.

with

interactions as (

    select * from {{ source('ingest', 'interactions') }}

),

batches as (

    {{ batch_times() }}

),

dated as (

    select
        interactions.*,
        {{ current_id('interactions') }} as current_customer_id,
        batches.loaded_at
    from interactions
    left join batches on interactions.batch_id = batches.batch_id
    {{ joined_id_changes('interactions') }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by source, current_customer_id, occurred_at, lower(kind)
            order by {{ newest_batch_first(['resolved_at', 'score']) }}
        ) as batch_rank
    from dated

),

final as (

    select
        cast(source as string) as source,
        cast(current_customer_id as string) as customer_id,
        cast(occurred_at as timestamp) as occurred_at,
        cast(occurred_at as date) as occurred_on,
        cast(lower(kind) as string) as kind,
        cast(score as double) as score,
        cast(resolved_at as timestamp) as resolved_at,
        cast(batch_id as string) as batch_id
    from ranked
    where batch_rank = 1

)

select * from final
