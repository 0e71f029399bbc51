with

referrals as (

    select * from {{ source('ingest', 'referrals') }}

),

batches as (

    {{ batch_times() }}

),

dated as (

    select
        referrals.source,
        {{ current_id('referrals') }} as customer_id,
        coalesce(referrer_changes.customer_id, referrals.referrer_customer_id) as referrer_customer_id,
        referrals.referred_on,
        referrals.batch_id,
        batches.loaded_at
    from referrals
    left join batches on referrals.batch_id = batches.batch_id
    {{ joined_id_changes('referrals') }}
    left join {{ source('identity', 'id_changes') }} as referrer_changes
        on referrals.referrer_customer_id = referrer_changes.old_customer_id

),

-- Nobody brings themselves, under a former id neither.
ranked as (

    select
        *,
        row_number() over (
            partition by customer_id
            order by {{ newest_batch_first(['referred_on', 'referrer_customer_id', 'source']) }}
        ) as batch_rank
    from dated
    where
        customer_id <> referrer_customer_id
        and (referred_on is null or referred_on < {{ as_of() }})

),

final as (

    select
        cast(customer_id as string) as customer_id,
        cast(referrer_customer_id as string) as referrer_customer_id,
        cast(referred_on as date) as referred_on,
        cast(source as string) as source,
        cast(batch_id as string) as batch_id
    from ranked
    where batch_rank = 1

)

select * from final
