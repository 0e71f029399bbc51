-- A balance holds from its day until the account's next one is known. What was known of a day after the date stays out.

with

balances as (

    select
        source,
        customer_id,
        coalesce(account_id, '') as account_id,
        day,
        balance,
        lag(day) over (
            partition by source, customer_id, coalesce(account_id, '') order by day desc nulls last
        ) as until_day
    from {{ ref('stg_balances') }}
    where day < {{ as_of() }}

),

final as (

    select
        source,
        customer_id,
        account_id,
        day as from_day,
        cast(until_day as date) as until_day,
        balance
    from balances

)

select * from final
