-- From where each tier is reached: as the playbook declares it, else at a quantile of those who earned anything.

with

tiers as (

    select * from {{ ref('playbook_tiers') }}

),

shares as (

    select
        tier_earned,
        cast(
            count(*) over (
                order by tier_earned asc nulls last range between unbounded preceding and current row
            ) as double
        ) / nullif(count(*) over (), 0) as share_up_to_here
    from {{ ref('tier_progress') }}
    where
        is_customer
        and tier_earned > 0

),

quantiles as (

    select
        tiers.tier,
        min(shares.tier_earned) as tier_earned
    from tiers
    inner join shares on tiers.default_quantile <= shares.share_up_to_here
    group by tiers.tier

),

final as (

    select
        {{ as_of() }} as as_of_date,
        cast(tiers.tier as string) as tier,
        cast(tiers.tier_rank as int) as tier_rank,
        cast(coalesce(tiers.qualifies_from, quantiles.tier_earned) as decimal(28, 4)) as qualifies_from,
        tiers.default_quantile,
        cast(case when tiers.qualifies_from is not null then 'declared' else 'quantile' end as string) as tier_basis
    from tiers
    left join quantiles on tiers.tier = quantiles.tier

)

select * from final
