with

balances as (

    select * from {{ source('ingest', 'balances') }}

),

batches as (

    {{ batch_times() }}

),

dated as (

    select
        balances.*,
        {{ current_id('balances') }} as current_customer_id,
        batches.loaded_at
    from balances
    left join batches on balances.batch_id = batches.batch_id
    {{ joined_id_changes('balances') }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by source, current_customer_id, account_id, day
            order by {{ newest_batch_first(['posting_number', 'balance', 'currency']) }}
        ) as batch_rank
    from dated

),

final as (

    select
        cast(source as string) as source,
        cast(current_customer_id as string) as customer_id,
        cast(account_id as string) as account_id,
        cast(day as date) as day,
        cast(balance as decimal(18, 4)) as balance,
        cast(currency as string) as currency,
        cast(batch_id as string) as batch_id
    from ranked
    where batch_rank = 1

)

select * from final
