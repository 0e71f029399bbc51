{% set window = var('loyalty_window_days') -%}

-- The window moves on every night: what was earned on a day leaves it on the morning after the window is over. Between
-- two such mornings the sum only grows, by the customer's own pace, so a tier can be lost on these mornings alone.

with

progress as (

    select * from {{ ref('tier_progress') }}

),

bounds as (

    select * from {{ ref('tier_bounds') }}

),

-- Bounds may be equal where many earned the same: the highest tier that is reached counts. Whoever earned less than
-- nothing is in the lowest.
reached as (

    select
        progress.customer_id,
        max(bounds.tier_rank) as tier_rank
    from progress
    inner join bounds on progress.tier_earned >= bounds.qualifies_from
    group by progress.customer_id

),

tiers as (

    select
        progress.customer_id,
        progress.tier_earned,
        progress.pace_a_day,
        coalesce(reached.tier_rank, (select min(lowest.tier_rank) from bounds as lowest)) as tier_rank
    from progress
    left join reached on progress.customer_id = reached.customer_id

),

next_tiers as (

    select
        tiers.customer_id,
        min(bounds.tier_rank) as tier_rank
    from tiers
    inner join bounds
        on
            tiers.tier_rank < bounds.tier_rank
            and bounds.qualifies_from is not null
    group by tiers.customer_id

),

leaving as (

    select
        tiers.customer_id,
        bounds.qualifies_from,
        tiers.tier_earned,
        tiers.pace_a_day,
        cast(days.day + {{ window + 1 }} as date) as morning,
        sum(days.{{ var('loyalty_basis') }}) over (
            partition by days.customer_id
            order by days.day asc nulls last
            rows between unbounded preceding and current row
        ) as gone
    from tiers
    inner join bounds on tiers.tier_rank = bounds.tier_rank
    inner join {{ ref('customer_day') }} as days on tiers.customer_id = days.customer_id
    where
        bounds.qualifies_from > 0
        and days.day < {{ as_of() }}
        and days.day >= {{ as_of() }} - {{ window }}
        and days.day < {{ as_of() }} - {{ window }} + {{ var('loyalty_risk_days') }}

),

foreseen as (

    select
        customer_id,
        morning,
        qualifies_from - tier_earned + gone - {{ as_decimal(
            'pace_a_day * ' ~ dbt.datediff(as_of(), 'morning', 'day'), 28, 4
        ) }} as missing
    from leaving

),

lost as (

    select
        customer_id,
        min(morning) as tier_lost_on,
        min_by(missing, morning) filter (where missing is not null) as tier_lost_by,
        max(missing) as tier_to_keep
    from foreseen
    where missing > 0
    group by customer_id

),

final as (

    select
        {{ as_of() }} as as_of_date,
        tiers.customer_id,
        own.tier as loyalty_tier,
        own.tier_rank,
        cast('{{ var("loyalty_basis") }}' as string) as tier_counts,
        own.tier_basis,
        cast(tiers.tier_earned as decimal(18, 2)) as tier_earned,
        above.tier as next_tier,
        cast(above.qualifies_from - tiers.tier_earned as decimal(18, 2)) as next_tier_missing,
        lost.tier_lost_on is not null as is_tier_at_risk,
        lost.tier_lost_on,
        cast(lost.tier_lost_by as decimal(18, 2)) as tier_lost_by,
        cast(lost.tier_to_keep as decimal(18, 2)) as tier_to_keep
    from tiers
    inner join bounds as own on tiers.tier_rank = own.tier_rank
    left join next_tiers on tiers.customer_id = next_tiers.customer_id
    left join bounds as above on next_tiers.tier_rank = above.tier_rank
    left join lost on tiers.customer_id = lost.customer_id

)

select * from final
