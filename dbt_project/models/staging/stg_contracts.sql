with

contracts as (

    select * from {{ source('ingest', 'contracts') }}

),

batches as (

    {{ batch_times() }}

),

dated as (

    select
        contracts.source,
        {{ current_id('contracts') }} as customer_id,
        coalesce(contracts.contract_id, contracts.customer_id) as contract_id,
        contracts.started_on,
        contracts.ends_on,
        contracts.ended_on,
        contracts.batch_id,
        batches.loaded_at
    from contracts
    left join batches on contracts.batch_id = batches.batch_id
    {{ joined_id_changes('contracts') }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by source, contract_id, started_on
            order by {{ newest_batch_first(['customer_id', 'ended_on', 'ends_on']) }}
        ) as batch_rank
    from dated

),

final as (

    select
        cast(source as string) as source,
        cast(customer_id as string) as customer_id,
        cast(contract_id as string) as contract_id,
        cast(started_on as date) as started_on,
        cast(ends_on as date) as ends_on,
        cast(ended_on as date) as ended_on,
        cast(batch_id as string) as batch_id
    from ranked
    where batch_rank = 1

)

select * from final
